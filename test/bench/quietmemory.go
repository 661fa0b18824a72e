package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"time"
)

// quietLook says how the RSS of quiet connections is read.
const quietLook = "RSS of the server's process with so many connections, less its RSS before them, when a few hundred have come and gone, by connection. It is read as it stands, when the server " +
	"has nothing to do: nobody has forced a collection of garbage. *Collected* is the same after %d forced collections, when it falls " +
	"no more, less the RSS after as many before them. What the kernel holds for a socket is not in it."

// howQuietIsRead is quietLook with its number.
func howQuietIsRead() string { return fmt.Sprintf(quietLook, collections) }

// warmUp is how many connections come and go before memory is read the first time: what a process touches once, such as the program's own pages,
// is no connection's.
const warmUp = 256

// quietFigure is the memory of a quiet connection over the rounds, in KiB.
type quietFigure struct {
	at        []series // with each number of connections, as it stands
	collected []series // … after forced collections; empty for a server that cannot be told to
	slope     series   // between the first and the last number
}

// crowdMemory adds to the figure what the connections of a crowd take that comes to the candidate, at each of the numbers, the least first. pause, if not 0, is
// how long after the last has come the memory is read; otherwise it is read when the server has settled.
func crowdMemory(ctx context.Context, b *bench, c candidate, f *quietFigure, all *crowd, does first, numbers []int, pause time.Duration) error {
	p, err := b.start(ctx, c)
	if err != nil {
		return err
	}
	defer p.stop()
	warm := crowd{b: b, p: p, security: all.security}
	err = warm.come(warmUp, does)
	warm.hangUp()
	if err == nil {
		err = p.settle(ctx)
	}
	if err != nil {
		return err
	}
	before, err := p.rss()
	if err != nil {
		return err
	}
	cleaned, err := p.collectedRSS(ctx)
	if err != nil {
		return err
	}
	f.at, f.collected = grow(f.at, len(numbers)), grow(f.collected, len(numbers))
	all.b, all.p = b, p
	defer all.hangUp()
	var held []float64
	for i, n := range numbers {
		if err := all.come(n-len(all.guests), does); err != nil {
			return err
		}
		if pause == 0 {
			err = p.settle(ctx)
		} else {
			err = sleep(ctx, pause)
		}
		if err != nil {
			return err
		}
		now, err := p.rss()
		if err != nil {
			return err
		}
		held = append(held, float64(now-before)/1024)
		f.at[i] = append(f.at[i], held[i]/float64(n))
		if now, err = p.collectedRSS(ctx); err != nil {
			return err
		}
		if p.admin != "" {
			f.collected[i] = append(f.collected[i], float64(now-cleaned)/1024/float64(n))
		}
		if err := all.check(); err != nil {
			return err
		}
	}
	if last := len(numbers) - 1; last > 0 {
		f.slope = append(f.slope, (held[last]-held[0])/float64(numbers[last]-numbers[0]))
	}
	return nil
}

// collectedRSS returns the process's RSS after forced collections, or 0 if it cannot be told to collect.
func (p *process) collectedRSS(ctx context.Context) (int64, error) {
	if p.admin == "" {
		return 0, nil
	}
	if err := p.collect(ctx); err != nil {
		return 0, err
	}
	return p.rss()
}

