package nat_test

import (
	"bufio"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	_ "signal-server/app" // go test repeats no result of another server
	"signal-server/app/apptest/testlog"
	"signal-server/test/until"
)

// binary is the server, built once.
var binary string

func TestMain(m *testing.M) {
	if url := os.Getenv(peerVariable); url != "" {
		os.Exit(peer(url))
	}
	flag.Parse()
	os.Exit(func() int {
		if err := flag.Set("test.parallel", "6"); err != nil { // they wait for other programs
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		dir, err := os.MkdirTemp("", "nat")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		binary = filepath.Join(dir, "signal-server")
		if out, err := exec.Command("go", "build", "-o", binary, "../..").CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "go build: %v\n%s", err, out)
			return 1
		}
		return m.Run()
	}())
}

// patience bounds what a test waits for, so that one that fails comes to an end.
const patience = 60 * time.Second

// program is another program while it runs.
type program struct {
	cmd   *exec.Cmd
	log   *testlog.Log // both of its outputs
	ended chan error   // gets what Wait returned
}

// launch starts a program in the room, and gives each line of its output to said. It ends with the test. A test that fails tells what it said.
func launch(t testing.TB, in *room, cmd *exec.Cmd, said func(line string)) *program {
	t.Helper()
	p := &program{cmd: cmd, log: new(testlog.Log), ended: make(chan error, 1)}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = cmd.Stdout
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	in.do(func() { err = cmd.Start() })
	if err != nil {
		t.Fatal(err)
	}
	over := make(chan struct{})
	go func() {
		defer close(over)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			fmt.Fprintln(p.log, lines.Text())
			said(lines.Text())
		}
		p.ended <- cmd.Wait()
	}()
	t.Cleanup(func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // with those that it has started
		<-over
		if t.Failed() {
			t.Logf("%s said:\n%.6000s", filepath.Base(cmd.Path), p.log)
		}
	})
	return p
}

// server is the server under test.
type server struct {
	*program
	room        *room
	addr, admin string      // host:port
	trust       *tls.Config // of clients of a server that speaks TLS
}

var (
	serving   = regexp.MustCompile(`msg=serving address=(\S+)`)
	operators = regexp.MustCompile(`msg="serving operators" address=(\S+)`)
)

// serve starts the server in the room, and waits until it serves. The test fails if it does not end as it should, or has logged an error. Where
// the arguments do not say otherwise it listens on the loopback only.
func serve(t testing.TB, in *room, args ...string) *server {
	t.Helper()
	s := &server{room: in}
	up := make(chan struct{}, 1)
	s.program = launch(t, in, serverCommand(append([]string{"--listen=127.0.0.1:0", "--admin=127.0.0.1:0"}, args...)...), func(line string) {
		if m := operators.FindStringSubmatch(line); m != nil {
			s.admin = m[1]
		}
		if m := serving.FindStringSubmatch(line); m != nil {
			s.addr = m[1]
			up <- struct{}{}
		}
	})
	select {
	case <-up:
	case err := <-s.ended:
		t.Fatalf("the server: got %v and no address, want one", err)
	case <-time.After(patience):
		t.Fatal("the server does not come up")
	}
	t.Cleanup(func() { s.end(t) })
	return s
}

// serverCommand is the server, in an environment that sets no flag.
func serverCommand(args ...string) *exec.Cmd {
	cmd := exec.Command(binary, args...)
	// One address stands for many clients.
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "SIGNAL_MAX_CLIENT_CONNECTIONS=0"}
	return cmd
}

// end ends the server as an operator does, if it has not ended yet.
func (s *server) end(t testing.TB) {
	t.Helper()
	if s.cmd.Process.Signal(syscall.SIGTERM) == nil {
		s.ends(t, patience)
	}
}

// ends checks that the server ends well within that time.
func (s *server) ends(t testing.TB, within time.Duration) {
	t.Helper()
	select {
	case err := <-s.ended:
		if err != nil {
			t.Errorf("the server: got %v, want exit status 0", err)
		}
	case <-time.After(within):
		t.Errorf("the server still runs %v after SIGTERM", within)
	}
	if text := s.log.String(); strings.Contains(text, "level=ERROR") || strings.Contains(text, "panic") {
		t.Errorf("the log: got\n%.4000s\nwant no error", text)
	}
}

// metric returns the value of the series on the page for operators.
func (s *server) metric(t testing.TB, series string) float64 {
	t.Helper()
	response, err := s.room.http().Get("http://" + s.admin + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	for lines := bufio.NewScanner(response.Body); lines.Scan(); {
		if text, ok := strings.CutPrefix(lines.Text(), series+" "); ok {
			value, err := strconv.ParseFloat(text, 64)
			if err != nil {
				t.Fatal(err)
			}
			return value
		}
	}
	t.Fatalf("/metrics: got no %s, want it", series)
	return 0
}

// wantMetric waits until the series has that value: what the server counts, it may count after the answer.
func (s *server) wantMetric(t testing.TB, series string, want float64) {
	t.Helper()
	until.Nil(t, patience/6, func() error {
		if got := s.metric(t, series); got != want {
			return fmt.Errorf("%s: got %v, want %v", series, got, want)
		}
		return nil
	})
}

// eventually waits until the condition holds, and fails the test if it never does.
func eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	never := errors.New("never: " + what)
	until.Nil(t, patience, func() error {
		if condition() {
			return nil
		}
		return never
	})
}
