package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"
)

// sample is what the server held at one time.
type sample struct {
	at          time.Duration // since the load began
	goroutines  float64
	connections float64 // that are open, by the server's own account
	descriptors float64
	resident    float64         // bytes
	cpu         time.Duration   // used so far
	took        []time.Duration // by the handshakes since the sample before
}

func (s sample) String() string {
	return fmt.Sprintf("%.0f goroutines, %.0f connections, %.0f descriptors, %.1f MB", s.goroutines, s.connections, s.descriptors, s.resident/1e6)
}

// counts is what the load counted.
type counts struct {
	handshakes, deaths, recoveries, probes int
	requests                               int

	vanished, freed int // clients beside it
}

// countsOf reads k6's summary.
func countsOf(path string) (c counts, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return c, err
	}
	var summary struct {
		Counters []struct {
			Metric string
			Count  int
		}
	}
	if err := json.Unmarshal(text, &summary); err != nil {
		return c, fmt.Errorf("%s: %w", path, err)
	}
	for _, counter := range summary.Counters {
		switch counter.Metric {
		case "handshakes":
			c.handshakes = counter.Count
		case "deaths":
			c.deaths = counter.Count
		case "recoveries":
			c.recoveries = counter.Count
		case "http_reqs":
			c.requests = counter.Count
		}
	}
	if c.handshakes == 0 || c.requests == 0 {
		return c, fmt.Errorf("%s: got %+v, want handshakes and requests", path, c)
	}
	return c, nil
}

// figure is something that must stay flat: in the last quarter it may be times as much as in the second, and slack on top.
type figure struct {
	name, unit string
	decimals   int
	of         func(part []sample) float64 // of some samples in a row
	times      float64
	slack      float64
	timed      bool // it is a time, which depends on what else runs on the machine: only a whole run is judged by it
}

var figures = []figure{
	{
		name: "goroutines", of: mean(func(s sample) float64 { return s.goroutines }),
		times: 1.1, slack: 5, // the tide of a quarter does not hold exactly as many waits as that of another
	},
	{
		name: "open connections", of: mean(func(s sample) float64 { return s.connections }),
		times: 1.1, slack: 5,
	},
	{
		name: "descriptors", of: mean(func(s sample) float64 { return s.descriptors }),
		times: 1.1, slack: 5,
	},
	{
		name: "resident memory", unit: "MB", decimals: 1, of: mean(func(s sample) float64 { return s.resident / 1e6 }),
		times: 1.1, slack: 4, // a few collections of garbage
	},
	{
		name: "CPU", unit: "ms/s", decimals: 1, of: cpuRate,
		times: 1.25, slack: 5, timed: true,
	},
	{
		name: "handshake, p50", unit: "ms", decimals: 2, of: handshakes(0.5),
		times: 1.25, slack: 0.5, timed: true,
	},
	{
		name: "handshake, p99", unit: "ms", decimals: 2, of: handshakes(0.99),
		times: 2, slack: 5, timed: true,
	},
}

func mean(of func(sample) float64) func([]sample) float64 {
	return func(part []sample) (sum float64) {
		for _, s := range part {
			sum += of(s)
		}
		return sum / float64(len(part))
	}
}

// cpuRate returns the CPU time in ms that a second took. It takes two samples to tell.
func cpuRate(part []sample) float64 {
	first, last := part[0], part[len(part)-1]
	return (last.cpu - first.cpu).Seconds() * 1e3 / (last.at - first.at).Seconds()
}

// handshakes returns the quantile of the handshakes' times in ms, or 0 where there were none.
func handshakes(q float64) func([]sample) float64 {
	return func(part []sample) float64 {
		var all []time.Duration
		for _, s := range part {
			all = append(all, s.took...)
		}
		if len(all) == 0 {
			return 0
		}
		slices.Sort(all)
		return all[int(q*float64(len(all)-1))].Seconds() * 1e3
	}
}

// quarter returns the samples of a quarter of the run: 1 to 4.
func quarter(samples []sample, n int) []sample {
	return samples[len(samples)*(n-1)/4 : len(samples)*n/4]
}

// result is what a run showed.
type result struct {
	rate, vanish  int
	lasted        time.Duration
	before, after sample
	samples       []sample
	load          counts
}

// verdict returns what was not flat.
func (r *result) verdict() error {
	var errs []error
	for _, f := range figures {
		second, last := f.of(quarter(r.samples, 2)), f.of(quarter(r.samples, 4))
		if limit := f.limit(second); last > limit && r.judges(f) {
			errs = append(errs, fmt.Errorf("%s: got %.*f %s in the last quarter, want %.*f at most, for it was %.*f in the second",
				f.name, f.decimals, last, f.unit, f.decimals, limit, f.decimals, second))
		}
	}
	return errors.Join(errs...)
}

func (f *figure) limit(second float64) float64 { return second*f.times + f.slack }

func (r *result) judges(f figure) bool { return !f.timed || r.lasted >= whole }
