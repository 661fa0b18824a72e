package api_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"

	appserver "signal-server/app/server"

	"signal-server/app/apptest"
	appwire "signal-server/app/wire"
	"signal-server/custerrors"
	"signal-server/test/until"
)

// serveAdmin starts a server with an admin listener, and returns the address of that listener.
func serveAdmin(t *testing.T, change func(*apptest.Config)) (addr string) {
	t.Helper()
	config := apptest.Defaults()
	change(&config)
	store := newStore(t, config.Limits, 32<<20)
	a, _, err := apptest.New(config, store, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatalf("New: got %v, want a server", err)
	}
	var listeners [2]net.Listener
	for i := range listeners {
		if listeners[i], err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := a.Serve(ctx, appserver.Listeners{API: listeners[0], Admin: listeners[1]}); err != nil {
			t.Errorf("Serve: got %v, want nil", err)
		}
	})
	t.Cleanup(func() {
		cancel()
		serving.Wait()
		store.Close()
	})
	return listeners[1].Addr().String()
}

// get asks the admin listener over a connection of its own.
func getAdmin(t *testing.T, addr, path string) (status int, body string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 20 * time.Second}
	response, err := client.Get("http://" + addr + path)
	if err != nil {
		t.Fatalf("%s: got %v, want an answer", path, err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatalf("%s: got %v, want a whole answer", path, err)
	}
	return response.StatusCode, string(text)
}

func TestAdmin(t *testing.T) {
	addr := serveAdmin(t, func(c *apptest.Config) { c.Version = "v1.2.3" })
	for path, want := range map[string]struct {
		status int
		text   string
	}{
		"/healthz":                         {200, `{"msg":"","data":null}`},
		"/readyz":                          {200, `{"msg":"","data":null}`},
		"/metrics":                         {200, `version="v1.2.3"`},
		"/debug/pprof/":                    {200, "goroutine"},
		"/debug/pprof/heap":                {200, ""},
		"/debug/pprof/goroutine?debug=1":   {200, "goroutine profile"},
		"/debug/pprof/profile?seconds=1":   {200, ""},
		"/debug/pprof/profile?seconds=301": {400, "seconds must be 0 to 300"},
		"/debug/pprof/trace?seconds=1e9":   {400, "seconds must be 0 to 300"},
		"/debug/pprof/heap?seconds=NaN":    {400, "seconds must be 0 to 300"},
		"/debug/pprof/cmdline":             {404, `"data":null`},
		"/debug/pprof/none":                {404, ""},
		"/none":                            {404, `"data":null`},
		"/offer/sdp":                       {404, `"data":null`},
	} {
		status, body := getAdmin(t, addr, path)
		if status != want.status || !strings.Contains(body, want.text) {
			t.Errorf("%s: got %d %.300q, want %d and %q", path, status, body, want.status, want.text)
		}
	}
}

// TestAdminRefusesPages asks the admin listener on loopback as an operator's browser would for pages, and as programs do.
func TestAdminRefusesPages(t *testing.T) {
	addr := serveAdmin(t, func(c *apptest.Config) { c.Gate.OwnNames = []string{"signal.example"} })
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		what, host, header string
		served             bool
	}{
		{"a program", addr, "", true},
		{"by localhost", "localhost:" + port, "", true},
		{"by IPv6", "[::1]:" + port, "", true},
		{"by a name of this server", "signal.example:" + port, "", true},
		{"HAProxy, which tells no host", "", "", true},
		{"the person at the browser", addr, "Sec-Fetch-Site: none", true},
		{"a link on a page of its own", addr, "Sec-Fetch-Site: same-origin", true},
		{"DNS rebinding", "evil.example:" + port, "", false},
		{"a name that begins as localhost", "localhost.evil.example:" + port, "", false},
		{"a page of another site", addr, "Origin: https://evil.example", false},
		{"a page of a neighbour", addr, "Origin: http://localhost:3000", false},
		{"its own page's POST", addr, "Origin: http://" + addr, false},
		{"an image of another page", addr, "Sec-Fetch-Site: cross-site", false},
		{"an image of a neighbour", addr, "Sec-Fetch-Site: same-site", false},
	} {
		for _, path := range []string{"/metrics", "/debug/pprof/", "/healthz", "/debug/pprof/profile?seconds=1"} {
			if path != "/metrics" && row.served {
				continue // TestAdmin asks them
			}
			conn, err := net.Dial("tcp", addr)
			if err != nil {
				t.Fatal(err)
			}
			conn.SetDeadline(time.Now().Add(20 * time.Second)) // so that a test that fails ends
			head := "GET " + path + " HTTP/1.1\r\nHost: " + row.host + "\r\n"
			if row.host == "" {
				head = "GET " + path + " HTTP/1.0\r\n"
			}
			if row.header != "" {
				head += row.header + "\r\n"
			}
			io.WriteString(conn, head+"\r\n")
			response, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatalf("%s: got %v, want an answer", row.what, err)
			}
			body, _ := io.ReadAll(io.LimitReader(response.Body, 1000))
			conn.Close()
			if want := map[bool]int{true: 200, false: 403}[row.served]; response.StatusCode != want {
				t.Errorf("%s, %s: got %d, want %d", row.what, path, response.StatusCode, want)
			}
			if refusal := `{"msg":"` + string(custerrors.NotAllowed) + `","data":null}`; !row.served && string(body) != refusal {
				t.Errorf("%s, %s: got %s, want %s", row.what, path, body, refusal)
			}
		}
	}
}

