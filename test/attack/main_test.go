package attack_test

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"signal-server/test/process"
)

// program is the server, built once.
var program string

func TestMain(m *testing.M) { os.Exit(process.Build(m, "../..", &program)) }

// patience bounds what a test waits for, so that one that fails comes to an end.
const patience = 60 * time.Second

// server is the program while it serves.
type server struct{ *process.Server }

// anyMemory lets one address stand for many clients.
const anyMemory = "--max-client-memory=0"

// serve starts the program on free ports of the loopback and waits until it serves: see process.Serve.
func serve(t testing.TB, args ...string) *server {
	t.Helper()
	return start(t, exec.Command(program, append([]string{"--listen=127.0.0.1:0", "--admin=127.0.0.1:0", anyMemory}, args...)...))
}

func start(t testing.TB, cmd *exec.Cmd) *server {
	t.Helper()
	return &server{process.Serve(t, nil, cmd)}
}

func (s *server) url() string { return "http://" + s.Addr }

// resident returns how many bytes of the server are in memory, most how many were at the most.
func (s *server) resident(t testing.TB) int { return s.status(t, "VmRSS:") }
func (s *server) most(t testing.TB) int     { return s.status(t, "VmHWM:") }

// status returns a number of bytes that the system tells of the server's process (proc_pid_status(5)).
func (s *server) status(t testing.TB, name string) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.Cmd.Process.Pid))
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
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.Cmd.Process.Pid))
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

// metric returns the value of the series on the page for operators.
func (s *server) metric(t testing.TB, series string) float64 {
	t.Helper()
	return s.Metric(t, &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}, series)
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
