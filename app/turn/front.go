package turn

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/pion/stun/v4"
	"github.com/pion/turn/v5"
	"golang.org/x/time/rate"

	"signal-server/app/iceserver"
)

// front is one socket that clients speak to: a UDP socket, which many share, or a connection, which is one client's. Each has a server of pion of
// its own, which handles its messages one after the other in one goroutine: so what a callback notes, the next one finds.
//
//	ReadFrom ─▶ Authenticate ─▶ Quota ─▶ AllocatePacketConn ─▶ a relay        an Allocate request
//	        └─▶ Authenticate ─▶ Permission ─▶ permitted                       CreatePermission, ChannelBind
type front struct {
	// set at construction
	server *Server
	empty  func() // called when the last relay has ended; nil: nobody asks

	// owned by pion's reader
	message []byte // the one that is handled
	asked   bool   // Quota was, about it
	taken   *taken // by Quota, and not by a relay yet

	mu sync.Mutex
	// guarded by mu
	relays map[netip.AddrPort]*relay // by client
}

// taken is a share of the quotas that an allocation about to be made has taken.
type taken struct {
	client netip.AddrPort
	share  share
}

// newFront has pion read from what conn makes of a front, until that is closed. What conn makes calls front.begins with each message.
func (s *Server) newFront(conn func(*front) net.PacketConn) error {
	f := &front{server: s, relays: make(map[netip.AddrPort]*relay)}
	_, err := turn.NewServer(turn.ServerConfig{
		PacketConnConfigs: []turn.PacketConnConfig{{
			PacketConn: conn(f), RelayAddressGenerator: generator{f}, PermissionHandler: f.permits,
		}},
		LoggerFactory: silent{},
		Realm:         s.config.Realm,
		AuthHandler:   f.authenticate,
		QuotaHandler:  f.takes,
		EventHandler: turn.EventHandler{
			OnAuth: func(_, _ net.Addr, _, _, _, method string, verdict bool) {
				if !verdict && method == stun.MethodAllocate.String() {
					s.counts.allocations[unauthorized].Add(1)
				}
			},
			OnPermissionCreated: func(from, _ net.Addr, _, _, _ string, at net.Addr, peer net.IP) { f.permit(from, at, peer, true) },
			OnPermissionDeleted: func(from, _ net.Addr, _, _, _ string, at net.Addr, peer net.IP) { f.permit(from, at, peer, false) },
			OnChannelCreated:    func(from, _ net.Addr, _, _, _ string, at, _ net.Addr, _ uint16) { f.channel(from, at, 1) },
			OnChannelDeleted:    func(from, _ net.Addr, _, _, _ string, at, _ net.Addr, _ uint16) { f.channel(from, at, -1) },
		},
		StrictAddressFamily: s.v6 == nil, // otherwise who asks over IPv6 gets a relay of IPv6 (what browsers expect, against RFC 8656, Section 7.1)
		InboundMTU:          maxMessage,
	})
	return err
}

const maxMessage = 2048 // bytes, one more than a message may have: an Ethernet packet, with room for what TURN wraps around it

// begins notes the message that pion is about to handle. What the one before has taken, and not used, is given back.
//
// hot: each message of a client.
func (f *front) begins(message []byte) {
	f.message, f.asked = message, false
	f.giveBack()
}

// giveBack gives back what was taken for a relay that was not made.
func (f *front) giveBack() {
	if f.taken != nil {
		f.server.quotas.give(f.taken.share)
		f.taken = nil
	}
}

// authenticate returns the key that a message of that user has to be signed by (RFC 8489, Section 9.2.2). Of several secrets it takes the one
// that has signed.
func (f *front) authenticate(a *turn.RequestAttributes) (userID string, key []byte, ok bool) {
	user, until, ok := iceserver.ParseUsername(a.Username)
	allocates := a.Method == stun.MethodAllocate
	if !allocates {
		until = until.Add(f.server.config.Lifetime) // a call that has begun goes on
	}
	if !ok || a.Realm != f.server.config.Realm || !time.Now().Before(until) {
		if allocates {
			f.server.counts.allocations[unauthorized].Add(1)
		}
		return "", nil, false
	}
	for _, password := range f.server.secrets.Passwords(a.Username) {
		key = turn.GenerateAuthKey(a.Username, a.Realm, password)
		if f.isSignedBy(key) {
			break
		}
	}
	return user, key, true // pion checks it, too
}

// isSignedBy reports whether the message that is handled has been signed by the key.
func (f *front) isSignedBy(key []byte) bool {
	m := stun.Message{Raw: append([]byte(nil), f.message...)}
	return m.Decode() == nil && stun.MessageIntegrity(key).Check(&m) == nil
}

// takes takes the share of a client that has shown who it is and wants a relay.
func (f *front) takes(user, _ string, from net.Addr) bool {
	f.asked = true
	if f.server.leaving.Load() || wantsNoTime(f.message) {
		return true // and gets no port
	}
	client := addrPort(from)
	share := shareOf(user, client.Addr())
	if !f.server.quotas.take(share) {
		f.server.counts.allocations[overQuota].Add(1)
		return false
	}
	f.taken = &taken{client, share}
	return true
}

