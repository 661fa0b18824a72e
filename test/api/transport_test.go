package api_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// transport is what clients reach a test's server over. SIGNAL_TEST_TRANSPORT makes all tests use that one.
type transport string

const (
	overTCP  transport = "tcp"
	overTLS  transport = "tls"
	overUnix transport = "unix"
)

// TestOver runs, over the other transports, the tests that a transport could break.
func TestOver(t *testing.T) {
	for _, over := range []transport{overTLS, overUnix} {
		t.Run(string(over), func(t *testing.T) {
			for name, test := range map[string]func(*testing.T){
				"broken":          TestBrokenRequests,
				"too early":       TestRequestsThatEndTooEarly,
				"slow":            TestMetricsOfSlowClients,
				"kept":            TestConnectionsAreKept,
				"idle":            TestIdleConnectionsAreClosed,
				"not read":        TestClientsThatDoNotReadAreCutOff,
				"left":            TestNothingIsTakenForAClientThatHasLeft,
				"let go":          TestWhoLeavesIsLetGo,
				"left with it":    TestWhoLeavesWithTheRequestIsLetGo,
				"behind":          TestAWaiterBehindOneThatLeft,
				"pipelined":       TestAClientThatPipelinesIsThere,
				"in a row":        TestWaitsInARow,
				"last":            TestWaitsThatAreTheLast,
				"lost":            TestClientsLostBeforeTheirWaitIsParked,
				"HTTP/1.0":        TestOldHTTPWaits,
				"shutdown":        TestShutdownLeavesNothingBehind,
				"shutdown unread": TestReadersThatDoNotReadDoNotHoldTheEnd,
				"until the end":   TestRequestsAreServedUntilTheEnd,
				"done at the end": TestWhatIsDoneAtTheEndIsAnswered,
				"left before":     TestNothingIsTakenForAClientThatLeftBefore,
				"half closed":     TestHalfClosedClientsAreAnswered,
				"HEAD":            TestHEADTakesNothing,
				"slash":           TestTrailingSlash,
				"HSTS":            TestHSTS,
				"events":          TestEvents,
				"events resume":   TestEventsResume,
				"events' end":     TestStreamsEndAtShutdown,
				"slow readers":    TestReadersThatDoNotKeepUpHoldNobodyUp,
				"one round trip":  TestOneRoundTrip,
				"a Unix socket":   TestAUnixSocketIsNotOneClient,
				"too many":        TestTooManyOverTLS,
				"no requests":     TestWhatIsNoRequestIsRefusedAtOnce,
			} {
				t.Run(name, test)
			}
		})
	}
}

// transportOf returns the transport of the test's server.
func transportOf(t testing.TB) transport {
	if under, ok := strings.CutPrefix(t.Name(), "TestOver/"); ok {
		name, _, _ := strings.Cut(under, "/")
		return transport(name)
	}
	if name := os.Getenv("SIGNAL_TEST_TRANSPORT"); name != "" {
		return transport(name)
	}
	return overTCP
}

func (o transport) network() string {
	if o == overUnix {
		return "unix"
	}
	return "tcp"
}

func (o transport) scheme() string {
	if o == overTLS {
		return "https"
	}
	return "http"
}

// host returns what URLs have in place of the address.
func (o transport) host(addr string) string {
	if o == overUnix {
		return "localhost"
	}
	return addr
}

func (o transport) listen(t testing.TB) net.Listener {
	t.Helper()
	addr := "127.0.0.1:0"
	if o == overUnix {
		dir, err := os.MkdirTemp("", "signal") // t.TempDir has the test's name in it, which may be too long for a socket's path
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.RemoveAll(dir) })
		addr = filepath.Join(dir, "s")
	}
	l, err := net.Listen(o.network(), addr)
	if err != nil {
		t.Fatal(err)
	}
	if o == overTLS {
		return tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{identity()}, NextProtos: []string{"http/1.1"}})
	}
	return l
}

func (o transport) dial(addr string) (*peer, error) {
	socket, err := net.Dial(o.network(), addr)
	if err != nil {
		return nil, err
	}
	if o != overTLS {
		return &peer{Conn: socket, socket: socket}, nil
	}
	conn := tls.Client(socket, trusting())
	if err := conn.Handshake(); err != nil {
		socket.Close()
		return nil, err
	}
	return &peer{Conn: conn, socket: socket}, nil
}

// peer is a client's connection.
type peer struct {
	net.Conn
	socket net.Conn // what is below TLS, or the same
	rude   bool     // Close resets
}

// CloseWrite ends the client's side of the connection. Over TLS it ends that of TLS, and not that of the socket below.
func (p *peer) CloseWrite() error { return p.Conn.(interface{ CloseWrite() error }).CloseWrite() }

// littleBuffer is the buffer of each side of a connection that holds little, in bytes. The system doubles it.
const littleBuffer = 64 << 10

// holdingLittle is an option: the server's connections hold little of what their client does not read, whatever the system would grant.
func holdingLittle(o *options) {
	o.listener = func(l net.Listener) net.Listener { return littleListener{l} }
}

type littleListener struct{ net.Listener }

func (l littleListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	socket := c
	if secured, ok := c.(*tls.Conn); ok {
		socket = secured.NetConn()
	}
	return c, socket.(interface{ SetWriteBuffer(int) error }).SetWriteBuffer(littleBuffer)
}

// holdLittle makes the client's side of the connection hold little of what is not read. Otherwise its buffer grows while it reads.
func (p *peer) holdLittle(t testing.TB) {
	t.Helper()
	if err := p.socket.(interface{ SetReadBuffer(int) error }).SetReadBuffer(littleBuffer); err != nil {
		t.Fatal(err)
	}
}

// SetLinger is for TCP. A Unix socket has no reset that would lose bytes on their way.
func (p *peer) SetLinger(seconds int) error {
	if tcp, ok := p.socket.(*net.TCPConn); ok {
		p.rude = true
		return tcp.SetLinger(seconds)
	}
	return nil
}

func (p *peer) Close() error {
	if p.rude {
		return p.socket.Close()
	}
	return p.Conn.Close()
}

// identity is the test servers' certificate, for 127.0.0.1.
var identity = sync.OnceValue(func() tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(24 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		panic(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		panic(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
})

// trusting is the configuration of a client that trusts identity.
func trusting() *tls.Config {
	roots := x509.NewCertPool()
	roots.AddCert(identity().Leaf)
	return &tls.Config{RootCAs: roots, ServerName: "127.0.0.1", NextProtos: []string{"http/1.1"}}
}
