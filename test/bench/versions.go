package main

import (
	"context"
	"fmt"
)

// measureVersions measures this server and the one of another checkout in turns, so that both meet the same machine. It knows both by their
// wire only, so their sources may be laid out differently.
func measureVersions(ctx context.Context, b *bench) error {
	candidates := [...]candidate{built("this version", b.server), built("the other version", b.other)}
	t := table{
		title: "This version beside the other",
		text: fmt.Sprintf("CPU time of the server's process, user and system, per request or handshake, and how many a second the load got, over %d "+
			"connections. The ratio is this version ÷ the other, taken within each of %d rounds.", atOnce, b.size.rounds),
		columns: []string{"", "this, µs", "the other, µs", "ratio", "this, per second", "the other, per second"},
	}
	measure := func(name string, place int, one func(candidate) (expense, error)) error {
		b.progress.rowBegins(name, place, len(kinds)+len(versionFlows)+1)
		var cpu, rate [len(candidates)]series
		err := b.turns(ctx, len(candidates), func(c int) error {
			e, err := one(candidates[c])
			if err != nil {
				return fmt.Errorf("%s: %s: %w", name, candidates[c].name, err)
			}
			cpu[c], rate[c] = append(cpu[c], e.micros()), append(rate[c], e.perSecond())
			return nil
		})
		t.add(name, cpu[0].span(2), cpu[1].span(2), cpu[0].over(cpu[1]).span(3), rate[0].span(0), rate[1].span(0))
		return err
	}
	for i := range kinds {
		k := &kinds[i]
		err := measure(k.name, i+1, func(c candidate) (expense, error) { return measureKind(ctx, b, k, c, nil) })
		if err != nil {
			return err
		}
	}
	for i, f := range versionFlows {
		err := measure("handshake by messages, "+f.how, len(kinds)+i+1, func(c candidate) (expense, error) {
			f.server = c
			return measureFlow(ctx, b, &f)
		})
		if err != nil {
			return err
		}
	}
	b.report.add(t)
	return atStart(ctx, b, candidates[:])
}

// atStart measures what both versions take before anybody has come: what is new in one and turned off must not show.
func atStart(ctx context.Context, b *bench, candidates []candidate) error {
	mib := make([]series, len(candidates))
	b.progress.rowBegins("memory at start", len(kinds)+len(versionFlows)+1, len(kinds)+len(versionFlows)+1)
	err := b.turnsOf(ctx, b.few(), len(candidates), func(i int) error {
		p, err := b.start(ctx, candidates[i])
		if err != nil {
			return err
		}
		defer p.stop()
		if err := p.settle(ctx); err != nil {
			return err
		}
		rss, err := p.rss()
		mib[i] = append(mib[i], float64(rss)/(1<<20))
		return err
	})
	if err != nil {
		return err
	}
	t := table{
		title:   "Memory at start",
		text:    "RSS of a process that nobody has asked anything yet, with default settings.",
		columns: []string{"", "MiB"},
	}
	for i, c := range candidates {
		t.add(c.name, mib[i].span(2))
	}
	t.add("this ÷ the other", mib[0].over(mib[1]).span(3))
	b.report.add(t)
	return nil
}

var versionFlows = []flow{
	{name: "messages", how: oneConnection, sides: [2]side{offerMessages, answerMessages}},
	{name: "messages", how: newConnection, sides: [2]side{offerMessages, answerMessages}, anew: true},
}
