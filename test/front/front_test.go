package front

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"signal-server/app/apptest"
	"signal-server/app/gate/limit"
	"signal-server/cache/memory"
	"signal-server/client"
	"signal-server/custerrors"
	"signal-server/test/handshake"
	"signal-server/test/port"
)

// node is a server of the API that counts its connections.
type node struct {
	addr     string
	accepted *atomic.Int64
}

type counted struct {
	net.Listener
	accepted atomic.Int64
}

func (l *counted) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err == nil {
		l.accepted.Add(1)
	}
	return conn, err
}

// serve starts a server that believes the proxies of this machine, as deploy/ tells it to.
func serve(t *testing.T, clients limit.Config) node {
	t.Helper()
	config := apptest.Defaults()
	config.Clients = clients
	proxies, err := limit.ParseProxies([]string{proxyAddr})
	if err != nil {
		t.Fatal(err)
	}
	config.Proxies = proxies
	store, err := memory.New(memory.Config{Limits: config.Limits, Memory: memory.MinMemory})
	if err != nil {
		t.Fatal(err)
	}
	l := &counted{Listener: apptest.Listen(t)}
	return node{apptest.Serve(t, l, config, store).Addr, &l.accepted}
}

// proxyAddr is where proxies ask from. All of 127.0.0.0/8 is the loopback: clients have other addresses of it.
const proxyAddr = "127.0.0.1"

