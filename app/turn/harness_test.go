package turn

import (
	"crypto/tls"
	"log/slog"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/pion/turn/v5"
	"go.uber.org/goleak"

	"signal-server/app/iceserver"
	"signal-server/test/until"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const soon = 10 * time.Second

// small is a configuration for tests: everything on loopback.
func small() Config {
	return Config{
		On: true, Listen: []string{"127.0.0.1:0"}, Ports: Ports{49152, 65535}, Realm: "test",
		UserAllocations: 64, ClientAllocations: 256, Allocations: 2000, Lifetime: time.Hour,
	}
}

// rig is a server in a test.
type rig struct {
	*testing.T
	server  *Server
	secrets *iceserver.Secrets
}

// serve opens a server, which change may alter before it serves, and ends it with the test.
func serve(t *testing.T, c Config, parts Parts, change ...func(*Server)) *rig {
	t.Helper()
	if parts.Secrets == nil {
		secrets, err := iceserver.OpenSecrets("")
		if err != nil {
			t.Fatal(err)
		}
		parts.Secrets = secrets
	}
	parts.Log = slog.New(slog.DiscardHandler)
	s, err := Open(c, parts)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	for _, f := range change {
		f(s)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(func(netip.Addr) (func(), bool) { return func() {}, true }) }()
	t.Cleanup(func() {
		s.Close()
		if err := <-served; err != nil {
			t.Errorf("Serve: got %v, want nil after Close", err)
		}
		until.Nil(t, soon, func() error { return wantCount(s, 0) })
	})
	return &rig{t, s, parts.Secrets}
}

// address returns where the server listens.
func (r *rig) address() string { return r.server.listeners[0].Addr().String() }

// client is a TURN client with a credential for that long.
func (r *rig) client(transport, user string, for_ time.Duration) *turn.Client {
	r.Helper()
	return r.clientWith(transport, r.secrets.Issue(user, time.Now().Add(for_)))
}

func (r *rig) clientWith(transport string, credential iceserver.Credential) *turn.Client {
	r.Helper()
	var conn net.PacketConn
	var err error
	switch transport {
	case "udp":
		conn, err = net.ListenPacket("udp4", "127.0.0.1:0")
	case "tcp":
		var c net.Conn
		c, err = net.Dial("tcp", r.address())
		conn = turn.NewSTUNConn(c)
	case "tls":
		var c net.Conn
		c, err = tls.Dial("tcp", r.server.listeners[len(r.server.listeners)-1].Addr().String(), &tls.Config{InsecureSkipVerify: true})
		conn = turn.NewSTUNConn(c)
	}
	if err != nil {
		r.Fatal(err)
	}
	c, err := turn.NewClient(&turn.ClientConfig{
		STUNServerAddr: r.address(), TURNServerAddr: r.address(), Conn: conn,
		Username: credential.Username, Password: credential.Password, Realm: "test", LoggerFactory: silent{},
		RTO: 3 * time.Second, // nothing is lost on the loopback, and what is asked twice, because the machine is busy, is counted twice
	})
	if err != nil {
		r.Fatal(err)
	}
	if err := c.Listen(); err != nil {
		r.Fatal(err)
	}
	r.Cleanup(func() {
		c.Close()
		conn.Close()
	})
	return c
}

// allocate makes a relay, which is ended with the test.
func (r *rig) allocate(c *turn.Client) net.PacketConn {
	r.Helper()
	conn, err := c.Allocate()
	if err != nil {
		r.Fatalf("Allocate: %v", err)
	}
	r.Cleanup(func() { conn.Close() })
	return conn
}
