package main

import (
	"bufio"
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// collector measures the garbage collector's part of the server's CPU time: handshakes by messages, while the sessions of
// many others live.
func collector(ctx context.Context, b *bench) error {
	p, err := b.start(ctx, b.signalServer("GODEBUG=gctrace=1"))
	if err != nil {
		return err
	}
	defer p.stop()
	others := b.size.sessions / 2
	if err := fill(b, p, others); err != nil {
		return err
	}
	said := len(p.log.String())
	var e expense
	flow := flowsOf(b)[0]
	pairs := &httpPairs{b: b, p: p, flow: &flow}
	if err := pairs.open(ctx); err != nil {
		return err
	}
	defer pairs.close()
	for e.units < 5*b.size.handshakes {
		keys := make([]string, perGo)
		for i := range keys {
			keys[i] = newKey()
		}
		err := e.spend(p, func() error {
			if err := makeAll(ctx, pairs, keys); err != nil {
				return err
			}
			return pairs.end(keys)
		})
		if err != nil {
			return err
		}
		e.units += len(keys)
	}
	runs, spent, err := collected(p.log.String()[said:])
	if err != nil {
		return err
	}
	t := table{
		title: "Garbage collection",
		text: fmt.Sprintf("Of the server's CPU time during %d handshakes by messages, their ends included, while %d other sessions "+
			"lived; by its own account (GODEBUG=gctrace=1).", e.units, others),
		columns: []string{"collections", "their CPU, ms", "the process's CPU, ms", "part"},
	}
	t.add(fmt.Sprint(runs), fmt.Sprintf("%.2f", spent.Seconds()*1e3), fmt.Sprintf("%.0f", e.cpu.Seconds()*1e3),
		fmt.Sprintf("%.2f %%", 100*spent.Seconds()/e.cpu.Seconds()))
	b.report.add(t)
	return nil
}

// A line of gctrace has the CPU times of a collection: stop, assist/dedicated/idle, stop. The idle one is left out, because it takes
// nothing from requests.
var collection = regexp.MustCompile(`([\d.]+)\+([\d.]+)/([\d.]+)/[\d.]+\+([\d.]+) ms cpu`)

// collected returns how many collections the trace has, and the CPU time that they took.
func collected(trace string) (runs int, spent time.Duration, err error) {
	for lines := bufio.NewScanner(strings.NewReader(trace)); lines.Scan(); {
		times := collection.FindStringSubmatch(lines.Text())
		if times == nil {
			continue
		}
		runs++
		for _, text := range times[1:] {
			ms, err := strconv.ParseFloat(text, 64)
			if err != nil {
				return 0, 0, fmt.Errorf("the trace of a collection: %w", err)
			}
			spent += time.Duration(ms * float64(time.Millisecond))
		}
	}
	return runs, spent, nil
}
