package main

import (
	"bytes"
	"context"
	"fmt"
)

// redisTrips counts what the nodes ask their Redis for.
func redisTrips(ctx context.Context, b *bench) error {
	s, err := b.startSite(ctx, 1)
	defer s.stop()
	if err != nil {
		return err
	}
	lines, err := b.dialLines(s.nodes[0], atOnce)
	if err != nil {
		return err
	}
	defer hangUp(lines)
	t := table{
		title: "Round trips to Redis",
		text: "Commands that a node sends, by the account of the Redis (INFO commandstats), without the few with which it watches the Redis's health. " +
			"What a request without a wait asks for is one script. *Nobody waits*: one of each kind of request, one after the other. " +
			"*Handshake*: the messages flow with its waits, and a DELETE.",
		columns: []string{"", "requests", "scripts", "scripts a request", "subscriptions"},
	}
	var perRequest float64
	for i, work := range [...]func() error{
		func() error { return together(lines, (*line).askOfEach) },
		func() error {
			return atTheSameTime(atOnce/2, func(i int) error {
				key, sides := newKey(), [...]side{offerMessagesAndEnd, answerMessages}
				return atTheSameTime(len(sides), func(role int) error { return sides[role](lines[2*i+role], key) })
			})
		},
	} {
		if err := work(); err != nil { // the Redis loads the scripts
			return err
		}
		before, err := b.commands(s.redis)
		if err != nil {
			return err
		}
		asked := sumAsked(lines)
		if err := work(); err != nil {
			return err
		}
		after, err := b.commands(s.redis)
		if err != nil {
			return err
		}
		requests := sumAsked(lines) - asked
		scripts := after["evalsha"] + after["eval"] - before["evalsha"] - before["eval"]
		units, name := atOnce, "nobody waits"
		if i > 0 {
			units, name = atOnce/2, "handshake"
		} else {
			perRequest = scripts / float64(requests)
		}
		each := func(n float64) string { return series{n / float64(units)}.span(1) }
		t.add(name, each(float64(requests)), each(scripts), series{scripts / float64(requests)}.span(2),
			each(after["ssubscribe"]-before["ssubscribe"]))
	}
	b.report.add(t)
	b.report.bar("round trips to Redis per request that does not wait", series{perRequest}, 2, 1, 0)
	return nil
}

func sumAsked(lines []*line) (sum int) {
	for _, l := range lines {
		sum += l.asked
	}
	return sum
}

// askOfEach makes a request of each kind that does not wait, in a session of its own.
func (l *line) askOfEach() error {
	key := newKey()
	// the cursor of the latest answer that had one
	var cursor []byte
	for _, r := range [...]struct {
		method, target string
		body, want     []byte
	}{
		{"POST", "/offer/messages", appendPost(nil, key, "offer"), []byte(noNews)},
		{"GET", "/answer/messages", nil, appendNews(nil, key, "offer")},
		{"POST", "/answer/messages?after=" + anyCursor, appendPost(nil, key, "answer"), []byte(noNews)},
		{"GET", "/answer/sdp", nil, appendOne(nil, sdp(key, "offer"))},
		{"GET", "/answer/candidates", nil, appendAll(nil, key, "offer")},
		{"GET", "/answer/candidate", nil, []byte(nothing)},
		{"POST", "/offer/candidate", long(key, "offer", 1).appendText(nil), []byte(done)},
		{"GET", "/answer/candidate", nil, appendOne(nil, long(key, "offer", 1))},
		{"DELETE", "/session", nil, []byte(done)},
	} {
		target := string(bytes.ReplaceAll([]byte(r.target), []byte(anyCursor), cursor))
		got, err := l.fetch(r.method, target, key, r.body, r.want)
		if err != nil {
			return fmt.Errorf("a request of each kind: %w", err)
		}
		if _, next, found := bytes.Cut(got, []byte(`"next":"`)); found {
			next, _, _ = bytes.Cut(next, []byte(`"`))
			cursor = bytes.Clone(next)
		}
	}
	return nil
}
