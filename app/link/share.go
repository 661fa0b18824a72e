package link

import (
	"errors"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// Share is how many connections of all one client may have at once: a part of them, or a number. The zero Share is any number.
type Share struct {
	Part   int // one in so many: 4 is a quarter; 0: Number counts
	Number int
}

// String returns the share as UnmarshalText reads it: 1/4 or 100.
func (s Share) String() string {
	if s.Part > 0 {
		return "1/" + strconv.Itoa(s.Part)
	}
	return strconv.Itoa(s.Number)
}

// UnmarshalText reads a part such as 1/4, or a number; 0 is any number. The error says what the text must be. After an error the share is
// unchanged.
func (s *Share) UnmarshalText(text []byte) error {
	number, isPart := strings.CutPrefix(string(text), "1/")
	n, err := strconv.ParseUint(number, 10, 31)
	switch {
	case err != nil || isPart && n == 0:
		return errors.New("a part such as 1/4, or a number such as 100; 0: any number")
	case isPart:
		*s = Share{Part: int(n)}
	default:
		*s = Share{Number: int(n)}
	}
	return nil
}

// of returns how many of all connections that is; 0: any number. All are limit or, if that is 0, as many as there are descriptors: one
// client that takes those leaves the others nothing, either.
func (s Share) of(limit int) int {
	if s.Part == 0 {
		return s.Number
	}
	if limit == 0 {
		limit = Descriptors()
	}
	if limit == 0 {
		return 0 // of what nobody knows
	}
	return max(limit/s.Part, 1)
}

// Peers tells the clients of connections apart. Those that accept call it, several at once.
type Peers interface {
	// Peer returns the client whose connections come from an address; the zero Addr stands for whoever has none, as at a Unix socket. It
	// returns the zero Addr where there are many clients behind it: they are not bounded together.
	Peer(from netip.Addr) netip.Addr
	// Connects counts a connection of the client. It returns 0, or the time until the client may have one more.
	Connects(client netip.Addr) time.Duration
}

// Address returns the address of a peer, or the zero Addr of one that has none.
func Address(a net.Addr) netip.Addr {
	if tcp, ok := a.(*net.TCPAddr); ok {
		return tcp.AddrPort().Addr()
	}
	return netip.Addr{}
}
