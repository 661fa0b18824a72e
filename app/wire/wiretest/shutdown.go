package wiretest

import (
	"io"
	"net/http"
	"time"

	"signal-server/app/apptest"
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
	{name: "the end: a request that has begun is served", run: func(r *rig) {
		s := r.serve()
		w := s.opened()
		head, body := r.h.Asks(w).head(0), r.h.Opens(r.who())
		idle, half, behind, unfinished := s.dial().send(r.h.Asks(w)), s.dial(), s.dial(), s.dial()
		r.want("before", idle.answer("before"), r.h.Nothing)
		io.WriteString(half, head[:len(head)/2])
		io.WriteString(behind, head+head[:len(head)/2])
		r.want("a whole one before", behind.answer("a whole one before"), r.h.Nothing)
		whole := body.head(len(body.Body)) + body.Body
		io.WriteString(unfinished, whole[:len(whole)-1])
		s.await("all connections", count{"signal_connections", 4})
		ended := s.ending()
		idle.wantEnd("an idle one") // by then all connections have been looked at
		for what, c := range map[string]*conn{"half a head": half, "half a head behind a request": behind} {
			io.WriteString(c, head[len(head)/2:])
			c.wantAnsweredLast(what, r.h.Nothing)
		}
		io.WriteString(unfinished, whole[len(whole)-1:])
		unfinished.wantAnsweredLast("a body that lacked a byte", "")
		<-ended
	}},
	{name: "the end: from its first moment each answer is the last", run: func(r *rig) {
		s := r.serve(func(c *apptest.Config) { c.Server.ShutdownDelay = time.Second })
		w := s.opened()
		kept := s.dial().send(r.h.Asks(w))
		r.want("before", kept.answer("before"), r.h.Nothing)
		var waiting *conn
		if r.h.Waits != nil {
			waiting = s.dial().send(r.h.Waits.Ask(w))
			s.await("a wait", count{"signal_waits", 1})
		}
		ended := s.ending()
		kept.send(r.h.Asks(w)).wantAnsweredLast("a connection that was kept", r.h.Nothing)
		if waiting != nil {
			r.want("a word", s.do("a word", r.h.Tells(w)), "")
			waiting.wantAnsweredLast("a wait", "")
		}
		<-ended
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
	c.wantAnsweredLast(what, ending)
}

// wantAnsweredLast checks that the request is answered, with a refusal of this msg if there is one, and that the answer ends the connection.
func (c *conn) wantAnsweredLast(what string, msg custerrors.Error) {
	c.rig.Helper()
	a := c.answer(what)
	c.rig.want(what, a, msg)
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
