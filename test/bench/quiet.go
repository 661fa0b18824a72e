package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"time"

	"golang.org/x/sys/unix"
)

// The groups that measure what connections take on which nothing happens: they wait, are idle between two requests, are event streams, or
// are idle or wait with TLS.

func measureWaiting(ctx context.Context, b *bench) error {
	return b.rows(ctx, []row{{"memory of waiting connections", waitingMemory}})
}

func measureIdle(ctx context.Context, b *bench) error {
	return b.rows(ctx, []row{{"memory of idle connections and streams", idleMemory}})
}

func measureTLS(ctx context.Context, b *bench) error {
	return b.rows(ctx, []row{{"memory of connections with TLS", secureMemory}})
}

// waitLong has a signaling server let requests wait longer than it does by default, so that they wait on while a slow machine is still opening others.
// What one takes does not depend on it.
const waitLong = "SIGNAL_WAIT=100s"

// fewRounds is how many rounds are enough for what takes seconds and hardly differs from one to the next.
const fewRounds = 3

// few is the number of rounds of such a row.
func (b *bench) few() int { return min(fewRounds, b.size.rounds) }

// guest is a connection of a crowd. It is under Go's own poller: no time is taken by what it sends, and a poller that never sleeps would only be in the
// way of a server that shares the machine.
type guest struct {
	net.Conn // the plain one, or TLS over it
	plain    *net.TCPConn
	fd       int
	talks    bool // the server may say something that it does not read
}

// crowd is many connections to one process that do the same. hangUp must follow, also after an error.
type crowd struct {
	// set before the first comes
	b        *bench
	p        *process
	security *tls.Config // nil: none

	guests []*guest
	before int // descriptors of the server, before the first came
}

// first is what a guest does when it has come.
type first func(*crowd, *guest, *scratch) error

// atATime is how many guests come before the server must have accepted them: fewer than wait in a listener's queue, which turns away what is too much.
const atATime = 1000

// come has n more guests dial and do something first, atOnce of them at the same time.
func (c *crowd) come(n int, does first) error {
	if len(c.guests) == 0 {
		var err error
		if c.before, err = c.p.descriptors(); err != nil {
			return err
		}
	}
	for upto := len(c.guests) + n; len(c.guests) < upto; {
		if err := c.comeTogether(min(atATime, upto-len(c.guests)), does); err != nil {
			return fmt.Errorf("a crowd of %d: %w", n, err)
		}
		if err := c.accepted(); err != nil {
			return err
		}
	}
	return nil
}

func (c *crowd) comeTogether(n int, does first) error {
	from := len(c.guests)
	c.guests = append(c.guests, make([]*guest, n)...)
	return atTheSameTime(min(atOnce, n), func(i int) error {
		s := &scratch{in: make([]byte, 8<<10)}
		for ; i < n; i += atOnce {
			g, err := c.dial()
			if err != nil {
				return err
			}
			c.guests[from+i] = g
			if err := does(c, g, s); err != nil {
				return err
			}
		}
		return nil
	})
}

// accepted waits until the server has a descriptor for nearly each guest: some that it had before may have been closed meanwhile.
func (c *crowd) accepted() error {
	const stray = 8
	for begun := time.Now(); time.Since(begun) < patience; time.Sleep(time.Millisecond) {
		open, err := c.p.descriptors()
		if err != nil {
			return err
		}
		if open-c.before+stray >= len(c.guests) {
			return nil
		}
	}
	return fmt.Errorf("the server does not accept all of %d connections", len(c.guests))
}

func (c *crowd) dial() (*guest, error) {
	to, err := net.ResolveTCPAddr("tcp", c.p.addr)
	if err != nil {
		return nil, err
	}
	plain, err := net.DialTCP("tcp", nil, to)
	if err != nil {
		return nil, err
	}
	g := &guest{Conn: plain, plain: plain}
	raw, err := plain.SyscallConn()
	if err == nil {
		err = errors.Join(raw.Control(func(fd uintptr) { g.fd = int(fd) }), plain.SetDeadline(time.Now().Add(patience)))
	}
	if err == nil && c.security != nil {
		secure := tls.Client(plain, c.security)
		g.Conn, g.talks = secure, true // tickets
		err = secure.Handshake()
	}
	if err != nil {
		plain.Close()
		return nil, err
	}
	return g, nil
}

