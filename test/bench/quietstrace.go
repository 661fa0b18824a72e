package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// straceInstalled reports whether system calls can be seen.
func straceInstalled() bool {
	_, err := exec.LookPath("strace")
	return err == nil
}

// straced has strace look at the process, all threads, while work runs, and returns what it wrote. It runs on the server's core, for the server stands
// still while strace works, and slows the server down ten times or more.
func (b *bench) straced(ctx context.Context, p *process, work func() error, options ...string) (text string, err error) {
	path := filepath.Join(b.dir, "strace")
	cmd := exec.CommandContext(ctx, "strace", append(options, "-f", "-o", path, "-p", strconv.Itoa(p.cmd.Process.Pid))...)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var said output
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := startOn(&b.cores.server, cmd); err != nil {
		return "", fmt.Errorf("strace: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for begun := time.Now(); !strings.Contains(said.String(), "attached"); time.Sleep(5 * time.Millisecond) {
		select {
		case err := <-ended:
			return "", fmt.Errorf("strace: %w\n%s", err, said.String())
		default:
		}
		if time.Since(begun) > patience {
			err = errors.New("strace does not attach")
			break
		}
	}
	if err == nil {
		err = work()
	}
	// At an interrupt it lets go of the process, writes, and ends by the signal.
	if e := cmd.Process.Signal(os.Interrupt); err == nil {
		err = e
	}
	<-ended
	if err != nil {
		return "", err
	}
	all, err := os.ReadFile(path)
	return string(all), err
}

// callCounts reads strace's summary: how often each system call was made.
func callCounts(summary string) (map[string]int, error) {
	counts := make(map[string]int)
	for line := range strings.Lines(summary) {
		fields := strings.Fields(line) // % time, seconds, usecs/call, calls, errors if there were any, syscall
		if len(fields) < 5 {
			continue
		}
		calls, err := strconv.Atoi(fields[3])
		if name := fields[len(fields)-1]; err == nil && name != "total" {
			counts[name] = calls
		}
	}
	if len(counts) == 0 {
		return nil, fmt.Errorf("a summary without calls: %q", summary)
	}
	return counts, nil
}

// call is a system call.
type call struct {
	name, text        string
	entered, returned int // its place among all that happened; returned is 0 if it has not
}

// callsOf reads strace's list of calls, in the order in which they were made. One during which another thread made some comes in two lines.
func callsOf(list string) (calls []call) {
	const unfinished = "<unfinished ...>"
	open := make(map[string]int) // threads that are in a call, and its place in calls
	at := 0
	for line := range strings.Lines(list) {
		at++
		thread, text, _ := strings.Cut(line, " ")
		text = strings.TrimSpace(text)
		if strings.HasPrefix(text, "<... ") {
			if i, ok := open[thread]; ok {
				calls[i].text += text
				calls[i].returned = at
				delete(open, thread)
			}
			continue
		}
		name, _, found := strings.Cut(text, "(")
		if !found {
			continue // a signal, or an exit
		}
		c := call{name: name, text: text, entered: at, returned: at}
		if strings.HasSuffix(text, unfinished) {
			open[thread] = len(calls)
			c.text, c.returned = strings.TrimSuffix(text, unfinished), 0
		}
		calls = append(calls, c)
	}
	return calls
}