func grow(s []series, n int) []series {
	for len(s) < n {
		s = append(s, nil)
	}
	return s
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// fewQuiet is the smaller number of quiet connections.
func (b *bench) fewQuiet() int { return max(b.size.quiet/4, 1) }

// waitingMemory measures the memory of a connection whose request waits, with few and with many of them.
func waitingMemory(ctx context.Context, b *bench) error {
	server, err := administered(b.signalServer(waitLong))
	if err != nil {
		return err
	}
	candidates := []candidate{server, ours("bare fasthttp", "fasthttp"), ours("net/http", "nethttp")}
	numbers := []int{b.fewQuiet(), b.size.quiet}
	figures := make([]quietFigure, len(candidates))
	err = b.turnsOf(ctx, b.few(), len(candidates), func(i int) error {
		return crowdMemory(ctx, b, candidates[i], &figures[i], &crowd{}, (*crowd).waits, numbers, 0)
	})
	if err != nil {
		return fmt.Errorf("memory of waiting connections: %w", err)
	}
	t := table{
		title: "Memory of a waiting connection",
		text: "Each has a request that waits for a session to be opened; the others' handlers wait in a select for a channel and a timer. " +
			howQuietIsRead() + " The slope is what each connection between the two numbers takes.",
		columns: []string{
			"server", fmt.Sprintf("KiB, %d", numbers[0]), fmt.Sprintf("KiB, %d", numbers[1]), "slope",
			fmt.Sprintf("collected, %d", numbers[0]), fmt.Sprintf("collected, %d", numbers[1]),
		},
	}
	chart := chart{title: "Memory per waiting connection, KiB", decimals: 1}
	for i, c := range candidates {
		f := &figures[i]
		t.add(c.name, f.at[0].span(2), f.at[1].span(2), f.slope.span(2), f.collected[0].span(2), f.collected[1].span(2))
		chart.add(c.name, f.at[1], i == 0)
	}
	b.report.add(t)
	b.report.draw(chart)
	for i, n := range numbers {
		b.report.bar(fmt.Sprintf("RSS per waiting connection at %d, KiB", n), figures[0].at[i], 2, 4, 3.3)
	}
	b.report.bar(fmt.Sprintf("RSS per waiting connection, slope from %d to %d, KiB", numbers[0], numbers[1]), figures[0].slope, 2, 4, 3.3)
	return nil
}

// quietRow is a row of the table of quietTable: n connections of a kind. pause is as crowdMemory has it.
type quietRow struct {
	name       string
	n          int
	first      first
	pause      time.Duration
	limit, aim float64
	collected  bool // the bar is for the memory after forced collections
}

// idleMemory measures the memory of connections that are kept after a request, and of event streams.
func idleMemory(ctx context.Context, b *bench) error {
	t := table{
		title: "Memory of an idle connection",
		text: "An idle one has had one request answered; its memory is read a second after the last of all answers. On an event stream nothing came " +
			"but its head. " + howQuietIsRead(),
	}
	return quietTable(ctx, b, &t, nil, nil, []quietRow{
		{"idle connection", b.size.quiet, (*crowd).asksOnce, time.Second, 2, 1.3, false},
		{"event stream", b.size.quiet, (*crowd).streams, 0, 4, 3.3, false},
	})
}

// secureMemory measures the memory of connections with TLS.
func secureMemory(ctx context.Context, b *bench) error {
	env, security, err := b.certificate()
	if err != nil {
		return err
	}
	t := table{title: "Memory of a connection with TLS", text: "As without, with TLS 1.3. " + howQuietIsRead() + " Most of the difference is what handshakes have left behind; Go collects it within two minutes, " +
		"so the bars are for what remains."}
	return quietTable(ctx, b, &t, env, security, []quietRow{
		{"idle TLS connection", b.fewQuiet(), (*crowd).asksOnce, time.Second, 10, 6, true},
		{"waiting TLS connection", b.fewQuiet(), (*crowd).waits, 0, 12, 6, true},
	})
}

// quietTable measures the rows of the table, in turns, with a server that has these variables.
func quietTable(ctx context.Context, b *bench, t *table, env []string, security *tls.Config, rows []quietRow) error {
	figures := make([]quietFigure, len(rows))
	err := b.turnsOf(ctx, b.few(), len(rows), func(i int) error {
		r := &rows[i]
		server, err := administered(b.signalServer(append(env[:len(env):len(env)], waitLong)...))
		if err != nil {
			return err
		}
		if err := crowdMemory(ctx, b, server, &figures[i], &crowd{security: security}, r.first, []int{r.n}, r.pause); err != nil {
			return fmt.Errorf("%s: %w", r.name, err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	t.columns = []string{"", "connections", "KiB", "collected"}
	for i, r := range rows {
		f := &figures[i]
		t.add(r.name, fmt.Sprint(r.n), f.at[0].span(2), f.collected[0].span(2))
		if r.collected {
			b.report.bar(fmt.Sprintf("RSS per %s at %d, collected, KiB", r.name, r.n), f.collected[0], 2, r.limit, r.aim)
		} else {
			b.report.bar(fmt.Sprintf("RSS per %s at %d, KiB", r.name, r.n), f.at[0], 2, r.limit, r.aim)
		}
	}
	b.report.add(*t)
	return nil
}
