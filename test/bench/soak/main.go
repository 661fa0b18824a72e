// Command soak puts a server under load for an hour, with clients that die, and looks for what grows: goroutines, descriptors,
// memory, CPU time and the time of a handshake. It is for Linux, and is run by hand:
//
//	go -C test/bench run ./soak [-duration 1h] [-rate 20] [-vanish 200]
//
//	k6/run soak ──load, and deaths──▶ server ◀──handshakes, one after the other── this process
//	                                   ▲  ▲───connections, of which most vanish─────┤
//	                                   └───────/proc, and the admin listener────────┘
//
// The load comes and goes like a tide, alike in each quarter of the run. So the last quarter can be compared with the second; the first
// is for warming up. When the load has gone the server must have no more goroutines and descriptors than before.
//
// A run of an hour or more writes docs/soak.md and docs/soak.svg. k6 checks every payload, this program its own.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// soak is one run.
type soak struct {
	duration time.Duration // of the load
	rate     int           // of the load, sessions a second
	vanish   int           // connections a second of clients that vanish
	root     string        // directory of the server's source
	dir      string        // of what is built and written for the run
	begun    time.Time
}

// whole is the shortest run that is written down, and whose times are judged. A shorter one has not seen enough.
const whole = time.Hour

func main() {
	var s soak
	flag.DurationVar(&s.duration, "duration", whole, "how long the load lasts; nothing is written of less than an hour")
	flag.IntVar(&s.rate, "rate", 20, "sessions a second")
	flag.IntVar(&s.vanish, "vanish", 200, "connections a second of clients beside the load, most of which vanish")
	flag.StringVar(&s.root, "root", "../..", "directory of the signaling server's source")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := s.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}

func (s *soak) run(ctx context.Context) (err error) {
	if s.duration < 10*time.Second || s.rate < 1 || s.vanish < 1 {
		return fmt.Errorf("-duration is %v, -rate %d and -vanish %d, must be 10s, 1 and 1 or more", s.duration, s.rate, s.vanish)
	}
	if s.dir, err = os.MkdirTemp("", "signal-server-soak-"); err != nil {
		return err
	}
	defer os.RemoveAll(s.dir)
	s.begun = time.Now()
	s.say("building the server and starting it")
	server, err := s.start(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.stop()) }()
	probe, err := newProbe(server.url)
	if err != nil {
		return err
	}
	r := result{rate: s.rate, vanish: s.vanish, lasted: s.duration}
	if err := probe.warm(ctx); err != nil {
		return err
	}
	s.say("looking for %v at the idle server", rest)
	if r.before, err = server.idle(ctx); err != nil {
		return err
	}
	s.say("%v of load begin: %v before it", s.duration, r.before)
	var failed error
	if r.samples, r.load, failed = s.watch(ctx, server, probe); len(r.samples) < enough {
		return errors.Join(failed, errors.New("the load is over before anything can be said of it"))
	}
	s.say("the load is over: waiting until the server has no more than before it")
	if r.after, err = server.settled(ctx, r.before); err != nil {
		return errors.Join(failed, err)
	}
	r.print(os.Stdout)
	if failed == nil && s.duration >= whole {
		failed = r.write(filepath.Join(s.root, "docs"))
	}
	return errors.Join(failed, r.verdict())
}

// say says on stderr how far the run is.
func (s *soak) say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "soak: %v: %s\n", time.Since(s.begun).Round(time.Second), fmt.Sprintf(format, args...))
}

// enough is how many samples it takes to compare quarters.
const enough = 8

// watch takes samples until the load has ended, and returns them with what the load counted.
func (s *soak) watch(ctx context.Context, server *process, probe *probe) ([]sample, counts, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	probing := make(chan error, 1)
	go func() { probing <- probe.run(ctx) }()
	crowd := &vanishers{
		address: strings.TrimPrefix(server.url, "http://"), rate: s.vanish,
		longest: min(longest, s.duration/12), // as the sessions' ttl
	}
	vanishing := make(chan error, 1)
	go func() { vanishing <- crowd.run(ctx) }()
	loading := make(chan error, 1)
	go func() { loading <- s.load(ctx, server.url) }()
	every := max(s.duration/240, 500*time.Millisecond)
	tick := time.NewTicker(every)
	defer tick.Stop()
	tell := time.NewTicker(min(s.duration/8, time.Minute))
	defer tell.Stop()
	var samples []sample
	begun := time.Now()
	for {
		select {
		case <-tick.C:
			next, err := server.sample()
			if err != nil {
				return nil, counts{}, err
			}
			next.at = time.Since(begun)
			next.took = probe.take()
			samples = append(samples, next)
		case <-tell.C:
			if n := len(samples); n > 0 {
				s.say("%v of %v: %v", samples[n-1].at.Round(time.Second), s.duration, samples[n-1])
			}
		case err := <-probing:
			return nil, counts{}, errors.Join(err, stopped(cancel, loading, vanishing))
		case err := <-vanishing:
			return nil, counts{}, errors.Join(err, stopped(cancel, loading, probing))
		case err := <-loading:
			err = errors.Join(err, stopped(cancel, probing, vanishing))
			load, e := countsOf(filepath.Join(s.dir, "soak.json"))
			load.probes, load.vanished, load.freed = probe.total, int(crowd.vanished.Load()), int(crowd.freed.Load())
			return within(samples, s.duration), load, errors.Join(err, e)
		}
	}
}

// stopped cancels what runs beside and waits until all of it has ended.
func stopped(cancel context.CancelFunc, others ...chan error) (errs error) {
	cancel()
	for _, other := range others {
		if err := <-other; !errors.Is(err, context.Canceled) {
			errs = errors.Join(errs, err)
		}
	}
	return errs
}

// within returns the samples that were taken before the load began to end.
func within(samples []sample, duration time.Duration) []sample {
	for len(samples) > 0 && samples[len(samples)-1].at > duration {
		samples = samples[:len(samples)-1]
	}
	return samples
}

// load runs the load until it is over.
func (s *soak) load(ctx context.Context, url string) error {
	cmd := exec.CommandContext(ctx, filepath.Join(s.root, "k6", "run"), "soak")
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) } // it ends k6 with it
	out, err := filepath.Abs(s.dir)
	if err != nil {
		return err
	}
	cmd.Env = append(os.Environ(), "TARGET="+url, "OUT="+out, fmt.Sprintf("RATE=%d", s.rate),
		fmt.Sprintf("DURATION=%ds", int(s.duration.Seconds())))
	if s.duration < whole {
		cmd.Env = append(cmd.Env, "P95=3000", "P99=5000") // as in a smoke test, which does not judge speed
	}
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return errors.Join(ctx.Err(), fmt.Errorf("the load: %w", err))
	}
	return nil
}