// TestAdminElsewhere asks over what is not loopback, where programs call a machine by any name.
func TestAdminElsewhere(t *testing.T) {
	d := newDirect(t)
	defer d.store.Close()
	for header, want := range map[string]int{"": 200, "Origin": 403} {
		r := httptest.NewRequest(http.MethodGet, "http://node1.internal:9090/metrics", nil)
		r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, &net.TCPAddr{IP: net.ParseIP("10.0.0.7"), Port: 9090}))
		if header != "" {
			r.Header.Set(header, "http://node1.internal:9090")
		}
		w := httptest.NewRecorder()
		d.server.Admin().ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("with %q: got %d, want %d", header, w.Code, want)
		}
	}
}

// TestAdminIsBounded checks that the admin listener cuts off slow clients and refuses long headers, and that connections beyond its bound
// wait until others end.
func TestAdminIsBounded(t *testing.T) {
	t.Parallel()
	const bound = 64
	addr := serveAdmin(t, func(c *apptest.Config) { c.Link.ReadTimeout, c.Link.IdleTimeout = 500*ms, time.Second })
	dial := func() net.Conn {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		conn.SetDeadline(time.Now().Add(20 * time.Second)) // so that a test that fails ends
		return conn
	}
	for range bound { // each sends half a request, and keeps others out until it is cut off
		fmt.Fprint(dial(), "GET /healthz HTTP/1.1\r\n")
	}
	began := time.Now()
	conn := dial()
	fmt.Fprint(conn, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || response.StatusCode != 200 || time.Since(began) < 300*ms {
		t.Errorf("one beyond %d slow ones: got %v, %v after %v, want 200 when they are cut off", bound, response, err, time.Since(began))
	}
	conn = dial()
	fmt.Fprintf(conn, "GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: %s\r\n\r\n", strings.Repeat("x", 32<<10))
	response, err = http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || response.StatusCode != 431 {
		t.Errorf("32 KiB of headers: got %v, %v, want 431", response, err)
	}
}

// slow is a wire whose one request ends when goOn is closed.
type slow struct {
	appwire.Envelope
	begun, goOn chan struct{}
}

func (*slow) Name() string { return "slow" }

func (w *slow) Routes() []appwire.Route {
	return []appwire.Route{{Method: http.MethodGet, Path: "/slow", Free: true, Handle: func(c *fiber.Ctx, v *appwire.Visit) error {
		close(w.begun)
		<-w.goOn
		return appwire.Envelope{}.Done(v.Reply())
	}}}
}

// TestOperatorsSeeTheServerEnd ends a server while a request runs. Until that has ended, operators are told that the server is alive and
// not ready.
func TestOperatorsSeeTheServerEnd(t *testing.T) {
	w := &slow{begun: make(chan struct{}), goOn: make(chan struct{})}
	config := apptest.Defaults()
	config.Wires = []appwire.Wire{w}
	store := newStore(t, config.Limits, 1<<20)
	defer store.Close()
	server, _, err := apptest.New(config, store, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	api, admin := apptest.Listen(t), apptest.Listen(t)
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- server.Serve(ctx, appserver.Listeners{API: api, Admin: admin}) }()
	conn, err := net.Dial("tcp", api.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	io.WriteString(conn, "GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
	<-w.begun
	cancel()
	until.Nil(t, config.Server.Drain/2, func() error {
		if c, err := net.Dial("tcp", api.Addr().String()); err == nil {
			c.Close()
			return errors.New("the API still takes connections")
		}
		return nil
	})
	if status, _ := getAdmin(t, admin.Addr().String(), "/healthz"); status != 200 {
		t.Errorf("/healthz in the drain: got %d, want 200", status)
	}
	if status, _ := getAdmin(t, admin.Addr().String(), "/readyz"); status != 503 {
		t.Errorf("/readyz in the drain: got %d, want 503", status)
	}
	close(w.goOn)
	if a, err := tryAnswer(bufio.NewReader(conn), "GET"); err != nil || a.status != 200 {
		t.Errorf("the request: got %d, %v, want 200", a.status, err)
	}
	if err := <-served; err != nil {
		t.Errorf("Serve: got %v, want nil", err)
	}
}
