package main

import (
	"context"
	"fmt"
	"slices"
)

// The store's scripts are compared with a Redis that only keeps and hands out the same bytes, the messages of a handshake in one list:
//
//	LPUSH key offer…   LRANGE key   LPUSH key answer…   LRANGE key   DEL key
const (
	selfConnections = 50 // as many as redis-benchmark opens
	pipelineSize    = 16 // commands in one go, on each connection
)

// redisItself returns what such a handshake costs the Redis, with a push for each message or with one for each description, which is an
// sdp with its candidates.
func redisItself(ctx context.Context, b *bench, byMessage bool) (e expense, err error) {
	redis, err := b.start(ctx, b.redisServer(false))
	if err != nil {
		return e, err
	}
	defer redis.stop()
	conns := make([]*redisConn, selfConnections)
	for i := range conns {
		if conns[i], err = b.dialRedis(redis.addr); err != nil {
			return e, err
		}
		defer conns[i].Close()
	}
	for warm := false; e.units < redisHandshakes(b); warm = true {
		if err := ctx.Err(); err != nil {
			return e, err
		}
		dialogs := make([]dialog, len(conns))
		for i := range dialogs {
			dialogs[i] = listHandshakes(byMessage)
		}
		work := func() error {
			return atTheSameTime(len(conns), func(i int) error { return dialogs[i].hold(conns[i], &b.faults) })
		}
		if !warm {
			err = work()
		} else {
			err = e.spend(redis, work)
			e.units += len(conns) * pipelineSize
		}
		if err != nil {
			return e, err
		}
	}
	return e, nil
}

// dialog is what a connection sends, and the answers that it must get.
type dialog struct{ commands, answers [][]byte }

func (d *dialog) add(answer []byte, command ...string) {
	d.commands, d.answers = append(d.commands, appendCommand(nil, command...)), append(d.answers, answer)
}

// hold sends the commands, pipelineSize of them in one go.
func (d *dialog) hold(c *redisConn, f *faults) error {
	for len(d.commands) > 0 {
		n := min(pipelineSize, len(d.commands))
		if err := c.pipeline(slices.Concat(d.commands[:n]...), slices.Concat(d.answers[:n]...), f); err != nil {
			return err
		}
		d.commands, d.answers = d.commands[n:], d.answers[n:]
	}
	return nil
}

// listHandshakes returns the dialog of handshakes side by side, as many as fill a pipeline.
func listHandshakes(byMessage bool) (d dialog) {
	keys := make([]string, pipelineSize)
	for i := range keys {
		keys[i] = newKey()
	}
	pushed := 0
	for _, role := range [...]string{"offer", "answer"} {
		parts := len(pushes("", role, byMessage))
		for n := range parts {
			pushed++
			for _, key := range keys {
				d.add(fmt.Appendf(nil, ":%d\r\n", pushed), "LPUSH", key, pushes(key, role, byMessage)[n])
			}
		}
		for _, key := range keys {
			list := pushes(key, role, byMessage)
			slices.Reverse(list) // the last that was pushed comes first
			answer := fmt.Appendf(nil, "*%d\r\n", len(list))
			for _, part := range list {
				answer = appendBulk(answer, part)
			}
			d.add(answer, "LRANGE", key, "0", fmt.Sprint(parts-1))
		}
	}
	for _, key := range keys {
		d.add([]byte(":1\r\n"), "DEL", key)
	}
	return d
}

// pushes returns what a role pushes.
func pushes(key, role string, byMessage bool) []string {
	parts := []string{string(sdp(key, role).appendWire(nil))}
	for n := 1; n <= candidatesASide; n++ {
		candidate := string(short(key, role, n).appendWire(nil))
		if byMessage {
			parts = append(parts, candidate)
		} else {
			parts[0] += candidate
		}
	}
	return parts
}
