package turn

import (
	"errors"
	"maps"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

// relay is the socket of an allocation, as pion's net.PacketConn: what a client sends comes out here, and what peers send comes in. It sees each
// packet, which pion's callbacks do not.
//
//	client ─▶ front ─▶ pion ──WriteTo──▶ relay ─▶ own address? port of a relay? rate? ─▶ peer
//	client ◀─ front ◀─ pion ◀─ReadFrom── relay ◀─ own address? permission? rate? ◀────── peer
type relay struct {
	// set at construction
	*socket
	front  *front
	client netip.AddrPort
	share  share
	port   uint16
	place  *place
	in     *rate.Limiter // nil: any number of bytes. From peers
	out    *rate.Limiter // to peers

	// atomic
	closed    atomic.Bool
	permitted atomic.Pointer[map[netip.Addr]struct{}] // peers that have a permission; replaced whole
	channels  atomic.Int32

	mu sync.Mutex // guards changes of permitted

	// owned by the reader
	from netip.AddrPort // of the packet before
	addr *net.UDPAddr   // the same, as peers see it
}

// What one relay may have of each. A WebRTC peer has some ten candidates, and a permission for each of their addresses.
const (
	maxPermissions = 128
	maxChannels    = 128 // pion looks through all of them for each packet
)

// errDropped is told to pion of a packet that is not sent; it goes nowhere.
var errDropped = errors.New("dropped")

// WriteTo sends to a peer.
//
// hot: each packet to a peer.
func (r *relay) WriteTo(p []byte, to net.Addr) (int, error) {
	addr, ok := to.(*net.UDPAddr)
	if !ok {
		return 0, errDropped
	}
	peer := addr.AddrPort()
	peer = netip.AddrPortFrom(peer.Addr().Unmap(), peer.Port())
	counts := &r.front.server.counts
	if peer.Addr() == r.place.public || peer.Addr() == r.place.local {
		if !r.place.ports.has(peer.Port()) {
			counts.dropped[droppedPort].Add(1)
			return 0, errDropped
		}
		peer = netip.AddrPortFrom(r.place.local, peer.Port()) // with 1:1 NAT it would leave this machine, and not come back
	}
	if !r.passes(r.out, len(p)) {
		counts.dropped[droppedRate].Add(1)
		return 0, errDropped
	}
	n, err := r.WriteToUDPAddrPort(p, peer)
	if err != nil {
		if !errors.Is(err, net.ErrClosed) {
			counts.dropped[droppedOverrun].Add(1)
		}
		return n, err
	}
	counts.bytes[toPeer].Add(int64(n))
	return n, nil
}

// ReadFrom receives from a peer. It is called by one goroutine, pion's for this relay, which ends here once the relay is closed: pion would
// have it delete whatever allocation the client has by then.
//
// hot: each packet from a peer.
func (r *relay) ReadFrom(p []byte) (int, net.Addr, error) {
	counts := &r.front.server.counts
	for {
		n, from, err := r.ReadFromUDPAddrPort(p)
		switch {
		case r.closed.Load():
			runtime.Goexit()
		case errors.Is(err, net.ErrClosed):
			return 0, nil, err
		case err != nil: // of one packet, or it passes
			time.Sleep(time.Millisecond)
			continue
		case n == len(p):
			counts.dropped[droppedOverrun].Add(1) // it may have been longer
			continue
		}
		from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
		if from != r.from {
			if !r.comesFrom(from) {
				continue
			}
		} else if _, ok := (*r.permitted.Load())[r.place.seen(from.Addr())]; !ok {
			counts.dropped[droppedPeer].Add(1)
			continue
		}
		if from.Addr() == r.place.local && !r.place.ports.has(from.Port()) {
			counts.dropped[droppedPort].Add(1)
			continue
		}
		if !r.passes(r.in, n) {
			counts.dropped[droppedRate].Add(1)
			continue
		}
		counts.bytes[fromPeer].Add(int64(n))
		return n, r.addr, nil
	}
}

// comesFrom notes a peer other than that of the packet before, if it has a permission.
func (r *relay) comesFrom(from netip.AddrPort) bool {
	seen := netip.AddrPortFrom(r.place.seen(from.Addr()), from.Port())
	if _, ok := (*r.permitted.Load())[seen.Addr()]; !ok {
		r.front.server.counts.dropped[droppedPeer].Add(1)
		return false
	}
	r.from, r.addr = from, net.UDPAddrFromAddrPort(seen)
	return true
}

// passes takes n bytes of the relay's rate and of that of all. Where only the rate of all has none left, the relay's has lost them.
func (r *relay) passes(own *rate.Limiter, n int) bool {
	now := time.Time{}
	all := r.front.server.total
	if own != nil || all != nil {
		now = time.Now()
	}
	return (own == nil || own.AllowN(now, n)) && (all == nil || all.AllowN(now, n))
}

// permit notes a peer that has a permission, or has one no more. pion keeps the time.
func (r *relay) permit(peer net.IP, permitted bool) {
	addr, ok := netip.AddrFromSlice(peer)
	if !ok {
		return
	}
	addr = addr.Unmap()
	r.mu.Lock()
	defer r.mu.Unlock()
	next := maps.Clone(*r.permitted.Load())
	if permitted {
		next[addr] = struct{}{}
	} else {
		delete(next, addr)
	}
	r.permitted.Store(&next)
}

// mayAsk reports whether the relay may have one more permission or channel. One that has as many as it may is refused what it has, too: nobody
// who means well has so many.
func (r *relay) mayAsk() bool {
	return len(*r.permitted.Load()) < maxPermissions && r.channels.Load() < maxChannels
}

// Close ends the relay. pion calls it, once.
func (r *relay) Close() error {
	if r.closed.Swap(true) {
		return nil
	}
	r.place.ports.close(r.port)
	err := r.UDPConn.Close()
	r.front.forget(r)
	return err
}
