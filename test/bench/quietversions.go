package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// twiceAsLong is how many times as many handshakes measureTwice makes in a round as others do, so that a hundredth shows.
const twiceAsLong = 5

// measureTwice measures the CPU of a handshake of both versions, and each of them twice in every round: what two measurements of the same
// program differ by is what the ratio of the versions may be wrong by.
func measureTwice(ctx context.Context, b *bench) error {
	f := versionFlows[0]
	f.times = twiceAsLong
	candidates := [...]candidate{
		built("this version", b.server), built("the other version", b.other),
		built("this version, again", b.server), built("the other version, again", b.other),
	}
	var cpu [len(candidates)]series
	b.progress.rowBegins("handshake by messages, and a control", 1, 1)
	err := b.turns(ctx, len(candidates), func(i int) error {
		f.server = candidates[i]
		e, err := measureFlow(ctx, b, &f)
		if err != nil {
			return fmt.Errorf("%s: %w", candidates[i].name, err)
		}
		cpu[i] = append(cpu[i], e.micros())
		return nil
	})
	if err != nil {
		return err
	}
	ratio := cpu[0].plus(cpu[2]).over(cpu[1].plus(cpu[3]))
	t := table{
		title: "A handshake, with a control",
		text: fmt.Sprintf("CPU time of the server's process per handshake by messages, %d at once, %s. Each version was measured twice in each of %d rounds; "+
			"the control is a version ÷ itself.", atOnce, oneConnection, b.size.rounds),
		columns: []string{"", "first, µs", "again, µs", "control"},
	}
	for i := range 2 {
		t.add(candidates[i].name, cpu[i].span(2), cpu[i+2].span(2), cpu[i].over(cpu[i+2]).span(3))
	}
	t.add("this ÷ the other", cpu[0].over(cpu[1]).span(3), cpu[2].over(cpu[3]).span(3), "")
	b.report.add(t)
	b.report.bar("CPU of a handshake ÷ the other version", ratio, 3, 1.03, 0.95)
	return nil
}

// plus returns the sum of each round.
func (s series) plus(other series) series {
	sums := make(series, min(len(s), len(other)))
	for i := range sums {
		sums[i] = s[i] + other[i]
	}
	return sums
}

// measureRung measures what it takes to answer many requests at once that wait for the same.
func measureRung(ctx context.Context, b *bench) error {
	candidates := [...]candidate{built("this version", b.server, waitLong), built("the other version", b.other, waitLong)}
	n := b.size.connections
	var cpu, peak, took [len(candidates)]series
	b.progress.rowBegins(fmt.Sprintf("%d rung at once", n), 1, 1)
	err := b.turnsOf(ctx, min(5, b.size.rounds), len(candidates), func(i int) error {
		r, err := ring(ctx, b, candidates[i], n)
		if err != nil {
			return fmt.Errorf("%s: %w", candidates[i].name, err)
		}
		cpu[i] = append(cpu[i], float64(r.cpu.Nanoseconds())/1e3/float64(n))
		peak[i] = append(peak[i], float64(r.peak)/(1<<20))
		took[i] = append(took[i], milliseconds(r.took))
		return nil
	})
	if err != nil {
		return err
	}
	t := table{
		title: "Rung at once",
		text: fmt.Sprintf("%d GETs of answerers wait for one key, and one POST opens its session. CPU time of the server's process from the POST until it has nothing to "+
			"do; its peak RSS (VmHWM) from just before the POST; time from the sending of the POST until the last has its answer.", n),
		columns: []string{"", "CPU of each, µs", "peak RSS, MiB", "all answered, ms"},
	}
	for i, c := range candidates {
		t.add(c.name, cpu[i].span(1), peak[i].span(1), took[i].span(0))
	}
	t.add("this ÷ the other", cpu[0].over(cpu[1]).span(2), peak[0].over(peak[1]).span(2), took[0].over(took[1]).span(2))
	b.report.add(t)
	b.report.bar(fmt.Sprintf("CPU of each of %d rung at once ÷ the other version", n), cpu[0].over(cpu[1]), 2, 0.6, 0)
	b.report.bar(fmt.Sprintf("peak RSS of %d rung at once ÷ the other version", n), peak[0].over(peak[1]), 2, 0.5, 0)
	return nil
}

// rung is what ringing took.
type rung struct {
	cpu, took time.Duration
	peak      int64 // bytes
}

