package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"time"
)

// inprocessKinds are the kinds of request that are measured in process too, with their limits against Fiber.
var inprocessKinds = []struct {
	kind       *kind
	limit, aim float64
}{
	{&kinds[kindPost], 2, 1.5},
	{&kinds[kindPoll], 1.4, 1.2},
	{&kinds[kindTake], 2, 1.5},
}

// measureInprocess measures requests without sockets, in a process of its own: against Fiber with a handler that does nothing, and then on
// one core and on two, which a load on the same machine would not leave free.
func measureInprocess(ctx context.Context, b *bench) error {
	rows := len(inprocessKinds) + 1
	if err := besideFiber(ctx, b, rows); err != nil {
		return err
	}
	if b.cores.count < 2 {
		return nil // nothing to tell
	}
	b.progress.rowBegins("one core and two", rows, rows)
	return secondCore(ctx, b)
}

func besideFiber(ctx context.Context, b *bench, rows int) error {
	t := table{
		title: "In process, without sockets",
		text: "CPU time of a request from its bytes to the bytes of its answer, over connections that are memory, so without the kernel's " +
			"part: the whole server, and Fiber with its default options and a handler that does nothing, for the same request.",
		columns: []string{"request", "this server, ns", "Fiber, ns", "ratio"},
	}
	for i := range inprocessKinds {
		k := &inprocessKinds[i]
		b.progress.rowBegins(k.kind.name+" beside Fiber", i+1, rows)
		var took [2]series
		err := b.turns(ctx, len(took), func(c int) error {
			r, err := inChild(ctx, b, [...]string{"server", "fiber"}[c], k.kind, 1)
			took[c] = append(took[c], float64(r.CPU))
			return err
		})
		if err != nil {
			return err
		}
		ratio := took[0].over(took[1])
		t.add(k.kind.name, took[0].span(0), took[1].span(0), ratio.span(2))
		b.report.bar("in-process time ÷ Fiber with an empty handler: "+k.kind.name, ratio, 2, k.limit, k.aim)
	}
	b.report.add(t)
	return nil
}

func secondCore(ctx context.Context, b *bench) error {
	var rate [2]series
	err := b.turns(ctx, len(rate), func(c int) error {
		var wall time.Duration
		for i := range inprocessKinds {
			r, err := inChild(ctx, b, "server", inprocessKinds[i].kind, c+1)
			if err != nil {
				return err
			}
			wall += r.Wall
		}
		rate[c] = append(rate[c], float64(len(inprocessKinds))/wall.Seconds())
		return nil
	})
	if err != nil {
		return err
	}
	t := table{
		title: "A second core",
		text: "Requests per second, in process as above, of the same three kinds one after the other: with one core and with two. With sockets it cannot be " +
			"measured on a machine where the load needs the second core.",
		columns: []string{"cores", "requests/s"},
	}
	t.add("1", rate[0].span(0))
	t.add("2", rate[1].span(0))
	b.report.add(t)
	b.report.bars = append(b.report.bars, bar{
		name: "throughput of two cores ÷ of one, in process", got: rate[1].over(rate[0]), decimals: 2, limit: 1.8, aim: 1.95, atLeast: true,
	})
	return nil
}

// spent is what a request took in process.
type spent struct {
	CPU, Wall time.Duration
	Allocs    float64
}

// inChild calls measureInMemory in a process of its own.
func inChild(ctx context.Context, b *bench, what string, k *kind, procs int) (spent, error) {
	cmd := exec.CommandContext(ctx, executable(), "serve", "inprocess", what, k.name, strconv.Itoa(procs), strconv.Itoa(b.size.operations))
	on := &b.cores.server
	if procs > 1 {
		on = &b.cores.all
	}
	var out, complaint output
	cmd.Stdout, cmd.Stderr = &out, &complaint
	var r spent
	err := startOn(on, cmd)
	if err == nil {
		err = cmd.Wait()
	}
	if err == nil {
		err = json.Unmarshal([]byte(out.String()), &r)
	}
	if err != nil {
		return r, fmt.Errorf("%s in process: %w\n%s", what, err, complaint.String())
	}
	b.faults.checked.Add(int64(b.size.operations))
	return r, nil
}

// inprocessChild is the child's part: WHAT KIND PROCS REQUESTS. It prints what a request took.
func inprocessChild(args []string) error {
	const usage = "serve inprocess WHAT KIND PROCS REQUESTS"
	if len(args) != 4 {
		return errors.New(usage)
	}
	procs, err := strconv.Atoi(args[2])
	if err != nil {
		return errors.New(usage)
	}
	requests, err := strconv.Atoi(args[3])
	if err != nil {
		return errors.New(usage)
	}
	for i := range kinds {
		if k := &kinds[i]; k.name == args[1] {
			r, err := measureInMemory(args[0], k, procs, requests)
			if err != nil {
				return err
			}
			text, err := json.Marshal(r)
			fmt.Printf("%s\n", text)
			return err
		}
	}
	return fmt.Errorf("%s: no kind %q", usage, args[1])
}
