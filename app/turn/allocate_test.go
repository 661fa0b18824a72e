package turn

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/stun/v4"
	"github.com/pion/turn/v5"

	"signal-server/app/iceserver"
	"signal-server/app/turn/turntest"
	"signal-server/test/until"
)

// wantRefused wants the server not to make a relay, with that code (RFC 8656, Section 19).
func (r *rig) wantRefused(c *turn.Client, code string) {
	r.Helper()
	conn, err := c.Allocate()
	if err == nil {
		conn.Close()
		r.Fatalf("Allocate: got a relay, want %s", code)
	}
	if !strings.Contains(err.Error(), code) {
		r.Fatalf("Allocate: got %v, want %s", err, code)
	}
}

func TestCredentials(t *testing.T) {
	r := serve(t, small(), Parts{})
	good := r.secrets.Issue("u", time.Now().Add(time.Minute))
	for name, c := range map[string]iceserver.Credential{
		"a wrong password":       {Username: good.Username, Password: "guess"},
		"another's username":     {Username: "9" + good.Username, Password: good.Password},
		"no time":                {Username: "u", Password: r.secrets.Passwords("u")[0]},
		"a time beyond all":      {Username: "99999999999999999999:u", Password: r.secrets.Passwords("99999999999999999999:u")[0]},
		"a time before all":      {Username: "-1:u", Password: r.secrets.Passwords("-1:u")[0]},
		"a time that has passed": r.secrets.Issue("u", time.Now().Add(-time.Second)),
	} {
		t.Run(name, func(t *testing.T) { (&rig{t, r.server, r.secrets}).wantRefused(r.clientWith("udp", c), "401") })
	}
	if got := r.server.counts.allocations[unauthorized].Load(); got < 6 {
		t.Errorf("counted as unauthorized: got %d, want 6 or more", got)
	}
	r.allocate(r.clientWith("udp", good))
	noUser := iceserver.Credential{Username: strings.Split(good.Username, ":")[0]}
	noUser.Password = r.secrets.Passwords(noUser.Username)[0]
	r.allocate(r.clientWith("udp", noUser)) // as programs make them that share the secret
}

// TestRealm wants a credential to be good in the server's realm only.
func TestRealm(t *testing.T) {
	r := serve(t, small(), Parts{})
	conn, err := net.Dial("udp4", r.address())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	c := &turntest.Client{TB: t, Conn: conn, Credential: r.secrets.Issue("u", time.Now().Add(time.Minute)), Realm: stun.NewRealm("another")}
	if code, _ := c.Ask(stun.MethodAllocate, turntest.OverUDP); code != 401 {
		t.Errorf("got %d, want 401", code)
	}
}

// TestACallOutlivesItsCredential lets a credential end while its relay is used: permissions, channels and refreshes go on, for Config.Lifetime.
func TestACallOutlivesItsCredential(t *testing.T) {
	r := serve(t, small(), Parts{})
	ends := time.Now().Add(2 * time.Second)
	until_ := r.secrets.Issue("u", ends)
	a := r.allocate(r.clientWith("udp", until_))
	client := r.clientWith("udp", until_)
	b := r.allocate(client)
	until.Nil(t, soon, func() error {
		if time.Now().Before(ends.Add(time.Second)) {
			return errors.New("the credential is good")
		}
		return nil
	})
	talk(t, a, b)
	if err := client.CreatePermission(&net.UDPAddr{IP: net.IPv4(9, 9, 9, 9), Port: 9}); err != nil {
		t.Errorf("CreatePermission after the end: got %v, want nil", err)
	}
	r.wantRefused(r.clientWith("udp", until_), "401")
}

func TestLifetimeIsBounded(t *testing.T) {
	c := small()
	c.Lifetime = 0
	r := serve(t, c, Parts{})
	ends := time.Now().Add(2 * time.Second)
	client := r.clientWith("udp", r.secrets.Issue("u", ends))
	r.allocate(client)
	until.Nil(t, soon, func() error {
		if time.Now().Before(ends.Add(time.Second)) {
			return errors.New("the credential is good")
		}
		return nil
	})
	if err := client.CreatePermission(&net.UDPAddr{IP: net.IPv4(9, 9, 9, 9), Port: 9}); err == nil {
		t.Error("CreatePermission after the end and --turn-lifetime: got nil, want an error")
	}
}

