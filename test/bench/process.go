package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// candidate is a server that is measured.
type candidate struct {
	name string
	argv func(port string) []string
	env  []string

	admin      string // host:port of its listener for operators, if it has one
	turn       string // host:port of its TURN server, if that is another than its own
	besideLoad bool   // it runs on the load's core, because a measured server needs it and has the other core
}

// process is a candidate that runs, on its core.
type process struct {
	candidate
	addr string // host:port

	cmd   *exec.Cmd
	clock int32
	log   output
}

// output is what a process has said so far. It is safe for concurrent use.
type output struct {
	mu sync.Mutex
	// guarded by mu
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// start starts the candidate on a free port of the loopback and waits until it listens. stop must follow.
func (b *bench) start(ctx context.Context, c candidate) (*process, error) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &process{candidate: c, addr: free.Addr().String()}
	free.Close()
	_, port, err := net.SplitHostPort(p.addr)
	if err != nil {
		return nil, err
	}
	argv := c.argv(port)
	p.cmd = exec.CommandContext(ctx, argv[0], argv[1:]...)
	p.cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME")}, c.env...)
	p.cmd.Stdout, p.cmd.Stderr = &p.log, &p.log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	on := &b.cores.server
	if c.besideLoad {
		on = &b.cores.load
	}
	if err := startOn(on, p.cmd); err != nil {
		return nil, fmt.Errorf("starting %s: %w", c.name, err)
	}
	p.clock = cpuClock(p.cmd.Process.Pid)
	for begun := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		conn, err := net.Dial("tcp", p.addr)
		if err == nil {
			conn.Close()
			return p, nil
		}
		if ctx.Err() != nil || time.Since(begun) > 20*time.Second {
			p.stop()
			return nil, fmt.Errorf("%s does not listen: %w\n%s", c.name, err, p.log.String())
		}
	}
}

// stop kills the process: nothing that it holds is needed any more.
func (p *process) stop() {
	p.cmd.Process.Kill()
	p.cmd.Wait()
}

// cpuClock returns the clock of the CPU time, user and system, of all threads of a process, as clock_getcpuclockid(3) does.
// It counts in nanoseconds, where /proc/pid/stat counts in ticks of 10 ms.
func cpuClock(pid int) int32 {
	const scheduled = 2
	return int32(^pid<<3 | scheduled)
}

// cpu returns the CPU time that the process has used since it began.
func (p *process) cpu() time.Duration { return cpuTime(p.clock) }

func cpuTime(clock int32) time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(clock, &t); err != nil {
		return 0 // the process has died: the next request to it fails and says so
	}
	return time.Duration(t.Nano())
}

// rss returns the bytes of the process that are in memory.
func (p *process) rss() (int64, error) {
	file, err := os.Open(fmt.Sprintf("/proc/%d/smaps_rollup", p.cmd.Process.Pid)) // exact, which /proc/pid/statm is not
	if err != nil {
		return 0, err
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if size, ok := strings.CutPrefix(lines.Text(), "Rss:"); ok {
			kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(size), " kB"), 10, 64)
			return kib << 10, err
		}
	}
	return 0, fmt.Errorf("%s has no Rss", file.Name())
}

// settle waits until the process has nothing to do: until it uses less than a fiftieth of its core.
func (p *process) settle(ctx context.Context) error {
	const look = 200 * time.Millisecond
	for before := p.cpu(); ; {
		select {
		case <-time.After(look):
		case <-ctx.Done():
			return ctx.Err()
		}
		now := p.cpu()
		if now-before < look/50 {
			return nil
		}
		before = now
	}
}
