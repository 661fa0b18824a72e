package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	mathrand "math/rand/v2"
)

// vanishers are clients beside the load that hold a connection for a while and leave. Most of them vanish, each in one of the ways in which a
// client can: the server must notice, and give back what it held for them.
type vanishers struct {
	// set at construction
	address string
	rate    int           // that come in a second
	longest time.Duration // that one stays

	// atomic
	vanished atomic.Int64
	freed    atomic.Int64 // of them, those that have seen that the server closed their connection
}

// How long a client stays at least, and at the most in a run that is not short.
const (
	shortest = 100 * time.Millisecond
	longest  = 20 * time.Second
)

// run has clients come until ctx ends, or one fails, and waits until all have left.
func (v *vanishers) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var group sync.WaitGroup
	defer group.Wait()
	defer cancel()
	tick := time.NewTicker(time.Second / time.Duration(v.rate))
	defer tick.Stop()
	failed := make(chan error, 1)
	for {
		select {
		case <-tick.C:
		case err := <-failed:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
		group.Go(func() {
			err := v.visit(ctx)
			if err == nil || ctx.Err() != nil {
				return
			}
			select {
			case failed <- fmt.Errorf("a client that vanishes: %w", err):
			default: // another one was first
			}
		})
	}
}

// What a client does with its connection: it has had a request answered, or its request waits, or it reads a stream.
var occupations = [...]string{"/answer/candidate", "/answer/messages?wait=30", "/answer/events"}

const (
	kept = iota
	waiting
	streaming
)

// How it leaves.
const (
	byReset     = iota // as if its machine had been switched off and on again
	byClosing          // as one that is killed: what came is not read
	byHalf             // it sends nothing more, and reads until the server has closed
	decently           // it has a last request answered, and the server closes
	waysToLeave        // how many
)

// visit is what one client does.
func (v *vanishers) visit(ctx context.Context) error {
	occupation, way, stay := mathrand.IntN(len(occupations)), mathrand.IntN(waysToLeave), v.stay()
	if occupation == streaming && way == decently {
		way = byHalf // a stream has no end
	}
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp", v.address)
	if err != nil {
		return err
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	if err := c.SetDeadline(time.Now().Add(stay + patience)); err != nil {
		return err
	}
	target, last := occupations[occupation], ""
	if occupation == waiting && way == decently {
		target, last = fmt.Sprintf("/answer/messages?wait=%.1f", stay.Seconds()), "Connection: close\r\n"
	}
	if err := ask(c, target, last); err != nil {
		return err
	}
	if occupation != waiting {
		if err := heads(c); err != nil {
			return err
		}
	}
	if last == "" {
		if err := pause(ctx, stay); err != nil {
			return err
		}
	}
	return v.leave(c.(*net.TCPConn), way, last != "")
}

// stay returns how long a client stays: as often from 0.1 to 1 s as from 1 to 10 s.
func (v *vanishers) stay() time.Duration {
	return time.Duration(float64(shortest) * math.Pow(float64(v.longest)/float64(shortest), mathrand.Float64()))
}

// leave ends the connection in that way. asked is whether the last request has been sent.
func (v *vanishers) leave(c *net.TCPConn, way int, asked bool) error {
	switch way {
	case byReset:
		v.vanished.Add(1)
		return errors.Join(c.SetLinger(0), c.Close())
	case byClosing:
		v.vanished.Add(1)
		return c.Close()
	case byHalf:
		v.vanished.Add(1)
		if err := c.CloseWrite(); err != nil {
			return err
		}
	case decently:
		if asked {
			break
		}
		if err := ask(c, occupations[kept], "Connection: close\r\n"); err != nil {
			return err
		}
	}
	if _, err := io.Copy(io.Discard, c); err != nil {
		return fmt.Errorf("the server has not closed the connection: %w", err)
	}
	if way == byHalf {
		v.freed.Add(1)
	}
	return nil
}

// ask sends a request with a header line more, for a key that nobody else has.
func ask(c net.Conn, target, more string) error {
	_, err := fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: soak\r\nkey: %s\r\n%s\r\n", target, rand.Text(), more)
	return err
}

// heads reads the head of an answer, and what came with it.
func heads(c net.Conn) error {
	var b [1 << 10]byte
	for n := 0; n < len(b); {
		m, err := c.Read(b[n:])
		if err != nil {
			return fmt.Errorf("no answer: %w", err)
		}
		n += m
		if said := string(b[:n]); strings.Contains(said, "\r\n\r\n") {
			if !strings.HasPrefix(said, "HTTP/1.1 200 ") {
				return fmt.Errorf("got %q, want the status 200", said)
			}
			return nil
		}
	}
	return errors.New("a head that does not end")
}