// TestSecretsAreReplaced wants all secrets of the file to verify, and the first to sign.
func TestSecretsAreReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secrets")
	write := func(lines ...string) {
		if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	one, two := strings.Repeat("1", 32), strings.Repeat("2", 32)
	write(one)
	secrets, err := iceserver.OpenSecrets(path)
	if err != nil {
		t.Fatal(err)
	}
	r := serve(t, small(), Parts{Secrets: secrets})
	before := secrets.Issue("u", time.Now().Add(time.Minute))
	write(two, one)
	if err := secrets.Reload(); err != nil {
		t.Fatal(err)
	}
	after := secrets.Issue("u", time.Now().Add(time.Minute))
	r.allocate(r.clientWith("udp", before))
	r.allocate(r.clientWith("udp", after))
	if got := secrets.Passwords(after.Username)[0]; got != after.Password {
		t.Error("the first secret of the file does not sign")
	}
	write("short")
	if err := secrets.Reload(); err == nil {
		t.Error("Reload of a secret that is too short: got nil, want an error")
	}
	write(two)
	if err := secrets.Reload(); err != nil {
		t.Fatal(err)
	}
	r.wantRefused(r.clientWith("udp", before), "401")
}

// TestQuotasOverManySockets has clients of several sockets and connections come at once for the last relays.
func TestQuotasOverManySockets(t *testing.T) {
	c := small()
	c.Listen = []string{"127.0.0.1:0", "127.0.0.1:0"}
	c.UserAllocations = 3
	r := serve(t, c, Parts{})
	credential := r.secrets.Issue("u", time.Now().Add(time.Minute))
	var clients []*turn.Client
	for i := range 12 {
		clients = append(clients, r.clientWith([]string{"udp", "tcp"}[i%2], credential))
	}
	var mu sync.Mutex
	var relays, quota int
	var all sync.WaitGroup
	for _, client := range clients {
		all.Go(func() {
			conn, err := client.Allocate()
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				relays++
				t.Cleanup(func() { conn.Close() })
			case strings.Contains(err.Error(), "486"):
				quota++
			default:
				t.Errorf("Allocate: got %v, want a relay or 486", err)
			}
		})
	}
	all.Wait()
	if relays != 3 || quota != 9 {
		t.Errorf("got %d relays and %d refusals, want 3 and 9", relays, quota)
	}
	if got := r.server.counts.allocations[overQuota].Load(); got < 9 { // more on a machine so busy that clients ask again
		t.Errorf("counted over quota: got %d, want 9", got)
	}
}

// TestNothingIsLeft wants what a request has taken to be given back when no relay comes of it.
func TestNothingIsLeft(t *testing.T) {
	r := serve(t, small(), Parts{})
	if _, err := r.client("udp", "tcp allocation", time.Minute).AllocateTCP(); err == nil || !strings.Contains(err.Error(), "508") {
		t.Errorf("an allocation of TCP (RFC 6062): got %v, want 508", err)
	}
	if err := wantCount(r.server, 0); err != nil {
		t.Error(err)
	}
	conn, err := net.Dial("udp4", r.address())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	c := &turntest.Client{TB: t, Conn: conn, Credential: r.secrets.Issue("u", time.Now().Add(time.Minute))}
	if code, _ := c.Ask(stun.MethodAllocate, turntest.OverUDP, turntest.Lifetime(0)); code != 508 {
		t.Errorf("a relay for no time: got %d, want 508", code)
	}
	if err := wantCount(r.server, 0); err != nil {
		t.Error(err)
	}
}

// TestEvenPort makes and ends relays of an even port as fast as it can. Pion remembers each for a while, in a list that holds up all others if it is long: so
// there are so many and no more, and relays of any port still.
func TestEvenPort(t *testing.T) {
	r := serve(t, small(), Parts{})
	conn, err := net.Dial("udp4", r.address())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	c := &turntest.Client{TB: t, Conn: conn, Credential: r.secrets.Issue("u", time.Now().Add(time.Minute))}
	begun, made, code := time.Now(), 0, stun.ErrorCode(0)
	for ; made <= evenPorts; made++ {
		reserved := byte(made) << 7 // or the next port, too
		var answer *stun.Message
		if code, answer = c.Ask(stun.MethodAllocate, turntest.OverUDP, turntest.EvenPort(reserved)); code != 0 {
			break
		}
		if at := turntest.RelayedAddress(t, answer); at.Port%2 != 0 {
			t.Errorf("port: got %v, want an even one", at)
		}
		if code, _ := c.Ask(stun.MethodRefresh, turntest.Lifetime(0)); code != 0 {
			t.Fatalf("Refresh to the end: got %d, want success", code)
		}
	}
	took := int(time.Since(begun) * evenPorts / evenFor) // so many more
	if code != 508 || made < evenPorts/8 || made > evenPorts+took {
		t.Errorf("got %d relays, then %d, want some of the %d ports looked at to be even, then 508", made, code, evenPorts+took)
	}
	if err := wantCount(r.server, 0); err != nil {
		t.Error(err)
	}
	for i := range r.server.v4.ports.live {
		if ports := r.server.v4.ports.live[i].Load(); ports != 0 {
			t.Errorf("ports from %d on: got %b, want none held", 64*i, ports)
		}
	}
	if code, _ := c.Ask(stun.MethodAllocate, turntest.OverUDP); code != 0 {
		t.Errorf("a relay of any port afterwards: got %d, want success", code)
	}
}

