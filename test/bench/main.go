// Command bench measures this server beside others, side by side in one run on one machine, and writes docs/benchmarks.md and
// docs/benchmarks.svg. It is for Linux, and is run by hand:
//
//	go -C test/bench run . [-rounds 10] [-only requests,handshakes,arriving,memory,waiting,idle,tls,leaving,handoff,calls,inprocess,redis,relays]
//	go -C test/bench run . -against DIR [-only versions,twice,rung,paused,relayed]
//	                                         this version and that of another checkout, in turns: five minutes
//
//	one core: a server, a process of its own          another core: this process
//	signal-server, bare fasthttp, net/http,   ◀─────▶ asks over keep-alive connections, checks every answer,
//	PeerServer: one of them at a time                 reads the server's CPU clock before and after
//
// Absolute times mean little on a shared machine, so every figure is taken from candidates that take turns in every round,
// and what is compared is the ratio within a round: its median, least and most over the rounds. An answer that is lost,
// doubled, mixed up or wrong in any other way makes the whole run fail.
//
// The other servers run in this same program: see serve.go. It knows the signaling server by its wire only, but for the
// figures that are taken in process.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// size says how much is measured. A round is so long that the grain of the clock and of the scheduler does not show in it.
type size struct {
	rounds      int
	requests    int // of each kind, per candidate and round
	handshakes  int // per candidate and round
	dials       int // connections made, per candidate and round
	peerServer  bool
	sessions    int           // alive at once, for the memory of one
	connections int           // waiting at once
	quiet       int           // connections on which nothing happens, for the memory of one
	handoffs    int           // per round
	churn       int           // sessions
	operations  int           // in process, per candidate and round
	relaying    time.Duration // that packets are relayed at each pace, per candidate and round
	connects    int           // of WebRTC peers, of each kind per round
}

// bench is one run: what all measurements share. A measurement is a function that takes it, starts candidates, lets them take turns, and
// adds to the report.
type bench struct {
	size   size
	cores  cores
	dir    string // of programs that are built for the run
	server string // the signaling server's executable
	other  string // that of the version that it is measured against, if any
	peer   string // PeerServer's script
	poller *poller
	faults faults
	report report

	progress *progress
}

// group is a part of the page that can be measured by itself.
type group struct {
	name string
	run  func(context.Context, *bench) error
}

// row is a part of a group.
type row struct {
	name    string
	measure func(context.Context, *bench) error
}

// rows measures rows one after the other.
func (b *bench) rows(ctx context.Context, rows []row) error {
	for i, r := range rows {
		b.progress.rowBegins(r.name, i+1, len(rows))
		if err := r.measure(ctx, b); err != nil {
			return err
		}
	}
	return nil
}

var groups = []group{
	{"requests", measureRequests},
	{"handshakes", measureHandshakes},
	{"arriving", measureArriving},
	{"memory", measureMemory},
	{"waiting", measureWaiting},
	{"idle", measureIdle},
	{"tls", measureTLS},
	{"leaving", measureLeaving},
	{"handoff", measureHandoff},
	{"calls", measureCalls},
	{"inprocess", measureInprocess},
	{"redis", measureRedis},
	{"relays", measureRelays},
}

// versionGroups compare two versions.
var versionGroups = []group{
	{"versions", measureVersions},
	{"twice", measureTwice},
	{"rung", measureRung},
	{"paused", measurePaused},
	{"relayed", measureRelayed},
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == "serve" {
		exit(serve(os.Args[2:]))
	}
	var s size
	flag.IntVar(&s.rounds, "rounds", 10, "how often the candidates take turns")
	flag.IntVar(&s.requests, "requests", 24_000, "requests of each kind, per candidate and round")
	flag.IntVar(&s.handshakes, "handshakes", 2_000, "handshakes, per candidate and round")
	flag.IntVar(&s.dials, "dials", 1_000, "connections made, with TLS and without, per candidate and round")
	flag.BoolVar(&s.peerServer, "peer", true, "measure PeerServer too, which npm installs")
	flag.IntVar(&s.sessions, "sessions", 50_000, "sessions that live at once, for the memory of one")
	flag.IntVar(&s.connections, "connections", 10_000, "connections that wait at once")
	flag.IntVar(&s.quiet, "quiet", 16_000, "connections on which nothing happens, for the memory of one")
	flag.IntVar(&s.handoffs, "handoffs", 2_000, "hand-offs per round")
	flag.IntVar(&s.churn, "churn", 1_000_000, "sessions that come and go, 100 or more")
	flag.IntVar(&s.operations, "operations", 400_000, "requests in process, per candidate and round")
	flag.DurationVar(&s.relaying, "relaying", 2*time.Second, "time for which packets are relayed at each pace, per candidate and round")
	flag.IntVar(&s.connects, "connects", 20, "connections of WebRTC peers, of each kind per round")
	only := flag.String("only", "", "groups to run, separated by commas; nothing is written then")
	root := flag.String("root", "../..", "directory of the signaling server's source")
	against := flag.String("against", "", "directory of another version's source: measure both and nothing else; nothing is written then")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if *against != "" {
		exit(compare(ctx, s, *only, *root, *against))
	}
	exit(run(ctx, s, *only, *root))
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// run measures the groups that only names, or all, and then writes the page to the docs of root.
func run(ctx context.Context, s size, only, root string) error {
	chosen, err := choose(only, groups)
	if err != nil {
		return err
	}
	s.peerServer = s.peerServer && slices.ContainsFunc(chosen, func(g group) bool { return g.name == "handshakes" })
	b, err := prepare(ctx, s, root, "")
	if err != nil {
		return err
	}
	defer b.close()
	begun := time.Now()
	if err := b.measure(ctx, chosen); err != nil {
		return err
	}
	if err := b.tell(begun); err != nil {
		return err
	}
	if only != "" {
		return nil
	}
	return b.report.write(filepath.Join(root, "docs"), b.conditions(time.Since(begun)))
}

// compare measures the server of root and that of against, in turns: the groups of versionGroups that only names, or all.
func compare(ctx context.Context, s size, only, root, against string) error {
	chosen, err := choose(only, versionGroups)
	if err != nil {
		return err
	}
	s.peerServer = false
	b, err := prepare(ctx, s, root, against)
	if err != nil {
		return err
	}
	defer b.close()
	begun := time.Now()
	if err := b.measure(ctx, chosen); err != nil {
		return err
	}
	return b.tell(begun)
}

func (b *bench) measure(ctx context.Context, chosen []group) error {
	for i, g := range chosen {
		b.progress.groupBegins(g.name, i+1, len(chosen))
		if err := g.run(ctx, b); err != nil {
			return fmt.Errorf("%s: %w", g.name, err)
		}
	}
	return nil
}

// tell prints what was measured, unless an answer was wrong.
func (b *bench) tell(begun time.Time) error {
	if err := b.faults.err(); err != nil {
		return err
	}
	b.report.print(os.Stdout)
	fmt.Printf("\n%d answers checked in %v: none lost, doubled, mixed up or wrong\n",
		b.faults.checked.Load(), time.Since(begun).Round(time.Second))
	return nil
}

// choose returns those of the groups that only names, or all.
func choose(only string, groups []group) ([]group, error) {
	if only == "" {
		return groups, nil
	}
	var chosen []group
	for name := range strings.SplitSeq(only, ",") {
		i := slices.IndexFunc(groups, func(g group) bool { return g.name == name })
		if i < 0 {
			return nil, fmt.Errorf("-only %s: no such group", name)
		}
		chosen = append(chosen, groups[i])
	}
	return chosen, nil
}
