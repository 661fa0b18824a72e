package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"
)

// tracedHandshakes is how many handshakes are counted: as many as fill a second or two under strace.
const tracedHandshakes = 16 * atOnce

// measureCalls counts system calls: of a handshake, and of a hand-off. It needs strace.
func measureCalls(ctx context.Context, b *bench) error {
	if !straceInstalled() {
		b.report.add(table{title: "System calls", text: "Not counted: strace is not installed."})
		return nil
	}
	return b.rows(ctx, []row{
		{"of a handshake", handshakeCalls},
		{"of a hand-off", handoffCalls},
	})
}

// handshakeCalls counts the system calls of handshakes by messages.
func handshakeCalls(ctx context.Context, b *bench) error {
	var all series
	each := make(map[string]series)
	rounds := 0
	err := b.turnsOf(ctx, b.few(), 1, func(int) error {
		counts, err := countHandshake(ctx, b)
		if err != nil {
			return err
		}
		sum := 0
		for name, n := range counts {
			sum += n
			if each[name] == nil {
				each[name] = make(series, b.few())
			}
			each[name][rounds] = float64(n) / tracedHandshakes
		}
		all = append(all, float64(sum)/tracedHandshakes)
		rounds++
		return nil
	})
	if err != nil {
		return fmt.Errorf("system calls of a handshake: %w", err)
	}
	t := table{
		title: "System calls of a handshake",
		text: fmt.Sprintf("By messages, three requests, over kept connections, %d handshakes at once; counted by strace, which slows the server down, in %d of "+
			"them, that run while the server does nothing else but its regular rounds.", atOnce, tracedHandshakes),
		columns: []string{"system call", "a handshake"},
	}
	t.add("all", all.span(2))
	names := slices.Collect(maps.Keys(each))
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(cmp.Compare(each[b].median(), each[a].median()), cmp.Compare(a, b))
	})
	for _, name := range names {
		if each[name].median() >= 0.01 {
			t.add(name, each[name].span(2))
		}
	}
	b.report.add(t)
	b.report.bar("system calls of a handshake, messages", all, 2, 9.3, 6.3)
	return nil
}

// countHandshake returns how often each system call was made in tracedHandshakes handshakes.
func countHandshake(ctx context.Context, b *bench) (map[string]int, error) {
	p, err := b.start(ctx, b.signalServer())
	if err != nil {
		return nil, err
	}
	defer p.stop()
	pairs := &httpPairs{b: b, p: p, flow: &flow{sides: [2]side{offerMessages, answerMessages}}}
	if err := pairs.open(ctx); err != nil {
		return nil, err
	}
	defer pairs.close()
	work := func() error {
		keys := make([]string, tracedHandshakes)
		for i := range keys {
			keys[i] = newKey()
		}
		return makeAll(ctx, pairs, keys)
	}
	if err := work(); err != nil { // which fills buffers and pools
		return nil, err
	}
	if err := p.settle(ctx); err != nil {
		return nil, err
	}
	summary, err := b.straced(ctx, p, work, "-c")
	if err != nil {
		return nil, err
	}
	return callCounts(summary)
}

const (
	parkedFor = 300 * time.Millisecond // a request has waited when it is handed something: a server that puts such requests aside has done so
	restFor   = 10 * time.Millisecond  // lie between two POSTs, so that what one leaves to be done is not counted with the next
)

