package attack_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net/http"
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

// program is the server, built once.
var program string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "attack")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		program = filepath.Join(dir, "signal-server")
		build := exec.Command("go", "build", "-o", program, "../..")
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "go build: %v\n%s", err, out)
			return 1
		}
		return m.Run()
	}())
}

// patience bounds what a test waits for, so that one that fails comes to an end.
const patience = 60 * time.Second

// server is the program while it serves.
type server struct {
	cmd         *exec.Cmd
	addr, admin string // host:port
	log         *testlog.Log
	ended       chan error // gets what Wait returned
	faulty      bool       // the test breaks its store, so it may log errors
}

var (
	serving   = regexp.MustCompile(`msg=serving address=(\S+)`)
	operators = regexp.MustCompile(`msg="serving operators" address=(\S+)`)
)

// anyMemory lets one address stand for many clients.
const anyMemory = "--max-client-memory=0"

// serve starts the program on free ports of the loopback and waits until it serves. The program ends with the test. The test fails if
// the program does not end as it should or has logged an error.
func serve(t testing.TB, args ...string) *server {
	t.Helper()
	return start(t, exec.Command(program, append([]string{"--listen=127.0.0.1:0", "--admin=127.0.0.1:0", anyMemory}, args...)...))
}

func start(t testing.TB, cmd *exec.Cmd) *server {
	t.Helper()
	s := &server{cmd: cmd, log: new(testlog.Log), ended: make(chan error, 1)}
	// One address stands for many clients, unless the arguments say otherwise.
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "SIGNAL_MAX_CLIENT_CONNECTIONS=0"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	up := make(chan struct{})
	go func() {
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			fmt.Fprintln(s.log, lines.Text())
			if m := operators.FindStringSubmatch(lines.Text()); m != nil {
				s.admin = m[1]
			}
			if m := serving.FindStringSubmatch(lines.Text()); m != nil {
				s.addr = m[1]
				close(up)
			}
		}
		s.ended <- cmd.Wait()
	}()
	select {
	case <-up:
	case <-s.ended:
		t.Fatalf("got no address, want one; the log:\n%s", s.log)
	}
	t.Cleanup(func() { s.end(t) })
	return s
}

func (s *server) url() string { return "http://" + s.addr }

// end ends the program as an operator does, once.
func (s *server) end(t testing.TB) {
	t.Helper()
	if s.cmd.Process.Signal(syscall.SIGTERM) != nil {
		return // it has been ended
	}
	select {
	case err := <-s.ended:
		if err != nil {
			t.Errorf("the server: got %v, want exit status 0", err)
		}
	case <-time.After(patience):
		s.cmd.Process.Kill()
		t.Error("the server does not end after SIGTERM")
	}
	if text := s.log.String(); !s.faulty && strings.Contains(text, "level=ERROR") || strings.Contains(text, "panic") {
		t.Errorf("the log: got\n%.4000s\nwant no error", text)
	}
}

// resident returns how many bytes of the server are in memory, most how many were at the most.
func (s *server) resident(t testing.TB) int { return s.status(t, "VmRSS:") }
func (s *server) most(t testing.TB) int     { return s.status(t, "VmHWM:") }

// status returns a number of bytes that the system tells of the server's process (proc_pid_status(5)).
func (s *server) status(t testing.TB, name string) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), name)
	kib, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		t.Fatal(err)
	}
	return kib << 10
}

// cpu returns the CPU time that the server has used.
func (s *server) cpu(t testing.TB) time.Duration {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')'):]))
	ticks := 0
	for _, field := range fields[12:14] { // utime and stime of proc(5), in hundredths of a second
		n, err := strconv.Atoi(field)
		if err != nil {
			t.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

// descriptors returns how many files and sockets the server has open.
func (s *server) descriptors(t testing.TB) int {
	t.Helper()
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", s.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// metric returns the value of the series on the page for operators.
func (s *server) metric(t testing.TB, series string) float64 {
	t.Helper()
	c := http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := c.Get("http://" + s.admin + "/metrics")
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

// alive checks that the server answers.
func (s *server) alive(t testing.TB) {
	t.Helper()
	c := http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := c.Get(s.url() + "/healthz")
	if err != nil {
		t.Fatalf("the server does not answer: %v", err)
	}
	response.Body.Close()
}
