package main

import (
	"context"
	"fmt"
)

// The relays that a process has when its memory is read: those of a few calls, and of some hundred clients.
const fewRelays, manyRelays = relayClients, 300

// relayMemory measures what relays take on which nothing passes.
func relayMemory(ctx context.Context, b *bench) error {
	candidates, err := b.turnServers()
	if err != nil {
		return err
	}
	candidates = append(candidates[:1:1], candidates[2:]...) // rates take no memory of note
	few, many, each := make([]series, len(candidates)), make([]series, len(candidates)), make([]series, len(candidates))
	err = b.turnsOf(ctx, b.few(), len(candidates), func(i int) error {
		rss, err := relaysRSS(ctx, b, candidates[i])
		if err != nil {
			return fmt.Errorf("%s: %w", candidates[i].name, err)
		}
		few[i], many[i] = append(few[i], rss[0]/(1<<20)), append(many[i], rss[1]/(1<<20))
		each[i] = append(each[i], (rss[1]-rss[0])/(manyRelays-fewRelays)/(1<<10))
		return nil
	})
	if err != nil {
		return err
	}
	t := table{
		title:   "Memory of relays",
		text:    "RSS of the server's process with so many relays, each with a channel, on which nothing passes. What the kernel holds for a socket is not in it.",
		columns: []string{"", fmt.Sprintf("MiB with %d", fewRelays), fmt.Sprintf("MiB with %d", manyRelays), "KiB a relay, between them"},
	}
	if len(candidates) == 1 {
		t.text += " **Not compared: coturn is not installed** (`turnserver`)."
	}
	for i, c := range candidates {
		t.add(c.name, few[i].span(1), many[i].span(1), each[i].span(1))
	}
	b.report.add(t)
	return nil
}

// relaysRSS returns the bytes of a new process in memory, with few relays and with many.
func relaysRSS(ctx context.Context, b *bench, c candidate) (rss [2]float64, err error) {
	p, err := b.start(ctx, c)
	if err != nil {
		return rss, err
	}
	defer p.stop()
	for i, n := range [...]int{fewRelays, manyRelays - fewRelays} {
		clients, err := newTalk(b, p, n)
		if err != nil {
			return rss, err
		}
		defer clients.hangUp()
		if err := p.settle(ctx); err != nil {
			return rss, err
		}
		bytes, err := p.rss()
		if err != nil {
			return rss, err
		}
		rss[i] = float64(bytes)
		b.faults.checked.Add(int64(2 * n)) // a relay and a channel each, which were granted
	}
	return rss, nil
}
