package app

import (
	"context"
	"net"
	"strings"
	"time"

	"github.com/valyala/fasthttp"

	"signal-server/app/watch/metrics"
	"signal-server/cache"
	"signal-server/custerrors"
)

// stayFor is how long a request waits where it is. One that waits longer is parked: its connection is taken from fasthttp,
// whose buffers, request and goroutine's stack hold 18 KiB, and waits with a goroutine of its own that holds a quarter of
// that. Parking costs about 4 µs, so it is not for peers that answer each other at once.
const stayFor = 25 * time.Millisecond

// detach takes the request's connection away from fasthttp and has run own it, in a goroutine of its own, once the handler has
// returned. It reports whether it can: run is not called otherwise. run closes the connection or serves it further; it finds it
// closed where it broke before.
func (s *Server) detach(c *fasthttp.RequestCtx, run func(*conn)) bool {
	conn := patrolled(c.Conn())
	if conn == nil {
		return false // a connection of a test, not under patrol
	}
	s.detached.Add(1)
	own := func() {
		conn.unhanded = nil
		go func() {
			defer s.detached.Add(-1)
			defer s.surviveDetached(conn)
			run(conn)
		}()
	}
	conn.unhanded = own
	c.HijackSetNoResponse(true)
	c.Hijack(func(hijacked net.Conn) {
		conn.keep(hijacked)
		own() // fasthttp keeps the request and its buffer until this function returns
	})
	return true
}

// surviveDetached is survive for a detached connection: a bug costs that one.
func (s *Server) surviveDetached(conn *conn) {
	if r := recover(); r != nil {
		s.logPanic(r)
		conn.Close()
	}
}

// drainDetached waits until the detached connections, whose waits end with the mailroom, have been told. It polls, as
// fasthttp's own shutdown does: one may begin only now, when fasthttp gets to it, which a WaitGroup would not bear.
func (s *Server) drainDetached(ctx context.Context) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for s.detached.Load() > 0 {
		select {
		case <-tick.C:
		case <-ctx.Done():
			s.log.Warn("connections were still open at the end of the drain", "connections", s.detached.Load())
			return
		}
	}
}

// park has the question answered, within the wait, by a goroutine that holds little, and the connection served
// further afterwards. It reports whether it can; the wait is ended and held released when it has been answered then.
func (s *Server) park(c *fasthttp.RequestCtx, q question, wait cache.Wait, held hold) bool {
	if !c.Request.Header.IsHTTP11() {
		return false // fasthttp knows how to answer the older ones
	}
	q.key = cache.Key(strings.Clone(string(q.key))) // the request is gone when it is answered
	q.origin = strings.Clone(s.origins.of(c))
	last := c.Request.ConnectionClose()
	return s.detach(c, func(conn *conn) {
		if s.answerParked(conn, &q, &wait, held, last) {
			s.fiber.Server().ServeConn(conn.served()) // until it is closed, or parked again
		}
	})
}

// answerParked waits and replies. It reports whether the connection can be served further, and has closed it otherwise.
func (s *Server) answerParked(conn *conn, q *question, wait *cache.Wait, held hold, last bool) bool {
	body, err := s.askParked(q, wait)
	wait.End()
	held.release()
	s.noteWait(s.now()-q.began, err)

	c, _ := s.contexts.Get().(*fasthttp.RequestCtx)
	defer s.contexts.Put(c)
	c.Response.Reset()
	end := metrics.OK
	if err := finish(c, body, err); err != nil {
		end = s.fail(c, err)
	}
	if q.granted {
		s.grant(c, q.key, q.to, q.after.Epoch())
	}
	s.settle(&q.passage, q.key, end, len(c.Response.Body()))
	s.origins.mark(c, q.origin)
	s.strict.markOver(&c.Response, conn)
	if last {
		c.SetConnectionClose()
	}
	last = c.Response.ConnectionClose()
	if _, err := c.Response.WriteTo(conn); err != nil || last {
		conn.Close()
		return false
	}
	return true
}

// askParked is askAgain, and turns a panic, which is a bug, into an answer.
func (s *Server) askParked(q *question, wait *cache.Wait) (body []byte, err error) {
	defer func() {
		if r := recover(); r != nil {
			s.logPanic(r)
			body, err = nil, custerrors.InternalError
		}
	}()
	return s.askAgain(context.Background(), nil, q, wait)
}
