package metrics

import (
	"fmt"
	"log/slog"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"signal-server/cache"
)

// scrapes is how many scrapes are answered at once. One Prometheus asks once at a time, and two of them are common.
const scrapes = 4

// Handler returns a handler that answers scrapes with the metrics of the sources, the Go runtime and the process. It panics if two
// sources have a metric of the same name, or if Prometheus does not take one: that is a bug.
func Handler(log *slog.Logger, sources ...Source) http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	for _, source := range sources {
		registry.MustRegister(newCollector(source))
	}
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{
		ErrorLog:            slog.NewLogLogger(log.Handler(), slog.LevelError),
		MaxRequestsInFlight: scrapes,
	})
}

// collector makes a Source a prometheus.Collector.
type collector struct {
	source Source
	descs  map[*Metric]*prometheus.Desc
}

func newCollector(source Source) *collector {
	c := &collector{source: source, descs: make(map[*Metric]*prometheus.Desc)}
	for _, m := range source.Metrics() {
		c.descs[m] = prometheus.NewDesc(m.Name, m.Help, m.Labels, nil)
	}
	return c
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(descs chan<- *prometheus.Desc) {
	for _, d := range c.descs {
		descs <- d
	}
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(metrics chan<- prometheus.Metric) { c.source.Report(sink{c, metrics}) }

// sink is one scrape.
type sink struct {
	*collector
	metrics chan<- prometheus.Metric
}

func (s sink) desc(m *Metric) *prometheus.Desc {
	d := s.descs[m]
	if d == nil {
		panic(fmt.Sprintf("BUG: a source tells of %s, which it did not name before", m.Name))
	}
	return d
}

// Value implements Sink.
func (s sink) Value(m *Metric, value float64, labels ...string) {
	if value == cache.Unknown {
		return
	}
	kind := prometheus.GaugeValue
	if m.Kind == Counter {
		kind = prometheus.CounterValue
	}
	s.metrics <- prometheus.MustNewConstMetric(s.desc(m), kind, value, labels...)
}

// Durations implements Sink.
func (s sink) Durations(m *Metric, d cache.Distribution, labels ...string) {
	if !d.Known {
		return
	}
	buckets := make(map[float64]uint64)
	upTo := uint64(0)
	for i, bound := range cache.DurationBounds {
		upTo += d.Counts[i]
		if bound >= m.From && bound <= m.To {
			buckets[bound.Seconds()] = upTo
		}
	}
	s.metrics <- prometheus.MustNewConstHistogram(s.desc(m), d.Count(), d.Sum.Seconds(), buckets, labels...)
}
