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

// inprocessKinds are the kinds of request that are measured in process too.
var inprocessKinds = []*kind{&kinds[kindPost], &kinds[kindPoll], &kinds[kindTake]}

// What a request may take in process, beside Fiber that sends the same answer: by time, and by instructions.
const (
	fiberLimit = 1.35
	fiberAim   = 1.2
)

// measureInprocess measures requests without sockets, in a process of its own: against Fiber that sends the same headers and as long a body,
// and then on one core and on two, which a load on the same machine would not leave free.
func measureInprocess(ctx context.Context, b *bench) error {
	rows := len(inprocessKinds) + 2
	if err := besideFiber(ctx, b, rows); err != nil {
		return err
	}
	b.progress.rowBegins("the check of JSON", rows-1, rows)
	if err := measureJSONCheck(ctx, b); err != nil {
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
			"part: the whole server, and Fiber with its default options and a handler that does nothing but send the headers of this server's answer and " +
			"a body of its length, for the same request. Instructions are those of user mode, by callgrind, in which the machine's load does not show.",
		columns: []string{"request", "this server, ns", "Fiber, ns", "ratio", "this server, instructions", "Fiber, instructions", "ratio"},
	}
	for i, k := range inprocessKinds {
		b.progress.rowBegins(k.name+" beside Fiber", i+1, rows)
		var took [2]series
		err := b.turns(ctx, len(took), func(c int) error {
			r, err := inChild(ctx, b, besides[c], k, 1)
			took[c] = append(took[c], float64(r.CPU))
			return err
		})
		if err != nil {
			return err
		}
		ratio := took[0].over(took[1])
		row := []string{k.name, took[0].span(0), took[1].span(0), ratio.span(2)}
		b.report.bar("in-process time ÷ Fiber that sends the same headers and body: "+k.name, ratio, 2, fiberLimit, fiberAim)
		if !countsInstructions() {
			t.add(append(row, withoutValgrind, withoutValgrind, "–")...)
			continue
		}
		counted, err := instructionsBesideFiber(ctx, b, k)
		if err != nil {
			return err
		}
		ratio = counted[0].over(counted[1])
		t.add(append(row, counted[0].span(0), counted[1].span(0), ratio.span(2))...)
		b.report.bar("in-process instructions ÷ Fiber that sends the same headers and body: "+k.name, ratio, 2, fiberLimit, fiberAim)
	}
	b.report.add(t)
	return nil
}

// besides are the servers that are measured beside each other in process.
var besides = [...]string{"server", "fiber"}

// instructionsBesideFiber counts a request's instructions, once: another count differs by one or two in a hundred.
func instructionsBesideFiber(ctx context.Context, b *bench, k *kind) (counted [len(besides)]series, err error) {
	goes := min(max(1, b.size.operations/k.repeat/inMemoryConns), 4)
	for i, what := range besides {
		each, err := instructions(ctx, goes*k.repeat*inMemoryConns, func(asked int) []string {
			prepared := 2 * goes * k.repeat * inMemoryConns // as many each time: what prepares a session is not to be counted
			return append(inprocessArgs(what, k, 1, prepared), strconv.Itoa(asked))
		})
		if err != nil {
			return counted, err
		}
		counted[i] = series{each}
	}
	return counted, nil
}

func secondCore(ctx context.Context, b *bench) error {
	var rate [2]series
	err := b.turns(ctx, len(rate), func(c int) error {
		var wall time.Duration
		for i := range inprocessKinds {
			r, err := inChild(ctx, b, "server", inprocessKinds[i], c+1)
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
	cmd := exec.CommandContext(ctx, executable(), append([]string{"serve"}, inprocessArgs(what, k, procs, b.size.operations)...)...)
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

func inprocessArgs(what string, k *kind, procs, requests int) []string {
	return []string{"inprocess", what, k.name, strconv.Itoa(procs), strconv.Itoa(requests)}
}

// inprocessChild is the child's part: WHAT KIND PROCS REQUESTS [ASKED]. It prepares so many requests, asks them or only the first of them, and
// prints what a request took.
func inprocessChild(args []string) error {
	const usage = "serve inprocess WHAT KIND PROCS REQUESTS [ASKED]"
	if len(args) < 4 || len(args) > 5 {
		return errors.New(usage)
	}
	var numbers [3]int // procs, requests, asked
	for i, arg := range args[2:] {
		n, err := strconv.Atoi(arg)
		if err != nil {
			return errors.New(usage)
		}
		numbers[i] = n
	}
	if len(args) == 4 {
		numbers[2] = numbers[1]
	}
	for i := range kinds {
		if k := &kinds[i]; k.name == args[1] {
			r, err := measureInMemory(args[0], k, numbers[0], numbers[1], numbers[2])
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
