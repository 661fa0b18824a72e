package bridge

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"signal-server/client"
	"signal-server/test/need"
)

const (
	// upstream is the version of pion whose examples are bridged: that of go.mod.
	upstream         = "v4.2.26"
	programsVariable = "SIGNAL_SERVER_TEST_PION_PROGRAMS"
)

// TestUpstreamProgramsMeet runs upstream's unmodified pion-to-pion programs, each beside its bridge, through a real server. Each has
// to print a message that it got over the data channel.
func TestUpstreamProgramsMeet(t *testing.T) {
	var programs string
	if os.Getenv(insideVariable) == "" {
		if testing.Short() {
			t.Skip("it takes half a minute")
		}
		programs = installPrograms(t)
	}
	if !inNamespace(t, 75*time.Second, programsVariable+"="+programs) {
		return
	}
	makeInterfaces(t)
	server := startServer(t)

	// The ports are free: no other process is in the namespace.
	t.Run("answer first", func(t *testing.T) {
		t.Parallel()
		p := newPair(t, server, 10000)
		p.bridges("answer first")
		p.meet(p.startAnswer, p.startOffer)
	})
	t.Run("offer first", func(t *testing.T) {
		t.Parallel()
		p := newPair(t, server, 10100)
		p.bridges("offer first")
		p.meet(p.startOffer, p.startAnswer)
	})
	t.Run("both started anew beside the same bridges", func(t *testing.T) {
		t.Parallel()
		p := newPair(t, server, 10200)
		p.bridges("the same")
		for range 2 {
			for _, program := range p.meet(p.startAnswer, p.startOffer) {
				program.stop()
			}
		}
	})
	t.Run("everything started anew with a fresh key", func(t *testing.T) {
		t.Parallel()
		p := newPair(t, server, 10300)
		for _, key := range []string{"first", "second"} {
			stop := p.bridges(key)
			for _, program := range p.meet(p.startOffer, p.startAnswer) {
				program.stop()
			}
			stop()
		}
	})
}

// pair is two upstream programs and the bridges between them: four addresses.
type pair struct {
	t                         *testing.T
	server                    string
	offer, answer             string // where the programs listen
	besideOffer, besideAnswer string // where their bridges listen
}

func newPair(t *testing.T, server string, port int) *pair {
	address := func(n int) string { return fmt.Sprintf("127.0.0.1:%d", port+n) }
	return &pair{t, server, address(0), address(1), address(2), address(3)}
}

// forking is held while a process starts and while bridges begin to listen. Between fork and exec a child holds everything that its parent
// listens on, so that a port which was closed meanwhile is still taken.
var forking sync.Mutex

// bridges starts both bridges. stop stops them.
func (p *pair) bridges(key string) (stop func()) {
	p.t.Helper()
	forking.Lock()
	defer forking.Unlock()
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	for _, cfg := range []Config{
		{Role: client.Offer, Listen: p.besideOffer, Forward: p.offer},
		{Role: client.Answer, Listen: p.besideAnswer, Forward: p.answer},
	} {
		cfg.Server, cfg.Key, cfg.Logger = p.server, key, logTo(newLines(p.t, string(cfg.Role)+"'s bridge"))
		running.Go(func() {
			if err := Run(ctx, cfg); err != nil {
				p.t.Errorf("the %s's bridge: got %v, want no error", cfg.Role, err)
			}
		})
	}
	stop = sync.OnceFunc(func() {
		cancel()
		running.Wait()
	})
	p.t.Cleanup(stop)
	for _, address := range []string{p.besideOffer, p.besideAnswer} {
		waitForListener(p.t, address)
	}
	return stop
}

func (p *pair) startOffer() *program {
	return startProgram(p.t, "offer", "-offer-address", p.offer, "-answer-address", p.besideOffer)
}

func (p *pair) startAnswer() *program {
	return startProgram(p.t, "answer", "-answer-address", p.answer, "-offer-address", p.besideAnswer)
}

// meet starts one program and, when that has done all that it can do alone, the other. It waits until both have got a message.
func (p *pair) meet(first, second func() *program) []*program {
	p.t.Helper()
	one := first()
	if one.name == "answer" {
		waitForListener(p.t, p.answer)
	} else {
		waitForListener(p.t, p.offer)
	}
	both := []*program{one, second()}
	for _, program := range both {
		program.want(p.t, "Message from DataChannel 'data'")
	}
	return both
}

// waitForListener waits until a process accepts connections at the address.
func waitForListener(t *testing.T, address string) {
	t.Helper()
	ask := time.NewTicker(5 * time.Millisecond) // another process does not announce its listener
	defer ask.Stop()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); <-ask.C {
		if conn, err := net.Dial("tcp", address); err == nil {
			conn.Close()
			return
		}
	}
	t.Fatalf("got no listener at %s within 10 s", address)
}

// installPrograms returns the directory with upstream's programs. It builds them as the README says, and keeps them for the next run.
func installPrograms(t *testing.T) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = t.TempDir()
	}
	kept := filepath.Join(cache, "signal-server-test", "pion-to-pion@"+upstream)
	if _, err := os.Stat(kept); err == nil {
		return kept
	}
	if err := os.MkdirAll(filepath.Dir(kept), 0o755); err != nil {
		t.Fatal(err)
	}
	fresh, err := os.MkdirTemp(filepath.Dir(kept), "fresh-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(fresh)
	for _, block := range shellBlocks(t, "pion to pion") {
		for _, line := range slices.DeleteFunc(block, func(line string) bool { return !installs(line) }) {
			if !strings.HasSuffix(line, "@"+upstream) {
				t.Fatalf("the README: got %q, want the version %s", line, upstream)
			}
			cmd := exec.CommandContext(t.Context(), "bash", "-c", line)
			cmd.Dir = fresh // outside this module
			cmd.Env = append(os.Environ(), "GOBIN="+filepath.Join(fresh, "bin"))
			if out, err := cmd.CombinedOutput(); err != nil {
				need.Missing(t, fmt.Sprintf("upstream's programs cannot be built here: %v\n%s", err, out))
			}
		}
	}
	if err := os.Rename(filepath.Join(fresh, "bin"), kept); err != nil && !os.IsExist(err) {
		t.Fatal(err)
	}
	return kept
}

// program is one run of an upstream program, and what it prints.
type program struct {
	*lines
	name string
	stop func()
}

// startProgram starts the program of that name, and ends it with the test.
func startProgram(t *testing.T, name string, arguments ...string) *program {
	t.Helper()
	cmd := exec.Command(filepath.Join(os.Getenv(programsVariable), name), arguments...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	p := &program{lines: newLines(t, name), name: name}
	cmd.Stdout, cmd.Stderr = p, p
	forking.Lock()
	err := cmd.Start() // which returns after exec
	forking.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	p.stop = sync.OnceFunc(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	t.Cleanup(p.stop)
	return p
}
