package main

import (
	"bytes"
	"context"
	"fmt"
)

// kind is a kind of request that is measured by itself.
type kind struct {
	name           string
	method, target string
	// repeat is how many of them a connection sends in one go. It is bounded by the limits of a session. Opening the session before
	// and ending it afterwards is not measured.
	repeat    int
	fresh     bool // each request opens a session of its own; otherwise all of one go are for one session
	prepared  int  // candidates in that session, besides an sdp
	candidate func(key, role string, n int) payload
	body      func(dst []byte, key string, n int) []byte // n counts from 1; nil: none
	answer    func(dst []byte, key string, n int) []byte
	checked   bool    // the bare fasthttp beside it checks the JSON of the body too, and copies it
	limit     float64 // of CPU ÷ bare fasthttp
	aim       float64
}

func always(answer string) func([]byte, string, int) []byte {
	return func(dst []byte, _ string, _ int) []byte { return append(dst, answer...) }
}

// The places of kinds.
const (
	kindPost = iota
	kindPoll
	kindTake
	kindRead
	kindOpen
)

var kinds = []kind{
	kindPost: {
		name: "POST candidate, 150 B", method: "POST", target: "/offer/candidate", repeat: 128,
		body:   func(dst []byte, key string, n int) []byte { return long(key, "offer", n).appendText(dst) },
		answer: always(done), limit: 1.18, aim: 1.06,
	},
	kindPoll: {
		name: "empty poll", method: "GET", target: "/answer/candidate", repeat: 128,
		answer: always(nothing), limit: 1.08, aim: 1.02,
	},
	kindTake: {
		name: "take one, 150 B", method: "GET", target: "/answer/candidate", repeat: 128,
		prepared: 128, candidate: long,
		answer: func(dst []byte, key string, n int) []byte { return appendOne(dst, long(key, "offer", n)) },
		limit:  1.18, aim: 1.06,
	},
	kindRead: {
		name: "messages read, sdp and 6 candidates", method: "GET", target: "/answer/messages", repeat: 128,
		prepared: candidatesASide, candidate: short,
		answer: func(dst []byte, key string, _ int) []byte { return appendNews(dst, key, "offer") },
		limit:  1.18, aim: 1.06,
	},
	kindOpen: {
		name: "POST messages, sdp and 6 candidates", method: "POST", target: "/offer/messages", repeat: 32,
		fresh:  true,
		body:   func(dst []byte, key string, _ int) []byte { return appendPost(dst, key, "offer") },
		answer: always(noNews), checked: true, limit: 1.25, aim: 1.1,
	},
}

// measureRequests measures each kind of request against a fasthttp that answers the same request with as many bytes and does nothing else.
func measureRequests(ctx context.Context, b *bench) error {
	t := table{
		title: "CPU of one request",
		text: "CPU time of the server's process, user and system, per request, over " + fmt.Sprint(atOnce) + " keep-alive connections. " +
			"*Bare fasthttp* is fasthttp of the same version with its default options, whose handler does nothing but set a fixed " +
			"body of the same size as this server's; it is sent byte for byte the same requests. For POST messages it also checks the JSON of the " +
			"body, with this server's own reader, and copies it. *Same headers* is the bare one that does neither, but sets the headers " +
			"of this server's answers (Content-Type, X-Content-Type-Options, Access-Control-Allow-Origin and, to a GET, Cache-Control). Requests per second are " +
			"what the load got on its own core: quoted, nothing is decided by them.",
		columns: []string{"request", "this server, µs", "bare, µs", "÷ bare", "÷ same headers", "requests/s", "bare requests/s", "its core busy"},
	}
	chart := chart{title: "Server CPU per request ÷ bare fasthttp", decimals: 2, line: 1}
	for i := range kinds {
		k := &kinds[i]
		b.progress.rowBegins(k.name, i+1, len(kinds))
		size := k.answerSize()
		bare, beside := bareFasthttp(size), "bare fasthttp"
		if k.checked {
			bare, beside = checkingFasthttp(size), "fasthttp that checks the same JSON and copies it"
		}
		candidates := [...]candidate{b.signalServer(), bare, sameHeaders(size)}
		bodies := [len(candidates)][]byte{1: fixedBody(size), 2: fixedBody(size)}
		var cpu [len(candidates)]series
		var rate [2]series
		var busy series
		err := b.turns(ctx, len(candidates), func(c int) error {
			e, err := measureKind(ctx, b, k, candidates[c], bodies[c])
			if err != nil {
				return fmt.Errorf("%s: %s: %w", k.name, candidates[c].name, err)
			}
			cpu[c] = append(cpu[c], e.micros())
			if c < len(rate) {
				rate[c] = append(rate[c], e.perSecond())
			}
			if c == 0 {
				busy = append(busy, e.busy())
			}
			return nil
		})
		if err != nil {
			return err
		}
		ratio := cpu[0].over(cpu[1])
		t.add(k.name, cpu[0].span(2), cpu[1].span(2), ratio.span(2), cpu[0].over(cpu[2]).span(2),
			rate[0].span(0), rate[1].span(0), busy.span(2))
		b.report.bar("CPU per request ÷ "+beside+": "+k.name, ratio, 2, k.limit, k.aim)
		chart.add(k.name, ratio, true)
	}
	b.report.add(t)
	b.report.draw(chart)
	return nil
}

