package turn

import (
	"errors"
	"hash/maphash"
	"net"
	"net/netip"
	"time"
)

// datagrams is a UDP socket that clients speak to, as pion reads it.
type datagrams struct {
	*socket
	front *front

	// owned by the reader
	seed  maphash.Seed
	known [1 << 10]*net.UDPAddr // clients that were heard lately, by hash: so that not each packet makes an address
}

const listenBuffer = 4 << 20 // bytes that the system keeps for all clients of a socket, as far as it allows

func newDatagrams(conn *net.UDPConn, f *front) *datagrams {
	conn.SetReadBuffer(listenBuffer)
	conn.SetWriteBuffer(listenBuffer)
	return &datagrams{socket: newSocket(conn), front: f, seed: maphash.MakeSeed()}
}

// ReadFrom implements net.PacketConn. It fails only once the socket is closed.
//
// hot: each packet of a client.
func (d *datagrams) ReadFrom(p []byte) (int, net.Addr, error) {
	for {
		n, from, err := d.ReadFromUDPAddrPort(p)
		switch {
		case errors.Is(err, net.ErrClosed):
			return 0, nil, err
		case err != nil: // of one packet, or it passes
			time.Sleep(time.Millisecond)
			continue
		}
		if isOverlong(p[:n]) {
			continue
		}
		if isBinding(p[:n]) {
			d.front.server.counts.bindings.Add(1)
		}
		d.front.begins(p[:n])
		return n, d.addrOf(from), nil
	}
}

// addrOf returns an address as pion has it. Nobody writes to it.
func (d *datagrams) addrOf(from netip.AddrPort) *net.UDPAddr {
	at := &d.known[maphash.Comparable(d.seed, from)%uint64(len(d.known))]
	if *at == nil || (*at).AddrPort() != from {
		*at = net.UDPAddrFromAddrPort(from)
	}
	return *at
}

// WriteTo implements net.PacketConn. An answer to somebody who has not shown who that is may be for somebody else, whose address it bore: so many
// a second are sent to one network, and no more.
//
// hot: each packet to a client.
func (d *datagrams) WriteTo(p []byte, to net.Addr) (int, error) {
	addr, ok := to.(*net.UDPAddr)
	if !ok {
		return 0, errDropped
	}
	if l := d.front.server.unauthenticated; l != nil && isAnswer(p) && !isSigned(p) && l.Request(networkOf(addr.AddrPort().Addr())) > 0 {
		d.front.server.counts.unanswered.Add(1)
		return len(p), nil
	}
	return d.WriteToUDPAddrPort(p, addr.AddrPort())
}

// networkOf returns the network of an address that somebody may have whole: what an attacker of it would flood.
func networkOf(addr netip.Addr) netip.Addr {
	bits := 56
	if addr = addr.Unmap(); addr.Is4() {
		bits = 24
	}
	network, _ := addr.WithZone("").Prefix(bits)
	return network.Addr()
}
