package attack_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"signal-server/app/apptest/testlog"
	"signal-server/test/need"
	"signal-server/test/until"
)

// insideVariable tells the test binary that it runs inside a namespace that a test made.
const insideVariable = "SIGNAL_ATTACK_INSIDE_NAMESPACE"

// TestAbandoned cuts clients off in the middle of long polls and event streams: neither a packet nor the end of a connection reaches
// the server any more. The server notices it without their help and gives back what they held.
func TestAbandoned(t *testing.T) {
	need.Programs(t, "ip")
	if os.Getenv(insideVariable) == "" {
		insideNamespace(t)
		return
	}
	// A cable has two ends: the server is at one, the clients are at the other, in a namespace of their own. A run that was killed leaves its
	// namespace's name behind.
	there := fmt.Sprint("clients", os.Getpid())
	for _, command := range []string{
		"link set lo up",
		"netns add " + there,
		"link add server0 type veth peer name client0 netns " + there,
		"address add 192.0.2.1/24 dev server0", // RFC 5737: addresses for documentation, nobody's
		"link set server0 up",
		"-n " + there + " address add 192.0.2.2/24 dev client0",
		"-n " + there + " link set client0 up",
	} {
		if out, err := exec.Command("ip", strings.Fields(command)...).CombinedOutput(); err != nil {
			need.Missing(t, "ip "+command+": "+err.Error()+": "+string(bytes.TrimSpace(out)))
		}
	}
	t.Cleanup(func() { exec.Command("ip", "netns", "delete", there).Run() })

	n := 10_000
	if testing.Short() {
		n = 400
	}
	s := start(t, exec.Command(program, "--listen=192.0.2.1:8080", "--admin=", "--wait=2s", "--read-timeout=2s", "--idle-timeout=4s"))
	until.True(t, patience, "the server is idle", func() bool { return s.Descriptors(t) < 20 })
	before := s.Descriptors(t)

	clients := exec.Command("ip", "netns", "exec", there, os.Args[0], "-test.run=^TestClientsThatVanish$", "-test.count=1")
	clients.Env = append(os.Environ(), fmt.Sprintf("%s=%d", clientsVariable, n))
	var said testlog.Log
	clients.Stdout, clients.Stderr = &said, &said
	clients.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := clients.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the server has %d files open, %d before; its log:\n%.4000s\nthe clients:\n%.4000s", s.Descriptors(t), before, s.Log, said.String())
		}
	})
	exited := make(chan error, 1)
	go func() { exited <- clients.Wait() }()
	until.True(t, patience, "all clients are there", func() bool {
		select {
		case err := <-exited:
			t.Fatalf("the clients: %v\n%s", err, &said)
		default:
		}
		return s.Descriptors(t) >= before+n
	})
	began := time.Now()
	if out, err := exec.Command("ip", "link", "delete", "server0").CombinedOutput(); err != nil { // the cable is cut
		t.Fatalf("%v: %s", err, out)
	}
	// The address has gone with the cable; what the server sends goes nowhere.
	until.True(t, patience, "the server has given up on the clients that vanished", func() bool { return s.Descriptors(t) <= before+2 })
	t.Logf("%d clients vanished from polls and streams: all were found out after %v, resident %d MB", n, time.Since(began).Round(time.Second), s.resident(t)>>20)
	clients.Process.Kill()
	<-exited
}

// insideNamespace runs the calling test again in a process of its own, inside a network namespace and a mount namespace. Both end with
// that process.
func insideNamespace(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v", "-test.count=1", fmt.Sprintf("-test.short=%t", testing.Short()))
	cmd.Env = append(os.Environ(), insideVariable+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS, Setpgid: true, Pdeathsig: syscall.SIGKILL}
	var said testlog.Log
	cmd.Stdout, cmd.Stderr = &said, &said
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Start(); err != nil {
		need.Missing(t, "no network namespace can be made here: "+err.Error())
	}
	group := cmd.Process.Pid
	err := cmd.Wait()
	syscall.Kill(-group, syscall.SIGKILL) // whatever it left behind
	t.Logf("inside the namespace:\n%s", &said)
	switch {
	case err != nil:
		t.Errorf("inside the namespace: got %v, want success", err)
	case strings.Contains(said.String(), "--- SKIP"):
		need.Missing(t, "skipped inside the namespace")
	}
}

// clientsVariable makes the test binary be that many clients.
const clientsVariable = "SIGNAL_ATTACK_CLIENTS"

// TestClientsThatVanish is the clients' side of TestAbandoned, in a process of its own.
func TestClientsThatVanish(t *testing.T) {
	var n int
	if _, err := fmt.Sscan(os.Getenv(clientsVariable), &n); err != nil {
		t.Skip("the other side of TestAbandoned")
	}
	for i := range n {
		polls := i%2 == 0
		target := "/answer/events?key=%d" // never opened
		if polls {
			target = "/answer/messages?wait=30&key=%d"
		}
		request := fmt.Sprintf("GET "+target+" HTTP/1.1\r\nHost: x\r\n\r\n", i)
		conn, err := net.Dial("tcp", "192.0.2.1:8080")
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			for err == nil {
				err = ask(conn, request, polls)
				conn.Close()
				fmt.Printf("client %d comes again: %v\n", i, err) // where the machine stalls for seconds, the server ends a connection early
				conn, err = net.Dial("tcp", "192.0.2.1:8080")
			}
		}()
	}
	<-time.After(2 * patience) // until it is killed
}

// ask sends the request, once or after each answer, and reads until the connection ends.
func ask(conn net.Conn, request string, again bool) error {
	b := make([]byte, 4096)
	for asks := true; ; asks = again {
		if asks {
			if _, err := io.WriteString(conn, request); err != nil {
				return err
			}
		}
		if _, err := conn.Read(b); err != nil {
			return err
		}
	}
}