// permits reports whether the client may have a permission for the peer.
func (f *front) permits(from net.Addr, peer net.IP) bool {
	addr, ok := netip.AddrFromSlice(peer)
	r := f.relayOf(from)
	if ok && r != nil && r.mayAsk() && f.server.peers.may(addr) {
		return true
	}
	f.server.counts.permissionsRefused.Add(1)
	return false
}

// permit notes what pion says of a permission of the relay at that address: the client may have the next one, while that one still ends.
func (f *front) permit(from, at net.Addr, peer net.IP, permitted bool) {
	if r := f.relayOf(from); r != nil && r.port == addrPort(at).Port() {
		r.permit(peer, permitted)
	}
}

// channel notes the same of a channel.
func (f *front) channel(from, at net.Addr, more int32) {
	if r := f.relayOf(from); r != nil && r.port == addrPort(at).Port() {
		r.channels.Add(more)
	}
}

// relayOf returns the relay of a client, or nil.
func (f *front) relayOf(client net.Addr) *relay {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.relays[addrPort(client)]
}

// busy reports whether the front has a relay.
func (f *front) busy() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.relays) > 0
}

// forget gives back what a relay has taken that has ended.
func (f *front) forget(r *relay) {
	f.server.quotas.give(r.share)
	f.mu.Lock()
	if f.relays[r.client] == r {
		delete(f.relays, r.client)
	}
	last := len(f.relays) == 0
	f.mu.Unlock()
	if last && f.empty != nil {
		f.empty()
	}
}

// generator makes relays, as pion asks for them.
type generator struct{ *front }

// Validate implements turn.RelayAddressGenerator.
func (generator) Validate() error { return nil }

// AllocatePacketConn implements turn.RelayAddressGenerator. Before it asks for a share pion only looks for a port that is even, for EVEN-PORT (RFC 8656,
// Section 18.10), and closes what it gets. Such are bounded: see evenPorts. After that there is a relay for what was taken, and for nothing else.
func (g generator) AllocatePacketConn(c turn.AllocateListenerConfig) (net.PacketConn, net.Addr, error) {
	f := g.front
	defer f.giveBack()
	p := f.server.v4
	if c.Network == "udp6" {
		p = f.server.v6
	}
	looks := !f.asked
	if p == nil || f.server.leaving.Load() || looks && !f.server.even.Allow() || !looks && f.taken == nil {
		f.server.counts.allocations[noPort].Add(1)
		return nil, nil, errNoPort
	}
	conn, port, err := p.ports.open(c.RequestedPort)
	if err != nil {
		f.server.counts.allocations[noPort].Add(1)
		return nil, nil, err
	}
	at := net.UDPAddrFromAddrPort(netip.AddrPortFrom(p.public, port))
	if looks {
		return probe{conn, p, port}, at, nil
	}
	conn.SetReadBuffer(relayBuffer)
	r := &relay{
		socket: newSocket(conn), front: f, client: f.taken.client, share: f.taken.share, port: port, place: p,
		in: f.server.config.Rate.limiter(), out: f.server.config.Rate.limiter(),
	}
	r.permitted.Store(&map[netip.Addr]struct{}{})
	f.taken = nil
	f.mu.Lock()
	f.relays[r.client] = r
	f.mu.Unlock()
	f.server.counts.allocations[created].Add(1)
	return r, at, nil
}

// probe is a port that pion only looks at.
type probe struct {
	*net.UDPConn
	place *place
	port  uint16
}

// Close implements net.PacketConn.
func (p probe) Close() error {
	p.place.ports.close(p.port)
	return p.UDPConn.Close()
}

// evenPorts is how many ports pion may look at within evenFor, two for each relay of an even port. It remembers each such relay for that long, in a list that
// it goes through under its lock: a list of any length would hold up all clients of the socket. Hardly a client wants such relays, but coturn's own does.
const (
	evenPorts = 1 << 10
	evenFor   = 30 * time.Second
)

func newEven() *rate.Limiter { return rate.NewLimiter(rate.Every(evenFor/evenPorts), evenPorts) }

const relayBuffer = 512 << 10 // bytes that the system keeps for a relay: half a second of what one may have by default

// AllocateListener refuses TCP allocations: they are a proxy for TCP (RFC 6062).
func (g generator) AllocateListener(turn.AllocateListenerConfig) (net.Listener, net.Addr, error) {
	g.giveBack()
	g.server.counts.allocations[noPort].Add(1)
	return nil, nil, errTCP
}

// AllocateConn refuses them, too.
func (generator) AllocateConn(turn.AllocateConnConfig) (net.Conn, error) { return nil, errTCP }

var errTCP = errors.New("relays are for UDP only")

// limiter returns what bounds bytes by the rate; nil: nothing does. As much as in one second may come at once.
func (r ByteRate) limiter() *rate.Limiter {
	if r == 0 {
		return nil
	}
	return rate.NewLimiter(rate.Limit(r), int(r))
}

// addrPort returns a client's address, without a zone: the same one has several names (see socket), and pion leaves it out, too.
func addrPort(a net.Addr) netip.AddrPort {
	var at netip.AddrPort
	switch a := a.(type) {
	case *net.UDPAddr:
		at = a.AddrPort()
	case *net.TCPAddr:
		at = a.AddrPort()
	}
	return netip.AddrPortFrom(at.Addr().Unmap().WithZone(""), at.Port())
}
