package watch

import (
	"math/rand/v2"
	"net/netip"
	"time"

	"signal-server/app/watch/accesslog"
	"signal-server/app/watch/metrics"
	"signal-server/cache"
)

// Passage is a request on its way through the server: what is counted and logged of it at its end. Begin begins one, and Settle ends it,
// once, when it has been answered. It may be copied, if only one of the copies is settled.
type Passage struct {
	route metrics.Route
	timed bool             // it is one of those whose time counts
	shard uint8            // of the counters
	began time.Duration    // on the server's clock; 0: nobody wants to know
	entry *accesslog.Entry // nil: it is not logged
}

// Begin begins a request of the route, over the connection of that number. It reports whether the request is logged; if lines name clients,
// the caller then calls Client. Only a part is timed: two looks at the clock are 80 ns, a tenth of what an empty poll costs above fasthttp.
//
// hot: every request.
func (w *Watch) Begin(p *Passage, route metrics.Route, conn uint64) (logged bool) {
	*p = Passage{route: route, shard: uint8(conn)}
	p.timed = rand.Uint32N(metrics.TimedShare) == 0 // #nosec G404 -- a sample, at random because clients have a rhythm
	if w.access.Picks() {
		p.entry = new(accesslog.Entry)
	}
	if p.timed || p.entry != nil {
		p.began = w.Now()
	}
	return p.entry != nil
}

// NamesClients reports whether lines about requests name the client.
func (w *Watch) NamesClients() bool { return w.access.Clients() }

// Client says who asked, of a request that is logged.
func (p *Passage) Client(client netip.Addr) { p.entry.Client = client }

// Received says how much was read of the request's body, in bytes.
func (p *Passage) Received(n int) {
	if p.entry != nil {
		p.entry.Received = n
	}
}

// Timed reports whether the request is one of those whose time counts.
func (p *Passage) Timed() bool { return p.timed }

// Took counts how long a timed request took. It must have been answered without waiting for anything.
func (w *Watch) Took(p *Passage) { w.Requests.Took(p.route, w.Now()-p.began) }

// Untimed forgets when the request began. It is for a request whose Passage began only after its answer.
func (p *Passage) Untimed() { p.began = 0 }

// Settle counts a request that came to this end, and logs it if the log has picked it. The key is "" if the request named none or was
// not let in. sent is the length of the answer's body.
//
// hot: every request.
func (w *Watch) Settle(p *Passage, key cache.Key, end metrics.Ending, sent int) {
	w.Requests.Count(p.shard, p.route, end)
	if p.entry != nil {
		w.logAccess(p, key, end, sent)
	}
}

func (w *Watch) logAccess(p *Passage, key cache.Key, end metrics.Ending, sent int) {
	e := p.entry
	e.Route, e.Status, e.Msg = w.Requests.Label(p.route, end)
	e.Of(w.access, key)
	e.Sent = sent
	if p.began > 0 {
		e.Took = w.Now() - p.began
	}
	w.access.Write(e)
}
