package metrics

import (
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"signal-server/cache"
	"signal-server/custerrors"
)

const (
	maxRoutes  = 64
	maxEndings = 64

	// shards is how many copies of the counters there are. Two connections seldom share one, so cores seldom wait for each other. A
	// shard is 32 KiB, of which a server touches a tenth.
	shards = 8
)

// Route is a route by its number.
type Route uint8

// Ending is how a request ended: with which msg or, if it was not for the API, with which status.
type Ending uint8

// OK says that the request produced what was asked for, Gone that the client left before it was answered. The other Endings come from
// Requests.
const (
	OK Ending = iota
	Gone
)

// goneStatus is the status of Gone, as nginx logs it. No client gets it.
const goneStatus = 499

// pageStatuses are the statuses of answers that are not of the API.
var pageStatuses = [...]int{204, 302, 304}

// Requests counts requests. NewRequests makes one. All calls of Route come next, and then the others, which may be concurrent. None of
// these allocates or blocks.
type Requests struct {
	// set at the start
	routes  []string
	endings []labels
	errors  []custerrors.Error // of each ending, "" where it has none
	mix     int                // see place
	places  [places]Ending

	// atomic
	counts  [shards][maxRoutes][maxEndings]atomic.Uint64
	seconds [maxRoutes]cache.Durations
}

// labels are the labels of one Ending.
type labels struct{ status, msg string }

// NewRequests returns a Requests that knows all of custerrors, and no route.
func NewRequests() *Requests {
	r := new(Requests)
	add := func(e custerrors.Error, status int, msg string) {
		r.endings = append(r.endings, labels{strconv.Itoa(status), msg})
		r.errors = append(r.errors, e)
	}
	add("", 200, "ok")
	add("", goneStatus, "gone")
	for _, e := range custerrors.All() {
		add(e, e.Status(), e.Name())
	}
	for _, status := range pageStatuses {
		add("", status, "ok")
	}
	if len(r.endings) > maxEndings {
		panic("BUG: there are more endings than maxEndings")
	}
	for !r.settleIn() {
		if r.mix++; r.mix == maxMix {
			panic("BUG: some msgs cannot be told apart by length, begin, middle and end: take more of them into place")
		}
	}
	return r
}

const (
	places = 1024 // far more than msgs, so that settleIn soon finds a way to keep them apart
	maxMix = 1 << 16
)

// place returns where in places the Ending of the msg stands. A map would hash all of the text, which takes 16 ns more.
func (r *Requests) place(e custerrors.Error) int {
	n := len(e)
	return (((n*31+int(e[0]))*31+int(e[n/2]))*31 + int(e[n-1])) * (2*r.mix + 1) >> 3 & (places - 1)
}

// settleIn puts each msg into its place, and reports whether no two have the same place.
func (r *Requests) settleIn() bool {
	r.places = [places]Ending{}
	for end, e := range r.errors {
		if e == "" {
			continue
		}
		if r.places[r.place(e)] != OK {
			return false
		}
		r.places[r.place(e)] = Ending(end)
	}
	return true
}

// Route returns the number of the route of that name. The name is its label.
func (r *Requests) Route(name string) Route {
	for i, known := range r.routes {
		if known == name {
			return Route(i)
		}
	}
	if len(r.routes) == maxRoutes {
		panic("BUG: there are more routes than maxRoutes, with " + name)
	}
	r.routes = append(r.routes, name)
	return Route(len(r.routes) - 1)
}

// Of returns the Ending of a request that was answered with this msg, "" for success. A msg that custerrors does not have counts as
// InternalError: it is a bug.
//
// hot: every request.
func (r *Requests) Of(msg custerrors.Error) Ending {
	if msg == "" {
		return OK
	}
	if end := r.places[r.place(msg)]; r.errors[end] == msg {
		return end
	}
	return r.places[r.place(custerrors.InternalError)]
}

// OfStatus returns the Ending of a request outside the API that was answered with this status.
func (r *Requests) OfStatus(status int) Ending {
	for i, s := range pageStatuses {
		if s == status {
			return Ending(len(r.endings) - len(pageStatuses) + i)
		}
	}
	return OK
}

// Label returns the route's name, and the status and msg of the Ending, as they stand in metrics.
func (r *Requests) Label(route Route, end Ending) (name, status, msg string) {
	return r.routes[route], r.endings[end].status, r.endings[end].msg
}

// Count counts a request. A connection should give the same shard, any number, each time, and different connections different ones.
//
// hot: every request.
func (r *Requests) Count(shard uint8, route Route, end Ending) {
	r.counts[shard%shards][route%maxRoutes][end%maxEndings].Add(1)
}

// Took counts how long a request without ?wait took.
func (r *Requests) Took(route Route, t time.Duration) { r.seconds[route%maxRoutes].Observe(t) }

// EndedWith returns how many requests, of all routes but one, were answered with this msg. It is for metrics: it looks at all counters.
func (r *Requests) EndedWith(msg custerrors.Error, but Route) int64 {
	end, n := r.Of(msg), uint64(0)
	for route := range r.routes {
		if Route(route) != but {
			n += r.count(route, int(end))
		}
	}
	return int64(n)
}

func (r *Requests) count(route, end int) (n uint64) {
	for shard := range r.counts {
		n += r.counts[shard][route][end].Load()
	}
	return n
}

// TimedShare says how many requests the caller times: one in so many.
const TimedShare = 16

var (
	requestsTotal = &Metric{
		Name: "signal_requests_total", Kind: Counter, Labels: []string{"route", "status", "msg"},
		Help: "Requests that came to their end, by route, status and the name of the msg (ok: done; gone, with status 499: the client had left " +
			"before there was an answer). What has not happened yet is not listed, but ok and InternalError of each route.",
	}
	requestSeconds = &Metric{
		Name: "signal_request_seconds", Kind: Histogram, Labels: []string{"route"}, From: 10 * time.Microsecond, To: 3 * time.Second,
		Help: fmt.Sprintf("Time from a request's arrival until its answer is handed on to be sent, of those without ?wait. One in %d, picked "+
			"at random, is timed: the count is of those.", TimedShare),
	}
)

// Metrics implements Source.
func (r *Requests) Metrics() []*Metric { return []*Metric{requestsTotal, requestSeconds} }

// Report implements Source.
func (r *Requests) Report(to Sink) {
	bug := r.Of(custerrors.InternalError)
	for route := range r.routes {
		for end := range r.endings {
			n := r.count(route, end)
			if n > 0 || Ending(end) == OK || Ending(end) == bug { // so that the first bug is an increase
				name, status, msg := r.Label(Route(route), Ending(end))
				to.Value(requestsTotal, float64(n), name, status, msg)
			}
		}
		if d := r.seconds[route].Distribution(); d.Count() > 0 {
			to.Durations(requestSeconds, d, r.routes[route])
		}
	}
}
