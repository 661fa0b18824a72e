package main

import (
	"context"
	"fmt"
	"time"
)

// waited is how long a request has been waiting when its payload comes: so short that the server has just begun to wait, or so long that
// the server has parked the request.
var waited = [...]struct {
	name string
	time time.Duration
}{
	{"hand-off after a wait of 100 ms", 100 * time.Millisecond},
	{"hand-off after a wait of 1 ms", time.Millisecond},
}

// measureHandoff measures how long after a POST the GET that waits for it is answered, while many other requests wait.
func measureHandoff(ctx context.Context, b *bench) error {
	var typical, slow [len(waited) + 1]series // the last: plain POSTs
	b.progress.rowBegins(fmt.Sprintf("beside %d waiting connections", b.size.connections), 1, 1)
	err := b.turns(ctx, 1, func(int) error {
		times, err := handoffs(ctx, b)
		for i := range times {
			typical[i], slow[i] = append(typical[i], times[i].median()), append(slow[i], times[i].quantile(0.99))
		}
		return err
	})
	if err != nil {
		return err
	}
	const plain = len(waited)
	t := table{
		title: "Hand-off",
		text: fmt.Sprintf("From the sending of a POST until the GET that waits for it, on another connection, has its answer, while %d "+
			"other connections wait; against the round trip of a POST that nobody waits for. One after the other, in turns, %d of each a round.",
			b.size.connections, b.size.handoffs),
		columns: []string{"", "p50, µs", "p99, µs", "p50 ÷ plain POST", "p99 ÷ plain POST"},
	}
	for i, w := range waited {
		t.add(w.name, typical[i].span(1), slow[i].span(1), typical[i].over(typical[plain]).span(2), slow[i].over(slow[plain]).span(2))
	}
	t.add("plain POST", typical[plain].span(1), slow[plain].span(1), "", "")
	b.report.add(t)
	return nil
}

// handoffs returns the times of hand-offs, and of plain POSTs, in µs.
func handoffs(ctx context.Context, b *bench) (times [len(waited) + 1]series, err error) {
	p, err := b.start(ctx, b.signalServer(waitLong))
	if err != nil {
		return times, err
	}
	defer p.stop()
	others := &crowd{b: b, p: p}
	defer others.hangUp()
	if err := others.come(b.size.connections, (*crowd).waits); err != nil {
		return times, err
	}
	lines, err := b.dialLines(p, 1+atOnce)
	if err != nil {
		return times, err
	}
	defer hangUp(lines)
	if err := p.settle(ctx); err != nil {
		return times, err
	}
	for len(times[0]) < b.size.handoffs {
		for i := range waited {
			if err := ctx.Err(); err != nil {
				return times, err
			}
			news, posts, err := handOff(lines[0], lines[1:], waited[i].time, 0)
			if err != nil {
				return times, err
			}
			times[i] = append(times[i], news...)
			times[len(waited)] = append(times[len(waited)], posts...)
		}
	}
	return times, others.check()
}

// handOff lets all readers wait, each in a session of its own. Then it posts to one session after the other, and between them to a
// session that nobody reads, with a rest before each POST.
func handOff(writer *line, readers []*line, wait, rest time.Duration) (news, posts series, err error) {
	unread := newKey()
	writer.keys = append(writer.keys[:0], unread)
	for range readers {
		writer.keys = append(writer.keys, newKey())
	}
	for _, key := range writer.keys {
		writer.body = appendOffer(writer.body[:0], key)
		if err := writer.expect("POST", "/offer/sdp", key, writer.body, []byte(done)); err != nil {
			return nil, nil, err
		}
	}
	for i, reader := range readers {
		reader.out = appendRequest(reader.out[:0], "GET", "/answer/candidate?wait=20", writer.keys[1+i], nil)
		if err := reader.send(reader.out); err != nil {
			return nil, nil, err
		}
	}
	time.Sleep(wait)
	for i, reader := range readers {
		key := writer.keys[1+i]
		reader.want = appendOne(reader.want[:0], long(key, "offer", 1))
		time.Sleep(rest)
		took, err := writer.post(long(key, "offer", 1), reader)
		if err != nil {
			return nil, nil, err
		}
		news = append(news, took)
		time.Sleep(rest)
		if took, err = writer.post(long(unread, "offer", 1+i), nil); err != nil {
			return nil, nil, err
		}
		posts = append(posts, took)
	}
	return news, posts, writer.end()
}

// post posts a candidate. It returns how long it took, in µs, until the reader that waits for the candidate had its answer; without a
// reader, until the POST had its own.
func (l *line) post(p payload, reader *line) (float64, error) {
	l.body = p.appendText(l.body[:0])
	l.out = appendRequest(l.out[:0], "POST", "/offer/candidate", p.key, l.body)
	begun := time.Now()
	if err := l.send(l.out); err != nil {
		return 0, err
	}
	var took time.Duration
	if reader != nil {
		got, err := reader.receive()
		took = time.Since(begun)
		if err != nil {
			return 0, err
		}
		if !reader.faults.check(got, reader.want, p.key) {
			return 0, reader.faults.err()
		}
	}
	got, err := l.receive()
	if reader == nil {
		took = time.Since(begun)
	}
	if err != nil {
		return 0, err
	}
	if !l.faults.check(got, []byte(done), p.key) {
		return 0, l.faults.err()
	}
	return float64(took.Nanoseconds()) / 1e3, nil
}
