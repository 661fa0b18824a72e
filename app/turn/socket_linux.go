//go:build amd64 || arm64

package turn

import (
	"net"
	"net/netip"
	"os"
	"strconv"
	"sync"
	"syscall"
	"unsafe"
)

// socket is a UDP socket whose packets come and go by system calls of which Go's scheduler is not told. It is told of those of package net. Then each
// packet that finds the process idle wakes the scheduler's watchman (sysmon), who looks around, sleeps, looks again and lies down: a third of what a
// relayed packet costs at some thousand a second on one core. These calls never block, so there is nothing to watch. Where a read has to wait, Go's
// poller waits, as in package net.
//
// What cannot be sent at once is not sent. Otherwise one client would hold up all: packets for an address of a network of this machine that nobody has
// stay in the buffer of their relay for 3 s, until the system gives up asking who has it, and whoever sends by that waits, who reads for all clients.
//
// This file is the only one here with unsafe: the kernel gets pointers to buffers and addresses, and is done with them when the call returns.
type socket struct {
	// set at construction
	*net.UDPConn
	raw syscall.RawConn
	v4  bool // otherwise it is of IPv6, and never of both

	// owned by the reader
	coming call
	inARow int // packets that were there at once
}

// mostInARow is how many packets a reader takes, without having waited, before it takes one by package net. Where a core has so much to do that
// somebody never waits, the watchman is needed: he has others run, too.
const mostInARow = 16

func newSocket(conn *net.UDPConn) *socket {
	raw, err := conn.SyscallConn()
	if err != nil {
		panic("BUG: a UDP socket is the system's: " + err.Error())
	}
	// Package net lets each UDP socket send to all of a network. What is sent here is what a stranger wants to be sent.
	raw.Control(func(fd uintptr) { syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_BROADCAST, 0) })
	at, _ := conn.LocalAddr().(*net.UDPAddr)
	s := &socket{UDPConn: conn, raw: raw, v4: at.AddrPort().Addr().Unmap().Is4()}
	s.coming.do = s.coming.receive
	return s
}

// call is a call of recvfrom or sendto.
type call struct {
	do func(fd uintptr) (done bool) // receive or send: kept, for it would be made for each packet

	packet  []byte
	address syscall.RawSockaddrInet6 // or the shorter RawSockaddrInet4
	size    uint32                   // of the address

	// what came of it
	n      int
	errno  syscall.Errno
	waited bool
}

func (c *call) receive(fd uintptr) bool {
	for {
		c.size = syscall.SizeofSockaddrInet6
		n, _, errno := syscall.RawSyscall6(syscall.SYS_RECVFROM, fd, uintptr(unsafe.Pointer(unsafe.SliceData(c.packet))), uintptr(len(c.packet)),
			syscall.MSG_DONTWAIT, uintptr(unsafe.Pointer(&c.address)), uintptr(unsafe.Pointer(&c.size)))
		if errno != syscall.EINTR {
			return c.ended(n, errno)
		}
	}
}

// send never waits: see socket.
func (c *call) send(fd uintptr) bool {
	for {
		n, _, errno := syscall.RawSyscall6(syscall.SYS_SENDTO, fd, uintptr(unsafe.Pointer(unsafe.SliceData(c.packet))), uintptr(len(c.packet)),
			syscall.MSG_DONTWAIT, uintptr(unsafe.Pointer(&c.address)), uintptr(c.size))
		if errno != syscall.EINTR {
			c.n, c.errno = int(n), errno
			return true
		}
	}
}

// ended notes what came of a call of recvfrom, and reports whether that was all: if not, it is made again when the socket is ready.
func (c *call) ended(n uintptr, errno syscall.Errno) bool {
	c.n, c.errno = int(n), errno
	if errno == syscall.EAGAIN {
		c.waited = true
		return false
	}
	return true
}

// ReadFromUDPAddrPort is that of net.UDPConn. It is for one goroutine.
//
// hot: each packet.
func (s *socket) ReadFromUDPAddrPort(b []byte) (int, netip.AddrPort, error) {
	if s.inARow == mostInARow {
		s.inARow = 0
		return s.UDPConn.ReadFromUDPAddrPort(b)
	}
	c := &s.coming
	c.packet, c.waited = b, false
	err := s.raw.Read(c.do)
	c.packet = nil
	if s.inARow++; c.waited {
		s.inARow = 0
	}
	if err == nil && c.errno != 0 {
		err = os.NewSyscallError("recvfrom", c.errno)
	}
	if err != nil {
		return 0, netip.AddrPort{}, err
	}
	return c.n, c.from(), nil
}

// from returns the address that the kernel has written.
func (c *call) from() netip.AddrPort {
	if c.address.Family == syscall.AF_INET {
		at := (*syscall.RawSockaddrInet4)(unsafe.Pointer(&c.address))
		return netip.AddrPortFrom(netip.AddrFrom4(at.Addr), swapped(at.Port))
	}
	addr := netip.AddrFrom16(c.address.Addr)
	if zone := c.address.Scope_id; zone != 0 {
		addr = addr.WithZone(strconv.FormatUint(uint64(zone), 10))
	}
	return netip.AddrPortFrom(addr, swapped(c.address.Port))
}

// swapped returns a port in the order of the network, or from it: both architectures have the other one.
func swapped(port uint16) uint16 { return port>>8 | port<<8 }

// going are calls of sendto: many goroutines send by one socket.
var going = sync.Pool{New: func() any {
	c := new(call)
	c.do = c.send
	return c
}}

// WriteToUDPAddrPort is that of net.UDPConn, but never waits: EAGAIN says that the system has no room.
//
// hot: each packet.
func (s *socket) WriteToUDPAddrPort(b []byte, to netip.AddrPort) (int, error) {
	addr := to.Addr().Unmap()
	if addr.Is4() != s.v4 || addr.Zone() != "" {
		return s.UDPConn.WriteToUDPAddrPort(b, to) // which knows what to say, and zones
	}
	c := going.Get().(*call)
	c.packet = b
	if s.v4 {
		*(*syscall.RawSockaddrInet4)(unsafe.Pointer(&c.address)) = syscall.RawSockaddrInet4{
			Family: syscall.AF_INET, Port: swapped(to.Port()), Addr: addr.As4(),
		}
		c.size = syscall.SizeofSockaddrInet4
	} else {
		c.address = syscall.RawSockaddrInet6{Family: syscall.AF_INET6, Port: swapped(to.Port()), Addr: addr.As16()}
		c.size = syscall.SizeofSockaddrInet6
	}
	err := s.raw.Write(c.do)
	n, errno := c.n, c.errno
	c.packet = nil
	going.Put(c)
	if err == nil && errno != 0 {
		err = os.NewSyscallError("sendto", errno)
	}
	if err != nil {
		return 0, err
	}
	return n, nil
}
