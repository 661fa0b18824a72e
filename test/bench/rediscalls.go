package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
)

// redisCallers is how many goroutines call a store at once, and how many commands are under way in the pipelines beside it.
const redisCallers = 256

// redisCalls measures how many calls a second the store makes, in a process of its own, against pipelines of the same script
// with the same arguments. The Redis has a core to itself.
func redisCalls(ctx context.Context, b *bench) error {
	calls := [...]struct{ name, of string }{{"read, nothing new", "nothing"}, {"read, sdp and 6 candidates", "all"}}
	t := table{
		title: "Calls of the redis store",
		text: fmt.Sprintf("Calls a second by %d callers in process, on one core, the Redis on the other; and how often the Redis does the same script "+
			"with the same arguments, EVALSHA over %d connections with %d commands in one go: what redis-benchmark does, which cannot send zero bytes.",
			redisCallers, redisCallers/pipelineSize, pipelineSize),
		columns: []string{"call", "store, calls/s", "pipeline, EVALSHA/s", "ratio", "the caller's CPU a call, µs"},
	}
	for _, call := range calls {
		var rate [2]series
		var cpu series
		err := b.turns(ctx, len(rate), func(i int) error {
			redis, err := b.start(ctx, b.redisServer(false))
			if err != nil {
				return err
			}
			defer redis.stop()
			if i == 0 {
				r, err := storeChild(ctx, b, redis, call.of, redisCallers, b.size.operations/2)
				if err != nil {
					return err
				}
				rate[i] = append(rate[i], 1/r.Wall.Seconds())
				cpu = append(cpu, float64(r.CPU.Nanoseconds())/1e3)
				return nil
			}
			argv, err := overhear(ctx, b, redis, call.of)
			if err != nil {
				return err
			}
			perSecond, err := pipelined(b, redis, argv)
			rate[i] = append(rate[i], perSecond)
			return err
		})
		if err != nil {
			return fmt.Errorf("%s: %w", call.name, err)
		}
		ratio := rate[0].over(rate[1])
		t.add(call.name, rate[0].span(0), rate[1].span(0), ratio.span(2), cpu.span(2))
		b.report.bars = append(b.report.bars, bar{
			name: "calls/s of the redis store ÷ pipelined EVALSHA: " + call.name, got: ratio, decimals: 2, limit: 0.8, atLeast: true,
		})
	}
	b.report.add(t)
	return nil
}

// overhear makes one call of a store, and returns the command that the Redis got.
func overhear(ctx context.Context, b *bench, redis *process, of string) (argv []string, err error) {
	ear, err := b.dialRedis(redis.addr)
	if err != nil {
		return nil, err
	}
	defer ear.Close()
	if _, err := ear.do("MONITOR"); err != nil {
		return nil, err
	}
	if _, err := storeChild(ctx, b, redis, of, 1, 1); err != nil {
		return nil, err
	}
	voice, err := b.dialRedis(redis.addr)
	if err != nil {
		return nil, err
	}
	defer voice.Close()
	if _, err := voice.do("ECHO", "that was all"); err != nil {
		return nil, err
	}
	for {
		line, err := ear.line()
		if err != nil {
			return nil, err
		}
		_, text, _ := strings.Cut(line, "] ")
		command, err := unquoteAll(text)
		switch {
		case err != nil:
			return nil, fmt.Errorf("MONITOR: %q: %w", line, err)
		case command[0] == "EVALSHA":
			argv = command
		case command[0] == "ECHO" && argv == nil:
			return nil, errors.New("MONITOR: the store has called no script")
		case command[0] == "ECHO":
			return argv, nil
		}
	}
}

// unquoteAll returns the words of a line of MONITOR.
func unquoteAll(text string) (words []string, err error) {
	for text != "" {
		quoted, err := strconv.QuotedPrefix(text)
		if err != nil {
			return nil, err
		}
		word, err := strconv.Unquote(quoted)
		if err != nil {
			return nil, err
		}
		words = append(words, word)
		text = strings.TrimPrefix(text[len(quoted):], " ")
	}
	if len(words) == 0 {
		return nil, errors.New("no command")
	}
	return words, nil
}

// pipelined returns how often a second the Redis carries out the command, over connections that send it in pipelines as redis-benchmark
// does. redis-benchmark itself cannot send these arguments, because they hold zero bytes.
func pipelined(b *bench, redis *process, argv []string) (float64, error) {
	command := appendCommand(nil, argv...)
	conns := make([]*redisConn, redisCallers/pipelineSize)
	for i := range conns {
		var err error
		if conns[i], err = b.dialRedis(redis.addr); err != nil {
			return 0, err
		}
		defer conns[i].Close()
	}
	answer, err := conns[0].whole(command)
	if err != nil {
		return 0, err
	}
	commands, want := bytes.Repeat(command, pipelineSize), bytes.Repeat(answer, pipelineSize)
	e := expense{units: max(1, b.size.operations/2/redisCallers) * redisCallers}
	err = e.spend(redis, func() error {
		return atTheSameTime(len(conns), func(i int) error {
			for range e.units / redisCallers {
				if err := conns[i].pipeline(commands, want, &b.faults); err != nil {
					return err
				}
			}
			return nil
		})
	})
	return e.perSecond(), err
}

// storeChild makes calls of a store in a process of its own, on the load's core.
func storeChild(ctx context.Context, b *bench, redis *process, of string, callers, calls int) (r spent, err error) {
	cmd := exec.CommandContext(ctx, executable(), "serve", "rediscalls", "redis://"+redis.addr, of, strconv.Itoa(callers), strconv.Itoa(calls))
	var out, complaint output
	cmd.Stdout, cmd.Stderr = &out, &complaint
	err = startOn(&b.cores.load, cmd)
	if err == nil {
		err = cmd.Wait()
	}
	if err == nil {
		err = json.Unmarshal(bytes.TrimSpace([]byte(out.String())), &r)
	}
	if err != nil {
		return r, fmt.Errorf("the store in process: %w\n%s", err, complaint.String())
	}
	b.faults.checked.Add(int64(calls))
	return r, nil
}
