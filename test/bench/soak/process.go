package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// process is the server while it runs.
type process struct {
	url, admin string // http://host:port

	http *http.Client // for the admin listener; it keeps to one connection, so that it adds the same to every sample

	cmd   *exec.Cmd
	log   output
	ended chan error // gets what Wait returned
}

// output is what the server has logged. It is safe for concurrent use.
type output struct {
	mu sync.Mutex
	// guarded by mu
	text bytes.Buffer
}

func (o *output) line(text string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	fmt.Fprintln(&o.text, text)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// patience bounds what is waited for, so that a run that fails comes to an end. Idle connections end within it.
const patience = 2 * time.Minute

var (
	serving   = regexp.MustCompile(`msg=serving address=(\S+)`)
	operators = regexp.MustCompile(`msg="serving operators" address=(\S+)`)
)

// start builds the server and starts it on free ports of the loopback. stop must follow.
func (s *soak) start(ctx context.Context) (*process, error) {
	program := filepath.Join(s.dir, "signal-server")
	build := exec.CommandContext(ctx, "go", "build", "-o", program, ".")
	build.Dir = s.root
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("go build: %w\n%s", err, out)
	}
	// In a short run sessions live shorter too. Otherwise the run would end while abandoned sessions still became more.
	ttl := min(30*time.Second, s.duration/12)
	p := &process{
		cmd:   exec.Command(program, "--listen=127.0.0.1:0", "--admin=127.0.0.1:0", "--ttl="+ttl.String(), "--max-client-memory=0", "--max-client-connections=0"),
		http:  &http.Client{Timeout: patience, Transport: &http.Transport{MaxConnsPerHost: 1}},
		ended: make(chan error, 1),
	}
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	up := make(chan struct{})
	go func() {
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			p.log.line(lines.Text())
			if m := operators.FindStringSubmatch(lines.Text()); m != nil {
				p.admin = "http://" + m[1]
			}
			if m := serving.FindStringSubmatch(lines.Text()); m != nil {
				p.url = "http://" + m[1]
				close(up)
			}
		}
		p.ended <- p.cmd.Wait()
	}()
	select {
	case <-up:
		return p, nil
	case err := <-p.ended:
		return nil, fmt.Errorf("the server did not start: %w\n%s", err, &p.log)
	case <-time.After(patience):
		p.cmd.Process.Kill()
		return nil, errors.New("the server does not say where it serves")
	}
}

var complaint = regexp.MustCompile(`level=(WARN|ERROR)|(?m)^(panic|fatal error)`)

// stop ends the server as an operator does, and checks how it ended and what it logged.
func (p *process) stop() error {
	p.http.CloseIdleConnections()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("the server: %w\n%s", err, &p.log)
	}
	select {
	case err := <-p.ended:
		if log := p.log.String(); err != nil || complaint.MatchString(log) {
			return fmt.Errorf("the server: got %v, want exit status 0, and no complaint in the log:\n%s", err, log)
		}
		return nil
	case <-time.After(patience):
		p.cmd.Process.Kill()
		return errors.New("the server does not end")
	}
}

// sample returns what the server holds now.
func (p *process) sample() (s sample, err error) {
	if err := p.metrics(map[string]*float64{"go_goroutines": &s.goroutines, "signal_connections": &s.connections}); err != nil {
		return s, err
	}
	descriptors, err := os.ReadDir(p.proc("fd"))
	if err != nil {
		return s, err
	}
	s.descriptors = float64(len(descriptors))
	if s.resident, err = p.resident(); err != nil {
		return s, err
	}
	s.cpu, err = p.cpu()
	return s, err
}

func (p *process) proc(file string) string {
	return fmt.Sprintf("/proc/%d/%s", p.cmd.Process.Pid, file)
}

// metrics sets what the metrics of those names, which have no labels, are to be put into.
func (p *process) metrics(into map[string]*float64) error {
	r, err := p.http.Get(p.admin + "/metrics")
	if err != nil {
		return err
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	found := 0
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		if into[name] == nil {
			continue
		}
		if *into[name], err = strconv.ParseFloat(value, 64); err != nil {
			return fmt.Errorf("/metrics: %s: %w", name, err)
		}
		found++
	}
	if found < len(into) {
		return fmt.Errorf("/metrics: got %s with %d of %d metrics", r.Status, found, len(into))
	}
	return nil
}

// resident returns the bytes of the server that are in memory.
func (p *process) resident() (float64, error) {
	text, err := os.ReadFile(p.proc("smaps_rollup")) // exact, which /proc/pid/status is not
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(text), "\nRss:")
	size, _, ok := strings.Cut(rest, " kB")
	if !ok {
		return 0, fmt.Errorf("%s has no Rss", p.proc("smaps_rollup"))
	}
	kib, err := strconv.ParseFloat(strings.TrimSpace(size), 64)
	return kib * 1024, err
}

// cpu returns the CPU time that the server has used, by the clock of clock_getcpuclockid(3).
func (p *process) cpu() (time.Duration, error) {
	const scheduled = 2
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^p.cmd.Process.Pid<<3|scheduled), &t); err != nil {
		return 0, fmt.Errorf("the server's CPU time: %w", err)
	}
	return time.Duration(t.Nano()), nil
}

// rest is how long an idle server takes to give up what it keeps for the next request. fasthttp keeps its workers for ten seconds.
const rest = 15 * time.Second

// idle returns the most that the server holds while nobody asks anything.
func (p *process) idle(ctx context.Context) (most sample, err error) {
	if err := pause(ctx, rest); err != nil {
		return most, err
	}
	for range 10 {
		now, err := p.sample()
		if err != nil {
			return most, err
		}
		most.goroutines = max(most.goroutines, now.goroutines)
		most.connections = max(most.connections, now.connections)
		most.descriptors = max(most.descriptors, now.descriptors)
		most.resident = max(most.resident, now.resident)
		if err := pause(ctx, 200*time.Millisecond); err != nil {
			return most, err
		}
	}
	return most, nil
}

// settled waits until the server has no more goroutines, connections and descriptors than before, and returns what it has then.
func (p *process) settled(ctx context.Context, before sample) (now sample, err error) {
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		now, err = p.sample()
		if err != nil || now.goroutines <= before.goroutines && now.connections <= before.connections && now.descriptors <= before.descriptors {
			return now, err
		}
		if err := pause(ctx, 500*time.Millisecond); err != nil {
			return now, err
		}
	}
	return now, fmt.Errorf("%v after the load the server has %v, want no more than before it, %v", patience, now, before)
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
