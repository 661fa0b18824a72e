package wiretest

import (
	"io"
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
			s.wantLeftFor(how, w)
		},
	)},
	{name: "a client that leaves a wait that is parked takes nothing", needs: waits, run: each(
		func(r *rig, s *served, how string, leave func(*conn)) {
			w := s.opened()
			c := s.dial().send(r.h.Waits.Ask(w))
			s.await(how, count{"signal_waits", 1})
			leave(c)
			s.wantLeftFor(how, w)
		},
	)},
	{name: "a client that leaves a wait leaves others waiting", needs: waits, run: each(
		func(r *rig, s *served, how string, leave func(*conn)) {
			w, other := s.opened(), s.opened()
			c, stays := s.dial().send(r.h.Waits.Ask(w)), s.dial().send(r.h.Waits.Ask(other))
			s.await(how, count{"signal_waits", 2})
			leave(c)
			s.wantLeftFor(how, w)
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
			leave(c.conn)
			r.want(how, s.do(how, r.h.Tells(w)), "") // by then at the latest the server notices
		},
	)},
}

// wantLeftFor has somebody write the payload, once the only client that waited for it has left: the wait ends, and the payload is there
// for the next client.
func (s *served) wantLeftFor(how string, w Who) {
	s.rig.Helper()
	hung := int(s.store.hung.Load())
	s.rig.want(how, s.do(how, s.rig.h.Tells(w)), "")
	s.awaitHung(how, hung-1)
	s.wantTold(how+", the next client", s.do(how, s.rig.h.Waits.Ask(w)), w)
}