// handoffCalls counts what a POST does between its arrival and the answers, when a request waits for what it brings.
func handoffCalls(ctx context.Context, b *bench) error {
	var extra, futexes, most series
	var example string
	err := b.turnsOf(ctx, b.few(), 1, func(int) error {
		calls, unread, err := traceHandOffs(ctx, b)
		if err != nil {
			return err
		}
		news, plain, err := windowsOf(calls, unread)
		if err != nil {
			return err
		}
		extra = append(extra, news.calls.median()-plain.calls.median())
		futexes = append(futexes, news.futexes.median()-plain.futexes.median())
		most = append(most, news.futexes.quantile(1))
		example = news.typical(news.calls.median())
		return nil
	})
	if err != nil {
		return fmt.Errorf("system calls of a hand-off: %w", err)
	}
	t := table{
		title: "System calls of a hand-off",
		text: fmt.Sprintf("A GET has been waiting for %v when a POST comes that brings it what it waits for. Counted are the system calls of all threads from "+
			"the reading of the POST until the first of the two is being answered, which is the one that has waited, less those of a POST that nobody waits for; by strace, with two threads "+
			"that run Go code (GOMAXPROCS=2), so that one could wake the other. One after the other, %d of each a round: the median of them, and "+
			"(least–most) over the rounds. Not counted is nanosleep, by which Go's own watchman paces himself. What mostly follows the reading: %s.",
			parkedFor, atOnce, example),
		columns: []string{"", "a hand-off"},
	}
	t.add("system calls more than a plain POST's", extra.span(1))
	t.add("futex among them", futexes.span(1))
	t.add("futex in the worst", most.span(1))
	b.report.add(t)
	b.report.bar("system calls of a hand-off more than a plain POST's", extra, 1, 1, 0)
	b.report.bar("futex calls of a hand-off", futexes, 1, 0, 0)
	return nil
}

// traceHandOffs returns the system calls of some hand-offs and of as many plain POSTs, which are those to the key unread.
func traceHandOffs(ctx context.Context, b *bench) (calls []call, unread string, err error) {
	p, err := b.start(ctx, b.signalServer("GOMAXPROCS=2"))
	if err != nil {
		return nil, "", err
	}
	defer p.stop()
	lines, err := b.dialLines(p, 1+atOnce)
	if err != nil {
		return nil, "", err
	}
	defer hangUp(lines)
	work := func() error {
		_, _, err := handOff(lines[0], lines[1:], parkedFor, restFor)
		return err
	}
	if err := work(); err != nil { // which fills buffers and pools
		return nil, "", err
	}
	if err := p.settle(ctx); err != nil {
		return nil, "", err
	}
	list, err := b.straced(ctx, p, work, "-s", "4096")
	return callsOf(list), lines[0].keys[0], err
}

// windows are the system calls from the reading of a POST until the request that waits for it is answered or, if none does, it itself.
type windows struct {
	calls, futexes series
	texts          []string // the names of each one's calls
}

// windowsOf finds the hand-offs, and the plain POSTs, which are those to the key unread.
func windowsOf(calls []call, unread string) (news, plain windows, err error) {
	for i, post := range calls {
		if !strings.Contains(post.text, `"POST /offer/candidate `) {
			continue
		}
		w := &news
		if strings.Contains(post.text, "key: "+unread) {
			w = &plain
		}
		answered, futexes, names := false, 0, []string(nil)
		for _, c := range calls[i+1:] {
			if c.entered < post.returned || c.name == "nanosleep" {
				continue
			}
			if c.name == "futex" {
				futexes++
			}
			names = append(names, c.name)
			if answered = strings.Contains(c.text, `"HTTP/1.1 200 OK`); answered {
				break
			}
		}
		if !answered {
			return news, plain, errors.New("a POST without an answer")
		}
		w.calls, w.futexes = append(w.calls, float64(len(names))), append(w.futexes, float64(futexes))
		w.texts = append(w.texts, strings.Join(names, ", "))
	}
	if len(news.calls) == 0 || len(plain.calls) == 0 {
		return news, plain, fmt.Errorf("got %d hand-offs and %d plain POSTs, want some of each", len(news.calls), len(plain.calls))
	}
	return news, plain, nil
}

// typical returns what most of those did that made about n calls.
func (w *windows) typical(n float64) string {
	seen := make(map[string]int)
	for i, text := range w.texts {
		if math.Abs(w.calls[i]-n) < 1 {
			seen[text]++
		}
	}
	return slices.MaxFunc(slices.Sorted(maps.Keys(seen)), func(a, b string) int { return cmp.Compare(seen[a], seen[b]) })
}
