package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gofiber/fiber/v2"
	"golang.org/x/sys/unix"

	"signal-server/app/apptest"
	"signal-server/app/server"
	"signal-server/cache"
	"signal-server/cache/memory"
	"signal-server/cache/redis"
)

// memoryConn is a connection without a network: Read makes the next request, Write checks an answer. One goroutine uses it, the
// server's.
type memoryConn struct {
	net.Conn // nil: a method that is not below is not called

	// set at construction
	kind   *kind
	keys   []string
	repeat int    // requests for each key
	fixed  []byte // the body of each answer; nil: answers are this server's
	begin  <-chan struct{}
	ended  *sync.WaitGroup
	wrong  *atomic.Int64

	// owned by the server's goroutine
	sent          int
	body          []byte // scratch
	request, want []byte
	tag, wantTag  int // where the tag stands in them, whose number counts up; -1: nowhere
}

// Read implements net.Conn. It makes one request at a time, as cheaply as it can: within a session only the number changes.
func (c *memoryConn) Read(b []byte) (int, error) {
	<-c.begin
	if c.sent == len(c.keys)*c.repeat {
		return 0, io.EOF
	}
	n := c.sent%c.repeat + 1
	if n == 1 {
		c.compose(c.keys[c.sent/c.repeat])
	}
	c.sent++
	number(c.request, c.tag, n)
	number(c.want, c.wantTag, n)
	return copy(b, c.request), nil
}

func (c *memoryConn) compose(key string) {
	if c.kind.body != nil {
		c.body = c.kind.body(c.body[:0], key, 1)
	}
	c.request = appendRequest(c.request[:0], c.kind.method, c.kind.target, key, c.body)
	first := appendTag(nil, key, "offer", 1)
	c.tag = bytes.Index(c.request, first)
	c.want = append(c.want[:0], headEnd...)
	if c.fixed != nil {
		c.want, c.wantTag = append(c.want, c.fixed...), -1
		return
	}
	c.want = c.kind.answer(c.want, key, 1)
	c.wantTag = bytes.Index(c.want, first)
	if _, behind, found := bytes.Cut(c.want, []byte(anyCursor)); found { // an answer of many payloads is the same each time
		c.want, c.wantTag = behind, -1
	}
}

// number writes the number of a payload in its tag.
func number(text []byte, tag, n int) {
	if tag >= 0 {
		digits := text[tag+tagLen-3:]
		digits[0], digits[1], digits[2] = byte('0'+n/100), byte('0'+n/10%10), byte('0'+n%10)
	}
}

// Write implements net.Conn. An answer comes in one piece: none is longer than the server's buffer.
func (c *memoryConn) Write(b []byte) (int, error) {
	if !bytes.HasSuffix(b, c.want) {
		c.wrong.Add(1)
	}
	return len(b), nil
}

// Close implements net.Conn.
func (c *memoryConn) Close() error {
	c.ended.Done()
	return nil
}

func (c *memoryConn) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (c *memoryConn) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (c *memoryConn) SetDeadline(time.Time) error      { return nil }
func (c *memoryConn) SetReadDeadline(time.Time) error  { return nil }
func (c *memoryConn) SetWriteDeadline(time.Time) error { return nil }

// memoryListener accepts the connections that it was made with.
type memoryListener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (l *memoryListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *memoryListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *memoryListener) Addr() net.Addr { return &net.TCPAddr{} }

// inMemoryConns is how many connections ask at once in process.
const inMemoryConns = 16

