package wiretest

import (
	"io"
	"net/http"

	"signal-server/custerrors"
)

const ending = custerrors.ServerIsShuttingDown

// crowd is how many there are where many do the same at once.
const crowd = 12

// That Serve returns nil, long before the drain is over, and leaves nothing behind, the end of every check looks at.
var shutdownChecks = []check{
	{name: "the end: a connection that is idle is closed", run: func(r *rig) {
		s := r.serve()
		w := s.opened()
		silent, c := s.dial(), s.dial().send(r.h.Asks(w))
		r.want("before", c.answer("before"), r.h.Nothing)
		s.await("both connections", count{"signal_connections", 2})
		s.end()
		c.wantEnd("between two requests")
		silent.wantLateOrEnd("before the first request")
	}},
	{name: "the end: half a request is not waited for", run: func(r *rig) {
		s := r.serve()
		w := s.opened()
		head, body := r.h.Asks(w).head(0), r.h.Opens(r.who())
		half, behind, unfinished := s.dial(), s.dial(), s.dial()
		io.WriteString(half, head[:len(head)/2])
		io.WriteString(behind, head+head[:len(head)/2])
		r.want("a whole one before", behind.answer("a whole one before"), r.h.Nothing)
		io.WriteString(unfinished, body.head(len(body.Body)+1)+body.Body)
		s.await("all connections", count{"signal_connections", 3})
		s.end()
		half.wantLateOrEnd("half a head")
		behind.wantLateOrEnd("half a head behind a request")
		unfinished.wantLateOrEnd("a body that lacks a byte")
	}},
	{name: "the end: a request that is served is answered", run: func(r *rig) {
		s := r.serve()
		w := s.opened()
		release := s.store.hold()
		c := s.dial().send(r.h.Asks(w))
		s.awaitAsking("a request", 1)
		ended := s.ending()
		release()
		<-ended
		r.want("a request that was served", c.answer("a request that was served"), r.h.Nothing)
		c.wantEnd("afterwards")
	}},
	{name: "the end: a wait that has just begun is told", needs: waits, run: func(r *rig) {
		s := r.serve()
		c := s.dial().send(r.h.Waits.Ask(s.opened()))
		s.awaitHung("a wait", 1)
		s.end()
		c.wantLast("a wait")
	}},
	{name: "the end: a wait that is parked is told", needs: waits, run: func(r *rig) {
		s := r.serve()
		c := s.dial().send(r.h.Waits.Ask(s.opened()))
		s.await("a wait", count{"signal_waits", 1})
		s.end()
		c.wantLast("a wait")
	}},
	{name: "the end: a wait that comes too late is told", needs: waits, run: func(r *rig) {
		s := r.serve()
		w := s.opened()
		release := s.store.hold()
		c := s.dial().send(r.h.Waits.Ask(w))
		s.awaitAsking("a wait that begins", 1)
		ended := s.ending()
		release()
		<-ended
		c.wantLast("a wait")
	}},
	{name: "the end: a stream ends", needs: streams, run: func(r *rig) {
		s := r.serve()
		w := s.opened()
		c := s.dial().stream("a stream", r.h.Streams.Ask(w))
		r.want("a word", s.do("a word", r.h.Tells(w)), "")
		c.wantText("a word", w.Payload)
		s.end()
		c.wantEnd("the end of a stream")
	}},
	{name: "the end: many at once", run: func(r *rig) {
		s := r.serve()
		w := s.opened()
		var waiting, idle []*conn
		var streaming []*stream
		for range crowd {
			c := s.dial().send(r.h.Asks(w))
			r.want("before", c.answer("before"), r.h.Nothing)
			idle = append(idle, c)
			if r.h.Waits != nil {
				waiting = append(waiting, s.dial().send(r.h.Waits.Ask(s.opened())))
			}
			if r.h.Streams != nil {
				streaming = append(streaming, s.dial().stream("a stream", r.h.Streams.Ask(s.opened())))
			}
		}
		s.await("all", count{"signal_waits", len(waiting)}, count{"signal_streams", len(streaming)})
		s.end()
		for _, c := range waiting {
			c.wantLast("a wait")
		}
		for _, c := range streaming {
			c.wantEnd("the end of a stream")
		}
		for _, c := range idle {
			c.wantEnd("an idle connection")
		}
	}},
}

// ending tells the server to end, and returns once it knows. The channel is closed when it has ended.
func (s *served) ending() <-chan struct{} {
	s.rig.Helper()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.end()
	}()
	s.leaving()
	return ended
}

// wantLast checks that the server says that it ends, and that the answer ends the connection: otherwise the server would wait for a client
// that has nothing to ask.
func (c *conn) wantLast(what string) {
	c.rig.Helper()
	a := c.answer(what)
	c.rig.want(what, a, ending)
	if !a.Last {
		c.rig.Errorf("%s: got no Connection: close, want it", what)
	}
	c.wantEnd(what)
}

// wantLateOrEnd checks that the connection of a request that has not come whole ends. The client may be told why.
func (c *conn) wantLateOrEnd(what string) {
	c.rig.Helper()
	if _, err := c.r.Peek(1); err == nil {
		if a := c.answer(what); a.Status != http.StatusRequestTimeout {
			c.rig.Errorf("%s: got %d %q, want 408 or nothing", what, a.Status, a.Body)
		}
	}
	c.wantEnd(what)
}