// measureKind returns what requests of one kind cost the candidate, which answers each with the fixed body. Without one it is a
// signaling server.
func measureKind(ctx context.Context, b *bench, k *kind, c candidate, fixed []byte) (e expense, err error) {
	signaling := fixed == nil
	p, err := b.start(ctx, c)
	if err != nil {
		return e, err
	}
	defer p.stop()
	lines, err := b.dialLines(p, atOnce)
	if err != nil {
		return e, err
	}
	defer hangUp(lines)
	n := min(k.repeat, max(1, b.size.requests/atOnce))
	for warm := false; e.units < b.size.requests; warm = true {
		if err := together(lines, func(l *line) error { return k.open(l, n, signaling) }); err != nil {
			return e, err
		}
		work := func() error { return together(lines, func(l *line) error { return k.ask(l, n, fixed) }) }
		if !warm { // the first go fills buffers and pools
			err = work()
		} else {
			err = e.spend(p, work)
			e.units += len(lines) * n
		}
		if err != nil {
			return e, err
		}
		if !signaling {
			continue
		}
		if err := together(lines, (*line).end); err != nil {
			return e, err
		}
	}
	return e, nil
}

// answerSize returns the length of an answer.
func (k *kind) answerSize() int {
	answer := k.answer(nil, newKey(), 1)
	return len(answer) + bytes.Count(answer, []byte(anyCursor))*(cursorLen-len(anyCursor))
}

// open chooses keys for one go of a line, n requests, and opens the session if there really is one.
func (k *kind) open(l *line, n int, really bool) error {
	l.keys = append(l.keys[:0], newKey())
	for k.fresh && len(l.keys) < n {
		l.keys = append(l.keys, newKey())
	}
	if k.fresh || !really {
		return nil
	}
	key := l.keys[0]
	l.body = appendPostOf(l.body[:0], key, "offer", k.prepared, func(n int) payload { return k.candidate(key, "offer", n) })
	return l.expect("POST", "/offer/messages", key, l.body, []byte(noNews))
}

// ask makes one go of a line. It expects the fixed answer, or the kind's where fixed is nil.
func (k *kind) ask(l *line, repeat int, fixed []byte) error {
	for n := 1; n <= repeat; n++ {
		key := l.keys[0]
		if k.fresh {
			key = l.keys[n-1]
		}
		if l.body = l.body[:0]; k.body != nil {
			l.body = k.body(l.body, key, n)
		}
		want := fixed
		if fixed == nil {
			l.want = k.answer(l.want[:0], key, n)
			want = l.want
		}
		if err := l.expect(k.method, k.target, key, l.body, want); err != nil {
			return err
		}
	}
	return nil
}

// end ends the line's sessions.
func (l *line) end() error {
	for _, key := range l.keys {
		if err := l.expect("DELETE", "/session", key, nil, []byte(done)); err != nil {
			return err
		}
	}
	return nil
}