// TestNoTimeBehindTheSignature asks for a relay and says behind the MESSAGE-INTEGRITY, where pion does not look, that it is for no time: for such no
// share is taken, so there is no relay. What is behind the whole message counts for nothing.
func TestNoTimeBehindTheSignature(t *testing.T) {
	r := serve(t, small(), Parts{})
	conn, err := net.Dial("udp4", r.address())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	behind := &trailing{conn, true}
	c := &turntest.Client{TB: t, Conn: behind, Credential: r.secrets.Issue("u", time.Now().Add(time.Minute))}
	if code, _ := c.Ask(stun.MethodAllocate, turntest.OverUDP); code != 508 {
		t.Errorf("Allocate: got %d, want 508", code)
	}
	behind.within = false
	if code, _ := c.Ask(stun.MethodAllocate, turntest.OverUDP); code != 0 {
		t.Errorf("Allocate, with it behind the message: got %d, want success", code)
	}
	if err := wantCount(r.server, 1); err != nil {
		t.Error(err)
	}
}

// trailing is a connection that writes a LIFETIME of no time behind each message.
type trailing struct {
	net.Conn
	within bool // the message says that it is that much longer
}

// Write implements net.Conn.
func (c *trailing) Write(p []byte) (int, error) {
	m := append(bytes.Clone(p), 0, attrLifetime, 0, 4, 0, 0, 0, 0)
	if c.within {
		binary.BigEndian.PutUint16(m[2:], binary.BigEndian.Uint16(m[2:])+8)
	}
	return c.Conn.Write(m)
}

func TestNobodyGetsARelayAtTheEnd(t *testing.T) {
	r := serve(t, small(), Parts{})
	a, b := r.allocate(r.client("udp", "a", time.Minute)), r.allocate(r.client("udp", "b", time.Minute))
	r.server.Leave()
	r.wantRefused(r.client("udp", "c", time.Minute), "508")
	talk(t, a, b)
}

// TestPorts fills the range of ports but for one, and wants that to be found.
func TestPorts(t *testing.T) {
	c := small()
	c.Ports = Ports{20000, 20099} // below those that the system gives out: nobody else comes and goes there
	r := serve(t, c, Parts{})
	held := 0
	for port := c.Ports.First; port < c.Ports.Last; port++ { // one is left
		conn, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(r.server.v4.local, port)))
		if err == nil {
			defer conn.Close()
			held++
		}
	}
	conn := r.allocate(r.client("udp", "u", time.Minute))
	if got := conn.LocalAddr().(*net.UDPAddr).Port; got < 20000 || got > 20099 {
		t.Errorf("port: got %d, want 20000 to 20099", got)
	}
	r.wantRefused(r.client("udp", "v", time.Minute), "508")
	if got := r.server.counts.allocations[noPort].Load(); got != 1 {
		t.Errorf("counted without a port: got %d, want 1 (%d were held)", got, held)
	}
}

// TestTheNextRelayIsNotDeleted makes and ends relays of one client as fast as it can: the end of one must not take the next one with it.
func TestTheNextRelayIsNotDeleted(t *testing.T) {
	r := serve(t, small(), Parts{})
	credential := r.secrets.Issue("u", time.Now().Add(time.Minute))
	conn, err := net.Dial("udp4", r.address())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	c := &turntest.Client{TB: t, Conn: conn, Credential: credential}
	for range 300 {
		if code, _ := c.Ask(stun.MethodAllocate, turntest.OverUDP); code != 0 {
			t.Fatalf("Allocate: got %d, want success", code)
		}
		if code, _ := c.Ask(stun.MethodRefresh, turntest.Lifetime(200)); code != 0 {
			t.Fatalf("Refresh: got %d, want success: the relay is gone", code)
		}
		if code, _ := c.Ask(stun.MethodRefresh, turntest.Lifetime(0)); code != 0 {
			t.Fatalf("Refresh to the end: got %d, want success", code)
		}
	}
}