// ring has n requests wait for one key, and opens its session.
func ring(ctx context.Context, b *bench, c candidate, n int) (r rung, err error) {
	p, err := b.start(ctx, c)
	if err != nil {
		return r, err
	}
	defer p.stop()
	key := newKey()
	all := &crowd{b: b, p: p}
	defer all.hangUp()
	err = all.come(n, func(_ *crowd, g *guest, s *scratch) error {
		s.out = appendRequest(s.out[:0], "GET", "/answer/messages?wait=100", key, nil)
		_, err := g.Write(s.out)
		return err
	})
	if err != nil {
		return r, err
	}
	if err := p.settle(ctx); err != nil {
		return r, err
	}
	if err := all.check(); err != nil {
		return r, err
	}
	answered, err := all.expect(unix.EPOLLIN)
	if err != nil {
		return r, err
	}
	defer answered.close()
	lines, err := b.dialLines(p, 1)
	if err != nil {
		return r, err
	}
	defer hangUp(lines)
	if err := p.forgetPeak(); err != nil {
		return r, err
	}
	begun, cpu := time.Now(), p.cpu()
	if err := lines[0].expect("POST", "/offer/messages", key, appendPost(nil, key, "offer"), []byte(noNews)); err != nil {
		return r, err
	}
	for done := 0; done < n; {
		fds, err := answered.some()
		if err != nil {
			return r, err
		}
		done += len(fds)
		if time.Since(begun) > patience {
			return r, fmt.Errorf("%d of %d are not answered", n-done, n)
		}
	}
	r.took = time.Since(begun)
	if err := p.settle(ctx); err != nil {
		return r, err
	}
	r.cpu = p.cpu() - cpu
	if r.peak, err = p.peak(); err != nil {
		return r, err
	}
	want, in := appendNews(nil, key, "offer"), make([]byte, 16<<10)
	for _, g := range all.guests {
		got, err := readAnswer(g, &in)
		if err != nil {
			return r, err
		}
		if !b.faults.check(got, want, key) {
			return r, b.faults.err()
		}
	}
	return r, nil
}

// forgetPeak makes the peak of the process's RSS what it is now (proc_pid_clear_refs(5)).
func (p *process) forgetPeak() error {
	return os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", p.cmd.Process.Pid), []byte("5"), 0)
}

// peak returns the most bytes of the process that have been in memory at once.
func (p *process) peak() (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := bytes.Cut(text, []byte("\nVmHWM:"))
	size, _, found := strings.Cut(string(rest), " kB")
	if !found {
		return 0, errors.New("a process without VmHWM")
	}
	kib, err := strconv.ParseInt(strings.TrimSpace(size), 10, 64)
	return kib << 10, err
}

// pauses are how long a connection is idle before its next request. pausedRate is how many requests a second all of them make, so that a core is
// busy for a quarter or so, and pausedFor is how long.
var pauses = [...]time.Duration{50 * time.Millisecond, 200 * time.Millisecond}

const (
	pausedRate = 8000
	pausedFor  = 2 * time.Second
)

// measurePaused measures the CPU of a request that comes after its connection has been idle for a while.
func measurePaused(ctx context.Context, b *bench) error {
	candidates := [...]candidate{
		built("this version", b.server), built("the other version", b.other), built("the other version, again", b.other),
	}
	t := table{
		title: "A request after a pause",
		text: fmt.Sprintf("CPU time of the server's process per empty poll, on connections that pause between two of them, so many that they make %d a second. "+
			"The control is the other version ÷ itself.", pausedRate),
		columns: []string{"pause", "connections", "this, µs", "the other, µs", "ratio", "control"},
	}
	for i, pause := range pauses {
		b.progress.rowBegins(fmt.Sprintf("after %v", pause), i+1, len(pauses))
		n := max(min(int(pausedRate*pause.Seconds()), b.size.connections), 1)
		var cpu [len(candidates)]series
		err := b.turnsOf(ctx, min(5, b.size.rounds), len(candidates), func(c int) error {
			e, err := askPausing(ctx, b, candidates[c], n, pause)
			if err != nil {
				return fmt.Errorf("%s: %w", candidates[c].name, err)
			}
			cpu[c] = append(cpu[c], e.micros())
			return nil
		})
		if err != nil {
			return err
		}
		ratio := cpu[0].over(cpu[1])
		t.add(pause.String(), fmt.Sprint(n), cpu[0].span(2), cpu[1].span(2), ratio.span(3), cpu[2].over(cpu[1]).span(3))
		b.report.bar(fmt.Sprintf("CPU of a request after a pause of %v ÷ the other version", pause), ratio, 2, 1.35, 1.1)
	}
	b.report.add(t)
	return nil
}

// askPausing has n lines ask, pause and ask again for pausedFor, after one go that warms the server up, and returns what that cost.
func askPausing(ctx context.Context, b *bench, c candidate, n int, pause time.Duration) (e expense, err error) {
	p, err := b.start(ctx, c)
	if err != nil {
		return e, err
	}
	defer p.stop()
	lines, err := b.dialLines(p, n)
	if err != nil {
		return e, err
	}
	defer hangUp(lines)
	goes := max(min(int(pausedFor/pause), b.size.requests/n), 1)
	work := func(goes int) error {
		begun := time.Now()
		return atTheSameTime(n, func(i int) error {
			next := begun.Add(pause * time.Duration(i) / time.Duration(n)) // so that they do not come all at once
			for range goes {
				if err := sleep(ctx, time.Until(next)); err != nil {
					return err
				}
				if err := lines[i].expect("GET", "/answer/candidate", newKey(), nil, []byte(noSession)); err != nil {
					return err
				}
				next = next.Add(pause)
			}
			return nil
		})
	}
	if err := work(max(goes/4, 1)); err != nil {
		return e, err
	}
	e.units = n * goes
	return e, e.spend(p, func() error { return work(goes) })
}
