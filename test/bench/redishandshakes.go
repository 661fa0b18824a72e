package main

import (
	"context"
	"fmt"
)

// redisHandshakes is how many handshakes are made, per candidate and round. They are more than with other stores, because three
// processes share two cores.
func redisHandshakes(b *bench) int { return 2 * b.size.handshakes }

// redisCost is what a handshake costs the nodes and the Redis.
type redisCost struct{ nodes, redis expense }

// The candidates of a handshake with Redis, in their order.
const (
	storeMemory = iota
	oneNode
	twoNodes
	listByMessage
	listByDescription
	redisCandidates
)

// redisCPU measures what a handshake costs a node and the Redis: beside the memory store, beside a Redis that keeps the same
// bytes in a list, and with a second node.
func redisCPU(ctx context.Context, b *bench) error {
	var nodes, redis [redisCandidates]series
	var rate [redisCandidates]series
	err := b.turns(ctx, redisCandidates, func(i int) error {
		cost, err := redisCandidate(ctx, b, i)
		if err != nil {
			return err
		}
		if i <= twoNodes {
			nodes[i] = append(nodes[i], cost.nodes.micros())
			rate[i] = append(rate[i], cost.nodes.perSecond())
		}
		if i != storeMemory {
			redis[i] = append(redis[i], cost.redis.micros())
		}
		return nil
	})
	if err != nil {
		return err
	}
	t := table{
		title: "CPU of one handshake with Redis",
		text: fmt.Sprintf("The messages flow as above, and a DELETE at its end; %d at once. The nodes have one core, the Redis shares the other with "+
			"the load, so handshakes per second are the load's; quoted, nothing is decided by them. *Redis itself* keeps the same bytes in a list, "+
			"over %d connections with %d commands in one go: LPUSH, LRANGE and DEL, with a push for each message, or one for each description. "+
			"With two nodes, every offerer is at another node than its answerer.", atOnce, selfConnections, pipelineSize),
		columns: []string{"", "nodes' CPU, µs", "Redis's CPU, µs", "handshakes/s"},
	}
	for i, name := range [...]string{"memory store", "redis store, one node", "redis store, two nodes", "Redis itself, push of a message", "Redis itself, push of a description"} {
		t.add(name, nodes[i].span(1), redis[i].span(1), rate[i].span(0))
	}
	b.report.add(t)
	b.report.bar("CPU per handshake, redis store ÷ memory store", nodes[oneNode].over(nodes[storeMemory]), 2, 2, 0)
	b.report.bar("Redis's CPU per handshake ÷ LPUSH of each message, LRANGE, DEL", redis[oneNode].over(redis[listByMessage]), 2, 2.5, 0)
	b.report.bar("Redis's CPU per handshake ÷ LPUSH of each description, LRANGE, DEL", redis[oneNode].over(redis[listByDescription]), 2, 2.5, 0)
	reportCapacity(b, nodes[oneNode], nodes[twoNodes], redis[twoNodes])
	return nil
}

// reportCapacity reports what a second node is worth. Two nodes, a Redis and a load cannot have a core each here, so it calculates: a
// node with a core makes as many handshakes as its CPU time has room for, and the nodes that take part share what one costs.
func reportCapacity(b *bench, one, two, redis series) {
	var capacity [2]series
	for i := range min(len(one), len(two)) {
		capacity[0] = append(capacity[0], 1e6/one[i])
		capacity[1] = append(capacity[1], 2*1e6/two[i])
	}
	limit := series{1e6}.over(series{redis.median()})
	t := table{
		title: "A second node",
		text: "Handshakes per second that the nodes have CPU time for, with a core each: the number of nodes ÷ the CPU time that all of them spend on a " +
			"handshake, from the table above. Two nodes, Redis and load with a core each need four; here the nodes share one, which costs them more " +
			"than a core each would. The Redis has CPU time for " + limit.span(0) + ", which is where more nodes end.",
		columns: []string{"nodes", "handshakes/s"},
	}
	t.add("1", capacity[0].span(0))
	t.add("2", capacity[1].span(0))
	b.report.add(t)
	b.report.bars = append(b.report.bars, bar{
		name: "throughput of two nodes ÷ of one, by CPU time", got: capacity[1].over(capacity[0]), decimals: 2, limit: 1.8, atLeast: true,
	})
}

func redisCandidate(ctx context.Context, b *bench, i int) (c redisCost, err error) {
	switch i {
	case storeMemory:
		node, err := b.start(ctx, b.signalServer())
		if err != nil {
			return c, err
		}
		defer node.stop()
		return storeHandshakes(ctx, b, site{nodes: []*process{node}})
	case oneNode, twoNodes:
		s, err := b.startSite(ctx, i)
		defer s.stop()
		if err != nil {
			return c, err
		}
		return storeHandshakes(ctx, b, s)
	default:
		c.redis, err = redisItself(ctx, b, i == listByMessage)
		return c, err
	}
}

// storeHandshakes makes handshakes at the site's nodes, and ends their sessions. The two peers of a handshake are at different nodes.
func storeHandshakes(ctx context.Context, b *bench, s site) (c redisCost, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	flow := flow{name: "messages, ended", sides: [2]side{offerMessagesAndEnd, answerMessages}}
	pairs := &httpPairs{b: b, flow: &flow}
	defer pairs.close()
	for i := range 2 * atOnce {
		pair, role := i%atOnce, i/atOnce
		lines, err := b.dialLines(s.nodes[(pair+role)%len(s.nodes)], 1)
		if err != nil {
			return c, err
		}
		pairs.lines = append(pairs.lines, lines...)
	}
	for warm := false; c.nodes.units < redisHandshakes(b); warm = true {
		keys := make([]string, min(perGo, redisHandshakes(b)))
		for i := range keys {
			keys[i] = newKey()
		}
		work := func() error { return makeAll(ctx, pairs, keys) }
		if warm {
			err = c.spend(s, len(keys), work)
		} else {
			err = work()
		}
		if err != nil {
			return c, err
		}
	}
	return c, nil
}

// spend measures what the work of so many units costs the site, and adds it.
func (c *redisCost) spend(s site, units int, work func() error) error {
	for _, node := range s.nodes[1:] { // each adds its own, around those before it
		outer, node := work, node
		work = func() error {
			before := node.cpu()
			err := outer()
			c.nodes.cpu += node.cpu() - before
			return err
		}
	}
	if s.redis != nil {
		inner := work
		work = func() error { return c.redis.spend(s.redis, inner) }
	}
	c.nodes.units += units
	c.redis.units += units
	return c.nodes.spend(s.nodes[0], work)
}