// measureInMemory prepares about that many requests of that kind, makes asked of them over memory connections, and returns what one takes. what is the
// server under them: "server" for this one with the memory store, the URL of a Redis for this one with that store, or "fiber" for
// Fiber with a handler that does nothing but send the headers of this server's answers and a body of their size.
func measureInMemory(what string, k *kind, procs, requests, asked int) (r spent, err error) {
	runtime.GOMAXPROCS(procs)
	begin, closed := make(chan struct{}), make(chan struct{})
	var ended sync.WaitGroup
	var wrong atomic.Int64
	listener := &memoryListener{conns: make(chan net.Conn, inMemoryConns), closed: closed}
	var keys []string
	made := 0
	repeat := k.repeat
	if k.fresh {
		repeat = 1
	}
	var fixed []byte
	if what == "fiber" {
		fixed = fixedBody(k.answerSize())
	}
	for range inMemoryConns {
		c := &memoryConn{kind: k, repeat: repeat, fixed: fixed, begin: begin, ended: &ended, wrong: &wrong}
		for range max(1, requests/inMemoryConns/repeat) {
			c.keys = append(c.keys, newKey())
		}
		keys = append(keys, c.keys...)
		c.keys = c.keys[:max(1, asked/inMemoryConns/repeat)]
		made += len(c.keys) * repeat
		ended.Add(1)
		listener.conns <- c
	}
	serving := make(chan error, 1)
	if fixed == nil {
		err = serveInMemory(listener, what, k, keys, serving)
	} else {
		app := fiber.New(fiber.Config{DisableStartupMessage: true})
		app.Add(k.method, k.target, func(c *fiber.Ctx) error {
			c.Set(fiber.HeaderContentType, fiber.MIMEApplicationJSON)
			c.Set(fiber.HeaderXContentTypeOptions, "nosniff")
			c.Set(fiber.HeaderAccessControlAllowOrigin, "*")
			if c.Method() == fiber.MethodGet {
				c.Set(fiber.HeaderCacheControl, "no-store")
			}
			return c.Send(fixed)
		})
		go func() { serving <- app.Listener(listener) }()
	}
	if err != nil {
		return r, err
	}
	runtime.GC() // what was prepared is not measured
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	cpu, begun := cpuTime(unix.CLOCK_PROCESS_CPUTIME_ID), time.Now()
	close(begin)
	allEnded := make(chan struct{})
	go func() {
		ended.Wait()
		close(allEnded)
	}()
	select {
	case <-allEnded:
	case err := <-serving:
		return r, fmt.Errorf("serving ended: %w", err)
	}
	each := time.Duration(made)
	r = spent{CPU: (cpuTime(unix.CLOCK_PROCESS_CPUTIME_ID) - cpu) / each, Wall: time.Since(begun) / each}
	runtime.ReadMemStats(&after)
	r.Allocs = float64(after.Mallocs-before.Mallocs) / float64(made)
	if n := wrong.Load(); n > 0 {
		return r, fmt.Errorf("%d answers are wrong", n)
	}
	return r, nil
}

// serveInMemory runs the whole server on the listener. It opens the sessions of the keys before, unless the requests do that.
func serveInMemory(listener net.Listener, what string, k *kind, keys []string, serving chan<- error) error {
	config := apptest.Defaults()
	config.Limits.ClientMemory = cache.Share{}                       // the load is one client
	config.Limits.TTL, config.Limits.Lifetime = time.Hour, time.Hour // the last sessions wait for long
	store, err := openStore(what, config.Limits)
	if err != nil {
		return err
	}
	for _, key := range keys {
		if k.fresh {
			break
		}
		open := cache.Write{Key: cache.Key(key), From: cache.Offer, Opens: true, Batch: handshakeBatch(key, "offer", k.prepared, k.candidate)}
		if _, _, err := store.Write(context.Background(), nil, open); err != nil {
			return err
		}
	}
	served, _, err := apptest.New(config, store, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	go func() {
		serving <- errors.Join(served.Serve(context.Background(), server.Listeners{API: listener}), store.Close())
	}()
	return nil
}

func openStore(what string, limits cache.Limits) (cache.Store, error) {
	if what == "server" {
		return memory.New(memory.Config{Limits: limits, Memory: 4 << 30})
	}
	return redis.Open(context.Background(), what, limits)
}

// handshakeBatch returns an sdp of the role, and so many candidates.
func handshakeBatch(key, role string, n int, candidate func(key, role string, n int) payload) *cache.Batch {
	b := new(cache.Batch)
	add := func(kind cache.Kind, p payload) {
		b.Add(cache.Frame{Kind: kind, Size: len(p.appendText(nil)), Wire: p.appendWire(nil)})
	}
	add(cache.SDP, sdp(key, role))
	for i := 1; i <= n; i++ {
		add(cache.Candidate, candidate(key, role, i))
	}
	return b
}
