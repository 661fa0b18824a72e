// Package redistest starts Redis servers for tests: on free ports of the loopback, in the test's own directory, and ends them
// with the test. It knows nothing of sessions.
//
// Without redis-server a test is skipped; where CI=true it fails.
package redistest

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"signal-server/test/need"
	"signal-server/test/port"
)

// patience is how long a server has to do what it was told.
const patience = 20 * time.Second

// Server is a redis-server, or a sentinel.
type Server struct {
	Address string
	Port    string

	// set at construction
	t    testing.TB
	dir  string
	args []string
	cli  []string // what redis-cli needs to be let in

	mu sync.Mutex
	// guarded by mu
	process *exec.Cmd
}

// Start starts a server that keeps nothing on disk, with these arguments of redis-server, and waits until it serves.
func Start(t testing.TB, args ...string) *Server {
	t.Helper()
	s := newServer(t, freePort(t), args...)
	s.start()
	s.waitFor("PONG", "PING")
	return s
}

// URL returns the server's URL with what comes after the host: a path, parameters.
func (s *Server) URL(rest string) string { return "redis://" + s.Address + rest }

func newServer(t testing.TB, number string, args ...string) *Server {
	t.Helper()
	need.Programs(t, "redis-server", "redis-cli")
	dir, err := os.MkdirTemp(t.TempDir(), "redis")
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{Address: "127.0.0.1:" + number, Port: number, t: t, dir: dir}
	s.args = append([]string{
		"--port", number, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", dir, "--daemonize", "no",
		"--logfile", filepath.Join(dir, "log"), "--enable-debug-command", "yes", "--repl-diskless-sync-delay", "0",
	}, args...)
	return s
}

// busOffset is how far the port of a cluster's bus lies above a node's.
const busOffset = 10_000

// freePort returns a port for a server, which may be a node of a cluster.
func freePort(t testing.TB) string {
	t.Helper()
	return port.Of(port.Hold(t, busOffset))
}

func (s *Server) start() {
	s.t.Helper()
	cmd := exec.Command("redis-server", s.args...) // #nosec G204 -- the tests' own arguments
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		s.t.Fatalf("redis-server: %v", err)
	}
	s.mu.Lock()
	s.process = cmd
	s.mu.Unlock()
	s.t.Cleanup(s.Kill)
}

// Kill ends the server as kill -9 does. It may be called more than once.
func (s *Server) Kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process == nil {
		return
	}
	_ = s.process.Process.Kill()
	_ = s.process.Wait()
	s.process = nil
}

// Restart starts a killed server anew, empty.
func (s *Server) Restart() {
	s.t.Helper()
	s.start()
	s.waitFor("", "PING")
}

// Pause stops the process, so that the server is there but does not answer. Resume lets it go on.
func (s *Server) Pause()  { s.signal(syscall.SIGSTOP) }
func (s *Server) Resume() { s.signal(syscall.SIGCONT) }

func (s *Server) signal(what os.Signal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process != nil {
		_ = s.process.Process.Signal(what)
	}
}

// PID returns the process's id, by which the system tells more of it.
func (s *Server) PID() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.process.Process.Pid
}

// Try runs a command and returns the answer, and whether it succeeded.
func (s *Server) Try(command ...string) (string, bool) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	args := append([]string{"-h", "127.0.0.1", "-p", s.Port, "--no-auth-warning"}, s.cli...)
	out, err := exec.CommandContext(ctx, "redis-cli", append(args, command...)...).CombinedOutput() // #nosec G204 -- the tests' own arguments
	return strings.TrimSpace(string(out)), err == nil
}

// Do runs a command and returns its answer, or fails the test.
func (s *Server) Do(command ...string) string {
	s.t.Helper()
	out, ok := s.Try(command...)
	if !ok {
		s.t.Fatalf("redis-cli %v: %s", command, out)
	}
	return out
}

// waitFor runs a command until its answer contains want.
func (s *Server) waitFor(want string, command ...string) {
	s.t.Helper()
	var out string
	for begin := time.Now(); time.Since(begin) < patience; time.Sleep(20 * time.Millisecond) {
		var ok bool
		if out, ok = s.Try(command...); ok && strings.Contains(out, want) {
			return
		}
	}
	log, _ := os.ReadFile(filepath.Join(s.dir, "log"))
	s.t.Fatalf("%s: %v: got %q, want %q within %v\n%s", s.Address, command, out, want, patience, tail(log))
}

func tail(log []byte) []byte { return log[max(0, len(log)-2000):] }

// Field returns a number of INFO.
func (s *Server) Field(name string) float64 {
	s.t.Helper()
	for line := range strings.Lines(s.Do("INFO", "everything")) {
		if value, ok := strings.CutPrefix(line, name+":"); ok {
			n, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			if err != nil {
				s.t.Fatalf("INFO: %s is %q, want a number", name, value)
			}
			return n
		}
	}
	s.t.Fatalf("INFO has no %s", name)
	return 0
}

// Cluster is a cluster of masters, and a replica for each.
type Cluster struct{ Servers []*Server }

// StartCluster starts a cluster of three masters, with a replica each unless masters only are wanted. A master that does not
// answer for a second is replaced.
func StartCluster(t testing.TB, replicas bool) *Cluster {
	t.Helper()
	n, each := 3, "0"
	if replicas {
		n, each = 6, "1"
	}
	c := &Cluster{}
	create := []string{"--cluster", "create"}
	for range n {
		s := Start(t, "--cluster-enabled", "yes", "--cluster-node-timeout", "1000", "--cluster-replica-validity-factor", "0")
		c.Servers = append(c.Servers, s)
		create = append(create, s.Address)
	}
	create = append(create, "--cluster-replicas", each, "--cluster-yes")
	ctx, cancel := context.WithTimeout(context.Background(), 3*patience)
	defer cancel()
	if out, err := exec.CommandContext(ctx, "redis-cli", create...).CombinedOutput(); err != nil {
		t.Fatalf("redis-cli --cluster create: %v\n%s", err, out)
	}
	for _, s := range c.Servers {
		s.waitFor("cluster_state:ok", "CLUSTER", "INFO")
		s.waitFor(fmt.Sprintf("cluster_known_nodes:%d", n), "CLUSTER", "INFO")
		if strings.Contains(s.Do("ROLE"), "slave") {
			s.waitFor("master_link_status:up", "INFO", "replication")
		}
	}
	return c
}

// URL returns the cluster's URL, with parameters.
func (c *Cluster) URL(rest string) string {
	var hosts []string
	for _, s := range c.Servers {
		hosts = append(hosts, s.Address)
	}
	return "redis-cluster://" + strings.Join(hosts, ",") + rest
}

// Masters returns the servers that hold slots now.
func (c *Cluster) Masters() (masters []*Server) {
	for _, s := range c.Servers {
		if role, ok := s.Try("ROLE"); ok && strings.HasPrefix(role, "master") {
			masters = append(masters, s)
		}
	}
	return masters
}
