package wiretest

import (
	"io"
	"time"
)

// farewells are the ways in which a client leaves.
var farewells = []struct {
	how   string
	leave func(*conn)
}{
	{"closed", func(c *conn) { c.Close() }},
	{"reset", func(c *conn) { c.SetLinger(0); c.Close() }},
	{"half closed", func(c *conn) { c.CloseWrite() }},
}

// each calls f for each way in which a client leaves, on a server of its own.
func each(f func(r *rig, s *served, how string, leave func(*conn))) func(*rig) {
	return func(r *rig) {
		for _, farewell := range farewells {
			s := r.serve()
			f(r, s, farewell.how, farewell.leave)
			s.wantFree(farewell.how)
			s.wantServing(farewell.how)
			s.stop()
		}
	}
}

var goneChecks = []check{
	{name: "a client that leaves before its request is whole costs nothing", run: each(
		func(r *rig, s *served, how string, leave func(*conn)) {
			head, body := r.h.Asks(s.opened()).head(0), r.h.Opens(r.who())
			silent, half, unfinished := s.dial(), s.dial(), s.dial()
			io.WriteString(half, head[:len(head)/2])
			io.WriteString(unfinished, body.head(len(body.Body)+1)+body.Body)
			s.await(how, count{"signal_connections", 3})
			for _, c := range []*conn{silent, half, unfinished} {
				leave(c)
			}
		},
	)},
	{name: "a client that leaves while it is served costs nothing", run: each(
		func(r *rig, s *served, how string, leave func(*conn)) {
			w := s.opened()
			release := s.store.hold()
			c := s.dial().send(r.h.Asks(w))
			s.awaitAsking(how, 1)
			leave(c)
			release()
		},
	)},
	{name: "a client that leaves after its answer costs nothing", run: each(
		func(r *rig, s *served, how string, leave func(*conn)) {
			c := s.dial().send(r.h.Asks(s.opened()))
			r.want("before", c.answer("before"), r.h.Nothing)
			leave(c)
		},
	)},
	{name: "a client that leaves a wait that has just begun takes nothing", needs: waits, run: each(
		func(r *rig, s *served, how string, leave func(*conn)) {
			w := s.opened()
			touched := s.store.touched.Load()
			c := s.dial().send(r.h.Waits.Ask(w))
			s.awaitAsleep(how, 1, touched)
			leave(c)
			s.wantLeftFor(how, w, 0)
		},
	)},
	{name: "a client that leaves a wait that is parked takes nothing", needs: waits, run: each(
		func(r *rig, s *served, how string, leave func(*conn)) {
			w := s.opened()
			c := s.dial().send(r.h.Waits.Ask(w))
			s.await(how, count{"signal_waits", 1})
			leave(c)
			s.wantLeftFor(how, w, 0)
		},
	)},
	{name: "a client that has left before its take is looked at takes nothing", needs: waits, run: each(
		func(r *rig, s *served, how string, leave func(*conn)) {
			w, other := s.opened(), s.opened()
			r.want(how, s.do(how, r.h.Tells(w)), "")
			release := s.store.hold()
			c := s.dial().send(r.h.Asks(other)).send(r.h.Waits.Ask(w))
			s.awaitAsking(how, 1) // the one before it
			leave(c)
			release()
			s.await(how, count{"signal_connections", 0})
			s.wantTold(how+", the next client", s.do(how, r.h.Waits.Ask(w)), w)
		},
	)},
	{name: "a client that leaves a wait that has just begun is let go", needs: waits, run: each(
		func(r *rig, s *served, how string, leave func(*conn)) {
			touched := s.store.touched.Load()
			c := s.dial().send(r.h.Waits.Ask(s.opened()))
			s.awaitAsleep(how, 1, touched)
			s.wantLetGo(how, c, leave)
		},
	)},
	{name: "a client that leaves a wait that is parked is let go", needs: waits, run: each(
		func(r *rig, s *served, how string, leave func(*conn)) {
			c := s.dial().send(r.h.Waits.Ask(s.opened()))
			s.await(how, count{"signal_waits", 1})
			s.wantLetGo(how, c, leave)
		},
	)},
	{name: "of two that wait the last to begin is told", needs: waits, run: func(r *rig) {
		s := r.serve()
		for range 5 {
			w := s.opened()
			first := s.dial().send(r.h.Waits.Ask(w))
			s.await("the first", count{"signal_waits", 1})
			last := s.dial().send(r.h.Waits.Ask(w))
			s.await("both", count{"signal_waits", 2})
			r.want("news", s.do("news", r.h.Tells(w)), "")
			s.wantTold("the last", last.answer("the last"), w)
			first.Close()
			s.await("none", count{"signal_waits", 0})
		}
	}},
	{name: "a client that leaves a wait leaves others waiting", needs: waits, run: each(
		func(r *rig, s *served, how string, leave func(*conn)) {
			w, other := s.opened(), s.opened()
			c, stays := s.dial().send(r.h.Waits.Ask(w)), s.dial().send(r.h.Waits.Ask(other))
			s.await(how, count{"signal_waits", 2})
			leave(c)
			s.wantLeftFor(how, w, 1)
			r.want(how, s.do(how, r.h.Tells(other)), "")
			s.wantTold(how+", another client", stays.answer(how), other)
			stays.Close()
		},
	)},
	{name: "a client that leaves after its wait costs nothing", needs: waits, run: each(
		func(r *rig, s *served, how string, leave func(*conn)) {
			w := s.opened()
			c := s.dial().send(r.h.Waits.Ask(w))
			s.await(how, count{"signal_waits", 1})
			r.want(how, s.do(how, r.h.Tells(w)), "")
			s.wantTold(how, c.answer(how), w)
			leave(c)
		},
	)},
	{name: "a client that leaves a stream costs nothing", needs: streams, run: each(
		func(r *rig, s *served, how string, leave func(*conn)) {
			w := s.opened()
			c := s.dial().stream(how, r.h.Streams.Ask(w))
			s.await(how, count{"signal_streams", 1})
			left := time.Now()
			leave(c.conn)
			s.wantFree(how)
			s.wantNoticed(how, left)
		},
	)},
}

