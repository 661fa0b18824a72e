package main

import "context"

// measureRedis measures the store for many machines: what it costs a node and its Redis, how often it asks, how fast news cross from node
// to node, and what a second node is worth. It needs redis-server and redis-benchmark.
func measureRedis(ctx context.Context, b *bench) error {
	return b.rows(ctx, []row{
		{"CPU of a handshake", redisCPU},
		{"round trips", redisTrips},
		{"hand-off across nodes", redisHandoff},
		{"calls of the store", redisCalls},
	})
}
