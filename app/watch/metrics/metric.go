// Package metrics counts what a server does, and tells it to Prometheus. It is the only package that knows Prometheus. It does not know
// what a request or a session is: the parts of the server that do are its Sources.
//
//	requests ──Requests.Count──▶ shards of counters ─┐
//	store, limits, connections: their own counters ──┴─Source.Report──▶ Sink ──▶ /metrics
//
// What every request counts is counted here, in fixed arrays of atomic numbers: a counter of Prometheus has to be looked up by its
// labels, and all cores share it. The numbers become metrics of Prometheus only when somebody asks for them.
//
// No label's value comes from a request. Each value is from a list that is fixed when the server starts.
package metrics

import (
	"time"

	"signal-server/cache"
)

// Kind is what a metric's numbers are.
type Kind uint8

// The kinds.
const (
	Counter   Kind = iota // goes up only
	Gauge                 // goes up and down
	Histogram             // durations
)

// String returns the kind's name, as in the text that Prometheus reads.
func (k Kind) String() string { return [...]string{"counter", "gauge", "histogram"}[k] }

// Metric is one metric: what it is called and what it says. It does not change once a Source has told of it.
type Metric struct {
	Name   string // signal_…, in base units, a counter with _total
	Help   string // one sentence, and what an operator has to know beside it
	Kind   Kind
	Labels []string // names; a Sink gets a value for each, in this order

	// From and To are the first and the last of cache.DurationBounds that a Histogram shows.
	From, To time.Duration
}

// Source is a part of the server that has numbers.
type Source interface {
	// Metrics returns all that Report may tell of. It is called once.
	Metrics() []*Metric
	// Report tells the numbers as they are now. Each scrape calls it, several at once if need be. It may wait for a lock, and for
	// nothing else.
	Report(to Sink)
}

// Sink takes numbers.
type Sink interface {
	// Value tells the number of a Counter or Gauge, once for each combination of labels. It leaves out cache.Unknown.
	Value(m *Metric, value float64, labels ...string)
	// Durations tells a Histogram, once for each combination of labels. It leaves out a Distribution that is not Known.
	Durations(m *Metric, d cache.Distribution, labels ...string)
}
