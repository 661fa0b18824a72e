package main

import (
	"context"
	"fmt"
	"slices"
)

// flow is a way to make a handshake.
type flow struct {
	name, how string
	server    candidate
	sides     [2]side // the offerer's and the answerer's; none for PeerServer
	anew      bool    // every peer comes with a new connection, and leaves
	times     int     // as many handshakes as otherwise; 0 is 1
}

const (
	oneConnection = "the peers' connections are open"
	newConnection = "every peer on a new connection"
)

func flowsOf(b *bench) []flow {
	messages := [2]side{offerMessages, answerMessages}
	flows := []flow{
		{name: "messages", how: oneConnection, server: b.signalServer(), sides: messages},
		{
			name: "classic, candidates in arrays, wait", how: oneConnection, server: b.signalServer(),
			sides: [2]side{classicArrays("offer"), classicArrays("answer")},
		},
		{
			name: "classic, wait", how: oneConnection, server: b.signalServer(),
			sides: [2]side{classic("offer", "?wait=20"), classic("answer", "?wait=20")},
		},
		{
			name: "classic, polling", how: oneConnection, server: b.signalServer(),
			sides: [2]side{classic("offer", ""), classic("answer", "")},
		},
		{name: "net/http twin of messages", how: oneConnection, server: ours("net/http twin", "twin"), sides: messages},
		{name: "PeerServer", how: oneConnection, server: b.peerServer()},
		{name: "messages", how: newConnection, server: b.signalServer(), sides: messages, anew: true},
		{name: "net/http twin of messages", how: newConnection, server: ours("net/http twin", "twin"), sides: messages, anew: true},
		{name: "PeerServer", how: newConnection, server: b.peerServer(), anew: true},
	}
	if !b.size.peerServer {
		flows = slices.DeleteFunc(flows, flow.isPeerServer)
	}
	return flows
}

func (f flow) isPeerServer() bool { return f.sides[0] == nil }

// measureHandshakes measures what a whole handshake costs, by every flow.
func measureHandshakes(ctx context.Context, b *bench) error {
	flows := flowsOf(b)
	cpu, asked, rate := make([]series, len(flows)), make([]series, len(flows)), make([]series, len(flows))
	b.progress.rowBegins(fmt.Sprintf("%d ways to make one", len(flows)), 1, 1)
	err := b.turns(ctx, len(flows), func(i int) error {
		e, err := measureFlow(ctx, b, &flows[i])
		if err != nil {
			return fmt.Errorf("%s, %s: %w", flows[i].name, flows[i].how, err)
		}
		cpu[i] = append(cpu[i], e.micros())
		asked[i] = append(asked[i], float64(e.asked)/float64(e.units))
		rate[i] = append(rate[i], e.perSecond())
		return nil
	})
	if err != nil {
		return err
	}
	reportFlows(b, flows, cpu, asked, rate)
	return nil
}

func reportFlows(b *bench, flows []flow, cpu, asked, rate []series) {
	t := table{
		title: "CPU of one handshake",
		text: fmt.Sprintf("An offer of %d B, an answer of %d B, and %d candidates of %d B a side; done when each side has all of "+
			"the other's. %d handshakes at once. ", offerSDP, answerSDP, candidatesASide, shortCandidate, atOnce) +
			"*Messages* is `POST /offer/messages?wait` on one side, `GET` and `POST /answer/messages` on the other. *Classic* is one " +
			"payload a request, read with `?wait`, or polled with " + pollPause.String() + " between polls. The *net/http twin* is the messages flow " +
			"on the standard library: a map under a mutex, channels, encoding/json ([its source](../test/bench/twin.go)). *PeerServer* " +
			"(npm `peer`) is the signaling server of PeerJS with its default options: a WebSocket for each peer, a message for " +
			"each payload. What ends a session is not measured.",
		columns: []string{"handshake", "", "server CPU, µs", "÷ messages", "requests", "handshakes/s"},
	}
	chart := chart{title: "Server CPU per handshake, µs", decimals: 0}
	for i, f := range flows {
		base := cpu[slices.IndexFunc(flows, func(g flow) bool { return g.how == f.how })]
		t.add(f.name, f.how, cpu[i].span(1), cpu[i].over(base).span(2), asked[i].span(1), rate[i].span(0))
		own := f.server.name == "signal-server"
		if f.anew {
			chart.add(f.name+", new connections", cpu[i], own)
		} else {
			chart.add(f.name, cpu[i], own)
		}
		switch ratio := base.over(cpu[i]); {
		case f.anew: // in the table only: no limit holds for it
		case i == 0:
			b.report.bar("requests per handshake, messages", asked[0], 1, 4, 3)
		case f.isPeerServer():
			b.report.bar("CPU per handshake, messages ÷ PeerServer", ratio, 3, 1/5., 0)
		case !own:
			b.report.bar("CPU per handshake, messages ÷ net/http twin", ratio, 3, 1/1.8, 1/2.)
		}
	}
	b.report.add(t)
	b.report.draw(chart)
}

// measureFlow makes handshakes by the flow, with a new process, after some that warm it up.
func measureFlow(ctx context.Context, b *bench, f *flow) (e expense, err error) {
	p, err := b.start(ctx, f.server)
	if err != nil {
		return e, err
	}
	defer p.stop()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var pairs pairs = &httpPairs{b: b, p: p, flow: f}
	if f.isPeerServer() {
		pairs = &peerPairs{b: b, p: p, anew: f.anew}
	}
	if err := pairs.open(ctx); err != nil {
		return e, err
	}
	defer pairs.close()
	for warm := false; e.units < b.size.handshakes*max(f.times, 1); warm = true {
		keys := make([]string, min(perGo, b.size.handshakes))
		for i := range keys {
			keys[i] = newKey()
		}
		asked := pairs.asked()
		work := func() error { return makeAll(ctx, pairs, keys) }
		if !warm {
			err = work()
		} else {
			err = e.spend(p, work)
			e.units += len(keys)
			e.asked += pairs.asked() - asked
		}
		if err != nil {
			return e, err
		}
		if err := pairs.end(keys); err != nil {
			return e, err
		}
	}
	return e, nil
}

// perGo is how many handshakes are made before their sessions are ended, which is not measured.
const perGo = 8 * atOnce

// makeAll makes one handshake for every key, atOnce at the same time.
func makeAll(ctx context.Context, pairs pairs, keys []string) error {
	return atTheSameTime(atOnce, func(pair int) error {
		for i := pair; i < len(keys); i += atOnce {
			if err := pairs.handshake(ctx, pair, keys[i]); err != nil {
				return err
			}
		}
		return nil
	})
}