// noticed bounds how long it may take until a client that has left counts for nothing. It takes milliseconds. The bound is far more than a busy machine
// adds, and less than whatever else would tell of it: a wait lasts 20 s or longer, and what keeps a stream open is said after 15 s.
const noticed = 10 * time.Second

func (s *served) wantNoticed(how string, left time.Time) {
	s.rig.Helper()
	if took := time.Since(left); took > noticed {
		s.rig.Errorf("%s: got it noticed after %v, want it at once", how, took)
	}
}

// wantLetGo lets the only client that waits leave: it counts for nothing soon, although nothing happens. One that has shut down only its sending
// side is told nothing, or what is true: what it waits for is not there.
func (s *served) wantLetGo(how string, c *conn, leave func(*conn)) {
	s.rig.Helper()
	left := time.Now()
	leave(c)
	s.wantFree(how)
	s.wantNoticed(how, left)
	a, err := c.try()
	if err != nil {
		return
	}
	s.rig.want(how, a, s.rig.h.Nothing)
	if !a.Last {
		s.rig.Errorf("%s: got no Connection: close, want it", how)
	}
	c.wantEnd(how)
}

// wantLeftFor has somebody write the payload, once the only client that waited for it has left: the wait ends, and the payload is there
// for the next client. So many others still wait.
func (s *served) wantLeftFor(how string, w Who, others int) {
	s.rig.Helper()
	s.rig.want(how, s.do(how, s.rig.h.Tells(w)), "")
	s.awaitHung(how, others)
	s.wantTold(how+", the next client", s.do(how, s.rig.h.Waits.Ask(w)), w)
}
