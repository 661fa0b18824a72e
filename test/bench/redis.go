package main

import "context"

// redis measures the store for many machines: what it costs a node and its Redis, how often it asks, how fast news cross from
// node to node, and what a second node is worth. It needs redis-server and redis-benchmark.
func (b *bench) redis(ctx context.Context) error {
	return b.rows(ctx, []row{
		{"CPU of a handshake", b.redisCPU},
		{"round trips", b.redisTrips},
		{"hand-off across nodes", b.redisHandoff},
		{"calls of the store", b.redisCalls},
	})
}