// check returns nil if all guests are connected still, and the server has said nothing that it should not. That is the right answer to each.
func (c *crowd) check() error {
	var b [256]byte
	for _, g := range c.guests {
		n, _, err := unix.Recvfrom(g.fd, b[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
		if err != unix.EAGAIN && (n <= 0 || !g.talks) {
			return fmt.Errorf("not quiet any more: %q, %v", b[:max(n, 0)], err)
		}
	}
	c.b.faults.checked.Add(int64(len(c.guests)))
	return nil
}

func (c *crowd) hangUp() {
	for _, g := range c.guests {
		if g != nil {
			g.plain.Close()
		}
	}
}

// scratch is what one guest after the other works with.
type scratch struct{ out, in []byte }

// waits sends a request that waits in vain.
func (c *crowd) waits(g *guest, s *scratch) error {
	s.out = appendRequest(s.out[:0], "GET", "/answer/messages?wait=100", newKey(), nil)
	_, err := g.Write(s.out)
	return err
}

// asksOnce has one request answered.
func (c *crowd) asksOnce(g *guest, s *scratch) error {
	key := newKey()
	s.out = appendRequest(s.out[:0], "GET", "/answer/candidate", key, nil)
	if _, err := g.Write(s.out); err != nil {
		return err
	}
	got, err := readAnswer(g, &s.in)
	if err != nil {
		return err
	}
	if !c.b.faults.check(got, []byte(noSession), key) {
		return c.b.faults.err()
	}
	return nil
}

// streams opens an event stream, on which nothing comes but its head and its first comment.
func (c *crowd) streams(g *guest, s *scratch) error {
	g.talks = true // a comment now and then
	s.out = appendRequest(s.out[:0], "GET", "/answer/events", newKey(), nil)
	if _, err := g.Write(s.out); err != nil {
		return err
	}
	const head, comment = "HTTP/1.1 200 OK\r\n", ":\n\n"
	for n := 0; n < len(s.in); {
		m, err := g.Read(s.in[n:])
		if err != nil {
			return fmt.Errorf("a stream: %w", err)
		}
		n += m
		if said := string(s.in[:n]); len(said) > len(head) && said[:len(head)] == head && said[n-len(comment):] == comment {
			return nil
		}
	}
	return fmt.Errorf("not a stream: %q", s.in)
}

// administered is the candidate with a listener for operators on a free port.
func administered(c candidate) (candidate, error) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return c, err
	}
	c.admin = free.Addr().String()
	free.Close()
	argv := c.argv
	c.argv = func(port string) []string { return append(argv(port), "--admin="+c.admin) }
	return c, nil
}

// collections is how often collect has garbage collected: what a pool of Go's holds survives the first, and a finalizer may run after it.
const collections = 3

// collect has the process collect its garbage by its listener for operators, and waits until its RSS falls no more: Go gives memory back to the
// system little by little.
func (p *process) collect(ctx context.Context) error {
	client := http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	for range collections {
		r, err := client.Get("http://" + p.admin + "/debug/pprof/heap?gc=1")
		if err != nil {
			return fmt.Errorf("collecting garbage: %w", err)
		}
		_, err = io.Copy(io.Discard, r.Body)
		r.Body.Close()
		if err == nil && r.StatusCode != http.StatusOK {
			err = errors.New(r.Status)
		}
		if err != nil {
			return fmt.Errorf("collecting garbage: %w", err)
		}
	}
	const look, looks = 500 * time.Millisecond, 20
	least := int64(math.MaxInt64)
	for range looks {
		if err := sleep(ctx, look); err != nil {
			return err
		}
		now, err := p.rss()
		if err != nil || float64(now) > 0.99*float64(least) {
			return err
		}
		least = now
	}
	return nil
}
