package main

import (
	"context"
	"fmt"
	"os/exec"
	"slices"
	"strings"
)

// redisServer is a Redis that keeps nothing on disk, otherwise with its defaults.
func (b *bench) redisServer(besideLoad bool) candidate {
	return candidate{
		name: "redis-server",
		argv: func(port string) []string {
			return []string{"redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", b.dir}
		},
		besideLoad: besideLoad,
	}
}

// redisNode is this server with its sessions in that Redis.
func (b *bench) redisNode(redis *process) candidate {
	node := b.signalServer()
	node.argv = func(port string) []string {
		return []string{b.server, "--listen=127.0.0.1:" + port, "--admin=", "--store=redis://" + redis.addr}
	}
	return node
}

// site is a Redis and the nodes over it.
type site struct {
	redis *process
	nodes []*process
}

// startSite starts a Redis on the load's core and that many nodes, all on the server's. stop must follow, also after an error.
func (b *bench) startSite(ctx context.Context, nodes int) (s site, err error) {
	if s.redis, err = b.start(ctx, b.redisServer(true)); err != nil {
		return s, err
	}
	for range nodes {
		node, err := b.start(ctx, b.redisNode(s.redis))
		if err != nil {
			return s, err
		}
		s.nodes = append(s.nodes, node)
	}
	return s, nil
}

func (s *site) stop() {
	for _, node := range s.nodes {
		node.stop()
	}
	if s.redis != nil {
		s.redis.stop()
	}
}

// inScripts are the commands that the store's scripts call. Redis counts them like those that clients send.
var inScripts = []string{"time", "hget", "hmget", "hset", "pexpireat", "set", "exists", "unlink", "spublish"}

// commands returns how often clients have sent each command so far, by the account of the Redis.
func (b *bench) commands(redis *process) (map[string]float64, error) {
	c, err := b.dialRedis(redis.addr)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	text, err := c.do("INFO", "commandstats")
	if err != nil {
		return nil, err
	}
	sent := make(map[string]float64)
	for line := range strings.Lines(text) {
		name, counts, _ := strings.Cut(line, ":calls=")
		name, ours := strings.CutPrefix(name, "cmdstat_")
		if !ours || name == "info" || slices.Contains(inScripts, name) {
			continue
		}
		var calls float64
		if _, err := fmt.Sscanf(counts, "%f,", &calls); err != nil {
			return nil, fmt.Errorf("INFO commandstats: %q: %w", line, err)
		}
		sent[name] = calls
	}
	return sent, nil
}

// redisInstalled reports whether there is what redis needs.
func redisInstalled() bool {
	for _, program := range [...]string{"redis-server", "redis-benchmark"} {
		if _, err := exec.LookPath(program); err != nil {
			return false
		}
	}
	return true
}

// redisVersion returns the version of the redis-server that is found.
func redisVersion() string {
	out, err := exec.Command("redis-server", "--version").Output()
	if err != nil {
		return "of an unknown version"
	}
	_, version, _ := strings.Cut(string(out), "v=")
	version, _, _ = strings.Cut(version, " ")
	return version
}