// browser returns a client at an address that trusts the proxy's certificate and speaks HTTP/2 where the proxy does.
func browser(t *testing.T, p proxy, from string) *http.Client {
	t.Helper()
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM([]byte(certificate(t)))
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	transport := &http.Transport{
		ForceAttemptHTTP2: true,
		TLSClientConfig:   &tls.Config{RootCAs: pool},
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			if strings.HasSuffix(addr, ":80") {
				return dialer.DialContext(ctx, network, p.plain)
			}
			return dialer.DialContext(ctx, network, p.tls)
		},
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{
		Transport: transport, Timeout: patience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

const (
	someone = "127.0.0.2"
	another = "127.0.0.3"
)

// ask returns the status and the body of an answer.
func ask(t *testing.T, c *http.Client, method, path, body string, header ...string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "https://"+host+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	response, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

// TestHandshake connects pairs of peers by messages that wait, and checks that the proxy keeps its connections to the server.
func TestHandshake(t *testing.T) {
	each(t, func(t *testing.T, start func(t *testing.T, byKey bool, servers ...string) proxy) {
		n := serve(t, limit.Config{})
		p := start(t, false, n.addr)
		c, err := client.New("https://"+host, client.WithHTTPClient(browser(t, p, someone)))
		if err != nil {
			t.Fatal(err)
		}
		const handshakes = 60
		for range handshakes {
			if _, err := handshake.Meet(t.Context(), c, rand.Text()); err != nil {
				t.Error(err)
			}
		}
		// Three requests each, two of them at once; the proxies' own health checks come on top.
		if got := n.accepted.Load(); got > handshakes/2 {
			t.Errorf("the proxy made %d connections for %d requests, want a few", got, 3*handshakes)
		}
	})
}

// TestLongestWait holds a request for as long as the server does by default.
func TestLongestWait(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	each(t, func(t *testing.T, start func(t *testing.T, byKey bool, servers ...string) proxy) {
		c := browser(t, start(t, false, serve(t, limit.Config{}).addr), someone)
		status, body := ask(t, c, "GET", "/answer/messages?wait=30", "", "key", "nobody's")
		if want := custerrors.KeyNotFound.Error(); status != 200 || !strings.Contains(body, want) {
			t.Errorf("got %d %s, want 200 %s", status, body, want)
		}
	})
}

// TestEvents reads events while their stream is open. Many streams of a page share a connection: they are asked for over HTTP/2.
func TestEvents(t *testing.T) {
	each(t, func(t *testing.T, start func(t *testing.T, byKey bool, servers ...string) proxy) {
		c := browser(t, start(t, false, serve(t, limit.Config{}).addr), someone)
		stream, err := c.Get("https://" + host + "/answer/events?key=streamed")
		if err != nil {
			t.Fatal(err)
		}
		defer stream.Body.Close()
		if stream.ProtoMajor != 2 {
			t.Errorf("got %s, want HTTP/2", stream.Proto)
		}
		lines := bufio.NewScanner(stream.Body)
		for _, write := range []struct{ body, want string }{{`{"sdp":"o"}`, `data: "o"`}, {`{"candidates":["c"]}`, `data: "c"`}} {
			if status, body := ask(t, c, "POST", "/offer/messages", write.body, "key", "streamed"); status != 200 {
				t.Fatalf("writing: got %d %s", status, body)
			}
			for lines.Scan() && lines.Text() != write.want {
			}
			if lines.Text() != write.want {
				t.Fatalf("the stream has ended with %v, want %s while it is open", lines.Err(), write.want)
			}
		}
	})
}

// TestClients checks that each client is limited by its own address, whatever headers claim.
func TestClients(t *testing.T) {
	each(t, func(t *testing.T, start func(t *testing.T, byKey bool, servers ...string) proxy) {
		const most = 5
		n := serve(t, limit.Config{Opens: limit.Rate{Events: most, Per: time.Hour}})
		p := start(t, false, n.addr)
		for _, from := range []string{someone, another} {
			c := browser(t, p, from)
			for i := range most + 1 {
				status, body := ask(t, c, "POST", "/offer/messages", `{"sdp":"o"}`, "key", rand.Text(),
					"X-Forwarded-For", fmt.Sprintf("192.0.2.%d", i), "Forwarded", fmt.Sprintf("for=192.0.2.%d", i), "X-Real-IP", fmt.Sprintf("192.0.2.%d", i))
				if want := map[bool]int{true: 200, false: 429}[i < most]; status != want {
					t.Errorf("%s opens session %d of %d: got %d %s, want %d", from, i+1, most, status, body, want)
				}
			}
		}
	})
}

// TestBodies checks that the server, and not the proxy, refuses a body that is too long.
func TestBodies(t *testing.T) {
	each(t, func(t *testing.T, start func(t *testing.T, byKey bool, servers ...string) proxy) {
		c := browser(t, start(t, false, serve(t, limit.Config{}).addr), someone)
		most := apptest.Defaults().Wire.BodyBytes
		candidates := func(size int) string {
			text := `["` + strings.Repeat(strings.Repeat("c", 4000)+`","`, size/4100) + `"]`
			return text + strings.Repeat(" ", size-len(text))
		}
		if status, body := ask(t, c, "POST", "/offer/messages", `{"sdp":"o"}`, "key", "k"); status != 200 {
			t.Fatalf("opening: got %d %s", status, body)
		}
		for _, test := range []struct {
			size, status int
			msg          error
		}{{most, 400, custerrors.BodyIsEmpty}, {most + 1, 413, custerrors.BodyIsTooLong}, {2 * most, 413, custerrors.BodyIsTooLong}} {
			for range 5 {
				status, body := ask(t, c, "POST", "/offer/candidates", candidates(test.size), "key", "k")
				if status != test.status || !strings.Contains(body, test.msg.Error()) {
					t.Errorf("%d bytes: got %d %.100s, want %d %s", test.size, status, body, test.status, test.msg)
				}
			}
		}
	})
}

// TestTLS checks which versions of TLS are spoken, and that none is by suites with CBC, that requests without TLS are redirected to it.
func TestTLS(t *testing.T) {
	each(t, func(t *testing.T, start func(t *testing.T, byKey bool, servers ...string) proxy) {
		p := start(t, false, serve(t, limit.Config{}).addr)
		for version, want := range map[uint16]bool{tls.VersionTLS10: false, tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
			c := browser(t, p, someone)
			config := c.Transport.(*http.Transport).TLSClientConfig
			config.MinVersion, config.MaxVersion = version, version
			response, err := c.Get("https://" + host + "/healthz")
			if (err == nil) != want {
				t.Errorf("%s: got %v, want it spoken: %v", tls.VersionName(version), err, want)
			}
			if err == nil {
				response.Body.Close()
				if got := response.Header.Get("Strict-Transport-Security"); got != "max-age=15552000" {
					t.Errorf("Strict-Transport-Security: got %q, want half a year", got)
				}
			}
		}
		old := browser(t, p, someone)
		config := old.Transport.(*http.Transport).TLSClientConfig
		config.MaxVersion = tls.VersionTLS12
		for _, suite := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
			if strings.Contains(suite.Name, "_CBC_") {
				config.CipherSuites = append(config.CipherSuites, suite.ID)
			}
		}
		if response, err := old.Get("https://" + host + "/healthz"); err == nil {
			response.Body.Close()
			t.Error("suites with CBC only: got an answer, want it refused")
		}
		response, err := browser(t, p, someone).Get("http://" + host + "/offer/sdp?wait=1")
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if got, want := response.Header.Get("Location"), "https://"+host+"/offer/sdp?wait=1"; response.StatusCode != 308 || got != want {
			t.Errorf("without TLS: got %d to %q, want 308 to %q", response.StatusCode, got, want)
		}
	})
}

// TestKeysAreNotLogged asks with a key and a token in the query, as event streams do: of a server that
// answers, and where there is none.
func TestKeysAreNotLogged(t *testing.T) {
	each(t, func(t *testing.T, start func(t *testing.T, byKey bool, servers ...string) proxy) {
		for what, server := range map[string]string{"a server": serve(t, limit.Config{}).addr, "nobody": port.Hold(t)} {
			p := start(t, false, server)
			c := browser(t, p, someone)
			for method, body := range map[string]string{"GET": "", "POST": `{"sdp":"o"}`} {
				status, text := ask(t, c, method, "/offer/messages?key=secret-1&access_token=secret-2", body, "key", "secret-3")
				if (status == 200) != (what == "a server") {
					t.Errorf("%s, %s: got %d %s", what, method, status, text)
				}
			}
			if text := p.wrote(); strings.Contains(text, "secret-") {
				t.Errorf("%s: the log has the key:\n%s", what, text)
			}
		}
	})
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
