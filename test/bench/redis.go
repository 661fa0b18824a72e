package main

import "context"

// redis measures the store for many machines: what it costs a node and its Redis, how often it asks, how fast news cross from
// node to node, and what a second node is worth. It needs redis-server and redis-benchmark.
func (b *bench) redis(ctx context.Context) error {
	for _, measure := range []func(context.Context) error{
		b.redisCPU, b.redisTrips, b.redisHandoff, b.redisCalls,
	} {
		if err := measure(ctx); err != nil {
			return err
		}
	}
	return nil
}
