package main

import (
	"context"
	"fmt"
	"time"
)

// redisHandoff measures how long after a POST to one node the GET that waits at another has its answer.
func redisHandoff(ctx context.Context, b *bench) error {
	const wait = 100 * time.Millisecond
	var typical, slow [2]series // hand-offs, plain POSTs
	err := b.turns(ctx, 1, func(int) error {
		times, err := crossings(ctx, b, wait)
		for i := range times {
			typical[i], slow[i] = append(typical[i], times[i].median()), append(slow[i], times[i].quantile(0.99))
		}
		return err
	})
	if err != nil {
		return err
	}
	t := table{
		title: "Hand-off across nodes",
		text: fmt.Sprintf("From the sending of a POST to one node until the GET that has waited at another node for %v has its answer, both over one "+
			"Redis; against the round trip of a POST to the same node that nobody waits for. One after the other, in turns.", wait),
		columns: []string{"", "p50, µs", "p99, µs", "p50 ÷ plain POST", "p99 ÷ plain POST"},
	}
	t.add("hand-off", typical[0].span(1), slow[0].span(1), typical[0].over(typical[1]).span(2), slow[0].over(slow[1]).span(2))
	t.add("plain POST", typical[1].span(1), slow[1].span(1), "", "")
	b.report.add(t)
	b.report.bar("hand-off across nodes, p50 ÷ plain POST", typical[0].over(typical[1]), 2, 2, 0)
	return nil
}

// crossings returns the times of hand-offs, and of plain POSTs, in µs.
func crossings(ctx context.Context, b *bench, wait time.Duration) (times [2]series, err error) {
	s, err := b.startSite(ctx, 2)
	defer s.stop()
	if err != nil {
		return times, err
	}
	readers, err := b.dialLines(s.nodes[0], atOnce)
	if err != nil {
		return times, err
	}
	defer hangUp(readers)
	writers, err := b.dialLines(s.nodes[1], 1)
	if err != nil {
		return times, err
	}
	defer hangUp(writers)
	for warm := false; len(times[0]) < b.size.handoffs/2; warm = true {
		if err := ctx.Err(); err != nil {
			return times, err
		}
		news, posts, err := handOff(writers[0], readers, wait, 0)
		if err != nil {
			return times, err
		}
		if warm {
			times[0], times[1] = append(times[0], news...), append(times[1], posts...)
		}
	}
	return times, nil
}
