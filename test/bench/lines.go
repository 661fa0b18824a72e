package main

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// atOnce is how many connections ask, or how many handshakes are made, at the same time.
const atOnce = 64

// line is a connection of the load with what it works on.
type line struct {
	*conn
	faults *faults
	keys   []string

	body, out, want []byte // scratch
}

// dialLines opens n lines to the process. hangUp must follow.
func (b *bench) dialLines(p *process, n int) (lines []*line, err error) {
	for range n {
		c, err := b.poller.dialHTTP(p.addr)
		if err != nil {
			hangUp(lines)
			return nil, err
		}
		lines = append(lines, &line{conn: c, faults: &b.faults})
	}
	return lines, nil
}

func hangUp(lines []*line) {
	for _, l := range lines {
		l.Close()
	}
}

// expect asks, and checks that the answer is want. A GET and a DELETE have no body.
func (l *line) expect(method, target, key string, body, want []byte) error {
	_, err := l.fetch(method, target, key, body, want)
	return err
}

// fetch is expect, and returns the answer, which is valid until the next one.
func (l *line) fetch(method, target, key string, body, want []byte) ([]byte, error) {
	l.out = appendRequest(l.out[:0], method, target, key, body)
	got, err := l.ask(l.out)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, target, err)
	}
	if !l.faults.check(got, want, key) {
		return nil, fmt.Errorf("%s %s: %w", method, target, l.faults.err())
	}
	return got, nil
}

// together works on all lines at once, waits for all, and returns one of the errors.
func together(lines []*line, work func(*line) error) error {
	return atTheSameTime(len(lines), func(i int) error { return work(lines[i]) })
}

func atTheSameTime(n int, work func(i int) error) error {
	failed := make(chan error, n)
	var group sync.WaitGroup
	for i := range n {
		group.Go(func() {
			if err := work(i); err != nil {
				failed <- err
			}
		})
	}
	group.Wait()
	select {
	case err := <-failed:
		return err
	default:
		return nil
	}
}

// expense is what a piece of work took.
type expense struct {
	cpu, wall time.Duration
	units     int // of work: requests, handshakes
	asked     int // requests
}

// spend measures what the work costs the process, and adds it.
func (e *expense) spend(p *process, work func() error) error {
	cpu, begun := p.cpu(), time.Now()
	err := work()
	e.wall += time.Since(begun)
	e.cpu += p.cpu() - cpu
	return err
}

// micros is the server's CPU time of a unit in µs.
func (e *expense) micros() float64 { return float64(e.cpu.Nanoseconds()) / 1e3 / float64(e.units) }

// busy is the part of the time in which the server used its core. Near 1 the load did not hold the server up.
func (e *expense) busy() float64 { return e.cpu.Seconds() / e.wall.Seconds() }

// perSecond is how many units were done in a second.
func (e *expense) perSecond() float64 { return float64(e.units) / e.wall.Seconds() }

// turns calls measure for every candidate in every round. They take turns: each round begins with another one.
func (b *bench) turns(ctx context.Context, n int, measure func(candidate int) error) error {
	return b.turnsOf(ctx, b.size.rounds, n, measure)
}

// turnsOf is turns with another number of rounds.
func (b *bench) turnsOf(ctx context.Context, rounds, n int, measure func(candidate int) error) error {
	for round := range rounds {
		for i := range n {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := measure((round + i) % n); err != nil {
				return err
			}
			b.progress.at(round*n+i+1, rounds*n, "turns")
		}
	}
	return nil
}
