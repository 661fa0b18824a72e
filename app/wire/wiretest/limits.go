package wiretest

import (
	"slices"
	"time"

	"signal-server/app/apptest"
	"signal-server/app/gate/limit"
	"signal-server/app/link"
	"signal-server/custerrors"
)

// allowed is n: so many are let in, and one more is not.
const allowed = 2

// seldom is a rate of n, of which nothing comes back while a check runs.
var seldom = limit.Rate{Events: allowed, Per: time.Hour}

var limitChecks = []check{
	{name: "limit: requests of a client", run: func(r *rig) {
		s := r.serve(func(c *apptest.Config) { c.Clients.Requests = seldom })
		w := r.who()
		r.want("opening, the first", s.do("opening", r.h.Opens(w)), "")
		r.want("asking, the second", s.do("asking", r.h.Asks(w)), r.h.Nothing)
		for _, request := range r.h.all(w) {
			r.want(request.name+", one more", s.do(request.name, request.Request), custerrors.TooManyRequests)
		}
	}},
	{name: "limit: sessions that a client opens", run: openingCheck(func(c *apptest.Config) { c.Clients.Opens = seldom })},
	{name: "limit: wrong keys of a client", run: func(r *rig) {
		s := r.serve(func(c *apptest.Config) { c.Clients.WrongKeys = seldom })
		w := s.opened()
		for range allowed {
			r.want("a wrong key", s.do("a wrong key", r.h.Asks(r.who())), custerrors.KeyNotFound)
		}
		for _, request := range r.h.all(w) {
			r.want(request.name+", afterwards", s.do(request.name, request.Request), custerrors.TooManyRequests)
		}
	}},
	{name: "limit: keys that are taken", run: func(r *rig) {
		s := r.serve(func(c *apptest.Config) { c.Clients.WrongKeys, c.Proxies = seldom, loopback(r) })
		theirs, mine := r.who(), r.who()
		r.want("opening", s.do("opening", from("192.0.2.1", r.h.Opens(theirs))), "")
		r.want("opening once more, the answer being lost", s.do("again", from("192.0.2.1", r.h.Opens(theirs))), custerrors.SdpAlreadyExist)
		r.want("going on", s.do("going on", from("192.0.2.1", r.h.Asks(theirs))), r.h.Nothing)
		r.want("opening what another client has opened", s.do("opening", from("192.0.2.2", r.h.Opens(theirs))), custerrors.SdpAlreadyExist)
		r.want("afterwards", s.do("afterwards", from("192.0.2.2", r.h.Opens(mine))), custerrors.TooManyRequests)
		r.want("a third client", s.do("a third client", from("192.0.2.3", r.h.Opens(mine))), "")
	}},
	{name: "limit: sessions that nobody answers, where wrong keys are limited", run: openingCheck(func(c *apptest.Config) { c.Clients.WrongKeys = seldom })},
	{name: "limit: waits of a client", needs: holds, run: holdCheck(custerrors.TooManyRequests, func(c *apptest.Config) { c.Clients.Waits = allowed })},
	{name: "limit: waits of all", needs: holds, run: holdCheck(custerrors.ServerIsOverloaded, func(c *apptest.Config) { c.Gate.MaxWaits = allowed })},
	{name: "limit: connections", run: connectionCheck(custerrors.ServerIsOverloaded, func(c *link.Config) {
		c.MaxConnections, c.MaxClientConnections = allowed, link.Share{}
	})},
	{name: "limit: connections of a client", run: connectionCheck(custerrors.TooManyRequests, func(c *link.Config) {
		c.MaxClientConnections = link.Share{Number: allowed}
	})},
}

// loopback are the proxies that are believed where a check is several clients.
func loopback(r *rig) limit.Proxies {
	r.Helper()
	proxies, err := limit.ParseProxies([]string{"loopback"})
	if err != nil {
		r.Fatalf("ParseProxies: got %v, want proxies", err)
	}
	return proxies
}

// from returns the request as that client's.
func from(client string, request Request) Request {
	return with(request, "X-Forwarded-For", client)
}

// with returns the request with one header more.
func with(request Request, name, value string) Request {
	request.Header = append(slices.Clip(request.Header), [2]string{name, value})
	return request
}

// openingCheck checks that a client may open so many sessions, and that one more is refused, but nothing else.
func openingCheck(change func(*apptest.Config)) func(*rig) {
	return func(r *rig) {
		s := r.serve(change)
		var w Who
		for range allowed {
			w = s.opened()
		}
		r.want("one more", s.do("one more", r.h.Opens(r.who())), custerrors.TooManyRequests)
		r.want("what opens nothing", s.do("what opens nothing", r.h.Asks(w)), r.h.Nothing)
	}
}

// holdCheck checks that so many may wait or have a stream, and how one more is refused.
func holdCheck(msg custerrors.Error, change func(*apptest.Config)) func(*rig) {
	return func(r *rig) {
		s := r.serve(change)
		var hold []*conn
		waiting, streaming := 0, 0
		// another waits, or has a stream, in turn where there is both.
		another := func() Who {
			w := s.opened()
			if r.h.Streams == nil || r.h.Waits != nil && streaming > waiting {
				hold = append(hold, s.dial().send(r.h.Waits.Ask(w)))
				waiting++
			} else {
				hold = append(hold, s.dial().stream("a stream", r.h.Streams.Ask(w)).conn)
				streaming++
			}
			s.await("one that is let in", count{"signal_waits", waiting}, count{"signal_streams", streaming})
			return w
		}
		w := another()
		for range allowed - 1 {
			another()
		}
		if r.h.Waits != nil {
			r.want("one more that waits", s.do("one more that waits", r.h.Waits.Ask(s.opened())), msg)
		}
		if r.h.Streams != nil {
			r.want("one more stream", s.do("one more stream", r.h.Streams.Ask(s.opened())), msg)
		}
		r.want("what does not wait", s.do("what does not wait", r.h.Asks(s.opened())), r.h.Nothing)
		hold[0].Close()
		r.want("a word", s.do("a word", r.h.Tells(w)), "") // by then at the latest the server notices
		if r.h.Streams != nil {
			streaming--
		} else {
			waiting--
		}
		s.await("one has ended", count{"signal_waits", waiting}, count{"signal_streams", streaming})
		another()
	}
}

// connectionCheck opens as many connections as are allowed, and one more, which is refused with msg.
func connectionCheck(msg custerrors.Error, limit func(*link.Config)) func(*rig) {
	return func(r *rig) {
		s := r.serve(func(c *apptest.Config) { limit(&c.Link) })
		w := r.who()
		first, second := s.dial().send(r.h.Opens(w)), s.dial()
		r.want("the first", first.answer("the first"), "")
		r.want("the second", second.send(r.h.Asks(w)).answer("the second"), r.h.Nothing)
		// Whose wire it would be asked by, a connection does not tell: this is refused as the server does.
		r.wantForm("one more", s.do("one more", r.h.Asks(w)), Enveloped(msg))
		first.Close()
		s.await("one has ended", count{"signal_connections", 1})
		r.want("one that comes then", s.do("one that comes then", r.h.Asks(w)), r.h.Nothing)
	}
}
