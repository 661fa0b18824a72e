package main

import (
	"context"
	"fmt"
)

// measureMemory measures what sessions take, whether churn leaves something behind, and what the collector costs.
func measureMemory(ctx context.Context, b *bench) error {
	return b.rows(ctx, []row{
		{"live sessions", sessionMemory},
		{"sessions that come and go", churn},
		{"garbage collection", collector},
	})
}

// payloadBytes is what both peers of a handshake write.
const payloadBytes = offerSDP + answerSDP + 2*candidatesASide*shortCandidate

// sessionMemory measures the memory of a live session that holds a whole handshake.
func sessionMemory(ctx context.Context, b *bench) error {
	var each, rest series
	err := b.turns(ctx, 1, func(int) error {
		grown, err := growth(ctx, b, b.signalServer(), func(p *process) error { return fill(b, p, b.size.sessions) })
		if err != nil {
			return err
		}
		bytes := float64(grown) / float64(b.size.sessions)
		each = append(each, bytes)
		rest = append(rest, bytes-payloadBytes)
		return nil
	})
	if err != nil {
		return fmt.Errorf("memory of sessions: %w", err)
	}
	t := table{
		title: "Memory of a live session",
		text: fmt.Sprintf("RSS of the server's process with %d live sessions, each with offer, answer and all candidates (%d B of payload), "+
			"less its RSS before them, by session.", b.size.sessions, payloadBytes),
		columns: []string{"", "bytes"},
	}
	t.add("RSS per session", each.span(0))
	t.add("of that, beyond its payload", rest.span(0))
	b.report.add(t)
	b.report.bar(fmt.Sprintf("RSS per live session of %d B, bytes (1.3 × payload + 256)", payloadBytes), each, 0,
		1.3*payloadBytes+256, 1.3*payloadBytes+128)
	return nil
}

// growth starts the candidate, lets work fill it, and returns by how much its RSS has grown.
func growth(ctx context.Context, b *bench, c candidate, work func(*process) error) (int64, error) {
	p, err := b.start(ctx, c)
	if err != nil {
		return 0, err
	}
	defer p.stop()
	if err := p.settle(ctx); err != nil {
		return 0, err
	}
	before, err := p.rss()
	if err != nil {
		return 0, err
	}
	if err := work(p); err != nil {
		return 0, err
	}
	if err := p.settle(ctx); err != nil {
		return 0, err
	}
	after, err := p.rss()
	return after - before, err
}

// fill opens n sessions, in each of which both peers write all that they have.
func fill(b *bench, p *process, n int) error {
	return overLines(b, p, n, func(l *line) error { return l.writeBoth(newKey()) })
}

// perDialling is how often work is done before new connections replace the old ones, which live no longer than patience. Even a slow
// machine does that much in it.
const perDialling = 50_000

// overLines does work n times, over atOnce connections.
func overLines(b *bench, p *process, n int, work func(*line) error) error {
	for all := n; n > perDialling; n -= perDialling {
		if err := overLines(b, p, perDialling, work); err != nil {
			return err
		}
		b.progress.at(all-n+perDialling, all, "sessions")
	}
	lines, err := b.dialLines(p, atOnce)
	if err != nil {
		return err
	}
	defer hangUp(lines)
	return atTheSameTime(len(lines), func(i int) error {
		for done := i; done < n; done += len(lines) {
			if err := work(lines[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

func (l *line) writeBoth(key string) error {
	l.body = appendPost(l.body[:0], key, "offer")
	if err := l.expect("POST", "/offer/messages", key, l.body, []byte(noNews)); err != nil {
		return err
	}
	l.body = appendPost(l.body[:0], key, "answer")
	l.want = appendNews(l.want[:0], key, "offer")
	return l.expect("POST", "/answer/messages", key, l.body, l.want)
}

// churn measures whether sessions that come and go leave memory behind. Garbage is collected before each look: fasthttp makes 24 bytes of it
// for each request with a body, so that the heap of a busy server is anywhere between what lives and twice that.
func churn(ctx context.Context, b *bench) error {
	c, err := administered(b.signalServer())
	if err != nil {
		return err
	}
	p, err := b.start(ctx, c)
	if err != nil {
		return err
	}
	defer p.stop()
	t := table{
		title:   "Churn",
		text:    fmt.Sprintf("RSS after that many sessions were opened, filled by both peers and ended by DELETE, %d at a time, and garbage was collected; one process, once.", atOnce),
		columns: []string{"sessions", "MiB"},
	}
	few, all := b.size.churn/100, b.size.churn
	var rss [2]float64
	for i, n := range [...]int{few, all - few} {
		err := overLines(b, p, n, func(l *line) error {
			l.keys = append(l.keys[:0], newKey())
			if err := l.writeBoth(l.keys[0]); err != nil {
				return err
			}
			return l.end()
		})
		if err != nil {
			return fmt.Errorf("churn: %w", err)
		}
		bytes, err := p.collectedRSS(ctx)
		if err != nil {
			return err
		}
		rss[i] = float64(bytes) / (1 << 20)
	}
	t.add(fmt.Sprint(few), fmt.Sprintf("%.1f", rss[0]))
	t.add(fmt.Sprint(all), fmt.Sprintf("%.1f", rss[1]))
	b.report.add(t)
	b.report.bar(fmt.Sprintf("RSS after %d sessions of churn ÷ after %d, garbage collected", all, few), series{rss[1] / rss[0]}, 2, 1.1, 1)
	return nil
}
