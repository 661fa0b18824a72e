package nat_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pion/logging"
	"github.com/pion/turn/v5"

	"signal-server/app/iceserver"
	"signal-server/app/turn/turntest"
)

// iceAnswer is what GET /ice answers.
type iceAnswer struct {
	Msg  string
	Data struct {
		TTL        int
		ICEServers []struct {
			URLs                 []string
			Username, Credential string
		}
	}
}

// ice asks the server for its list of servers.
func (s *server) ice(t testing.TB) (status int, answer iceAnswer) {
	t.Helper()
	scheme, c := "http", s.room.http()
	if s.trust != nil {
		scheme, c.Transport.(*http.Transport).TLSClientConfig = "https", s.trust
	}
	response, err := c.Get(scheme + "://" + s.Addr + "/ice")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, answer
}

// relays are TURN servers as a client is told of them.
type relays struct {
	credential    iceserver.Credential
	udp, tcp, tls string // host:port; "": there is none
}

// relays asks the server where it relays, and for a credential.
func (s *server) relays(t testing.TB) (r relays) {
	t.Helper()
	status, answer := s.ice(t)
	if status != http.StatusOK {
		t.Fatalf("GET /ice: got %d, want 200", status)
	}
	for _, one := range answer.Data.ICEServers {
		for _, url := range one.URLs {
			scheme, rest, _ := strings.Cut(url, ":")
			host, transport, _ := strings.Cut(rest, "?transport=")
			switch scheme + " " + transport {
			case "turn udp":
				r.udp = host
			case "turn tcp":
				r.tcp = host
			case "turns tcp":
				r.tls = host
			}
			if scheme != "stun" {
				r.credential = iceserver.Credential{Username: one.Username, Password: one.Credential}
			}
		}
	}
	if r.credential.Password == "" {
		t.Fatalf("GET /ice: got %v, want a TURN server", answer)
	}
	return r
}

// newRaw returns a client in the room that sends what it is told.
func newRaw(t testing.TB, in *room, server string, credential iceserver.Credential) *turntest.Client {
	t.Helper()
	return &turntest.Client{TB: t, Conn: in.dial(t, "udp", server), Credential: credential}
}

// client is a TURN client in the room over UDP, which ends with the test.
func client(t testing.TB, in *room, server string, credential iceserver.Credential) *turn.Client {
	t.Helper()
	network, any := "udp4", "0.0.0.0:0"
	if strings.HasPrefix(server, "[") {
		network, any = "udp6", "[::]:0"
	}
	return clientOver(t, in.listenPacket(t, network, any), server, credential)
}

// clientOver is a TURN client over any conn.
func clientOver(t testing.TB, conn net.PacketConn, server string, credential iceserver.Credential) *turn.Client {
	t.Helper()
	c, err := turn.NewClient(&turn.ClientConfig{
		STUNServerAddr: server, TURNServerAddr: server, Conn: conn, Username: credential.Username, Password: credential.Password,
		LoggerFactory: &logging.DefaultLoggerFactory{Writer: new(bytes.Buffer), DefaultLogLevel: logging.LogLevelDisabled},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Listen(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// allocate makes a relay, which ends with the test.
func allocate(t testing.TB, c *turn.Client) net.PacketConn {
	t.Helper()
	conn, err := c.Allocate()
	if err != nil {
		t.Fatalf("Allocate: %v", err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// exchange sends packets from each relay to the other one, and wants them there.
func exchange(t testing.TB, a, b net.PacketConn) {
	t.Helper()
	// A packet opens the way for those of the peer, and is dropped if the peer has not opened its own.
	for _, pair := range [][2]net.PacketConn{{a, b}, {b, a}, {a, b}} {
		if _, err := pair[0].WriteTo([]byte("open"), pair[1].LocalAddr()); err != nil {
			t.Fatalf("to %v: %v", pair[1].LocalAddr(), err)
		}
	}
	for i, pair := range [][2]net.PacketConn{{a, b}, {b, a}} {
		sent := fmt.Appendf(nil, "packet %d of %s", i, strings.Repeat("x", 1000))
		if _, err := pair[0].WriteTo(sent, pair[1].LocalAddr()); err != nil {
			t.Fatalf("to %v: %v", pair[1].LocalAddr(), err)
		}
		buffer := make([]byte, 2000)
		pair[1].SetReadDeadline(time.Now().Add(patience / 6))
		for {
			n, from, err := pair[1].ReadFrom(buffer)
			if err != nil {
				t.Fatalf("from %v: %v", pair[0].LocalAddr(), err)
			}
			if string(buffer[:n]) == "open" {
				continue
			}
			if !bytes.Equal(buffer[:n], sent) || from.String() != pair[0].LocalAddr().String() {
				t.Fatalf("got %.20q from %v, want %.20q from %v", buffer[:n], from, sent, pair[0].LocalAddr())
			}
			break
		}
	}
}

// write writes a file for the test.
func write(t testing.TB, name, content string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// secret is what TURN servers in these tests share with those who make credentials.
const secret = "a secret of the tests, long enough"

// issue makes a credential that is good until then, as whoever knows the secret can.
func issue(t testing.TB, user string, until time.Time) iceserver.Credential {
	t.Helper()
	secrets, err := iceserver.OpenSecrets(write(t, "secret", secret+"\n"))
	if err != nil {
		t.Fatal(err)
	}
	return secrets.Issue(user, until)
}

// certificate is one that nobody has signed, for these names and addresses.
type certificate struct {
	cert, key string // files
	der       []byte
}

func newCertificate(t testing.TB, names []string, addresses ...net.IP) (c certificate) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "nat"}, DNSNames: names, IPAddresses: addresses,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if c.der, err = x509.CreateCertificate(rand.Reader, template, template, private.Public(), private); err != nil {
		t.Fatal(err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	c.cert = write(t, "cert.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.der})))
	c.key = write(t, "key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})))
	return c
}

// trusted is the configuration of a client that trusts the certificate alone.
func (c certificate) trusted(t testing.TB, name string) *tls.Config {
	t.Helper()
	parsed, err := x509.ParseCertificate(c.der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(parsed)
	return &tls.Config{RootCAs: roots, ServerName: name, MinVersion: tls.VersionTLS12}
}
