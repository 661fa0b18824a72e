package program_test

import (
	"context"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"signal-server/app/apptest/testlog"
)

// short returns a directory with a short path: a socket's is bounded.
func short(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "s")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// managed starts the program as a service manager would, with these variables and sockets. The function that it returns waits for the
// next state that the program tells the manager.
func managed(t *testing.T, env []string, names string, passed []*os.File, args ...string) (*exec.Cmd, *testlog.Log, func() string) {
	t.Helper()
	told, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(short(t), "n"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { told.Close() })
	c := command(t, append(env, "NOTIFY_SOCKET="+told.LocalAddr().String(), "LISTEN_FDNAMES="+names), args...)
	c.Args = append([]string{"sh", "-c", `LISTEN_PID=$$ LISTEN_FDS=$0 exec "$@"`, string(rune('0' + len(passed))), binary}, args...)
	c.Path = "/bin/sh"
	c.ExtraFiles = passed // from descriptor 3 on, as systemd does it
	log := new(testlog.Log)
	c.Stdout, c.Stderr = log, log
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Process.Kill(); told.Close() })
	return c, log, func() string {
		var b [256]byte
		told.SetReadDeadline(time.Now().Add(patience))
		n, err := told.Read(b[:])
		if err != nil {
			t.Fatalf("a state: got %v, want one; the log:\n%s", err, log)
		}
		return string(b[:n])
	}
}

// opened returns a socket as systemd would open it, and its address.
func opened(t *testing.T) (*os.File, string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	file, err := l.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	return file, l.Addr().String()
}

// TestSystemd starts the program with two sockets, makes it read its configuration again, and ends it, as systemd does with a unit of
// Type=notify-reload.
func TestSystemd(t *testing.T) {
	api, at := opened(t)
	admin, adminAt := opened(t)
	c, log, told := managed(t, nil, "api:admin", []*os.File{api, admin}, "--listen=systemd:api", "--admin=systemd:admin")
	if got := told(); got != "READY=1" {
		t.Fatalf("at the start: got %q, want READY=1", got)
	}
	for _, addr := range []string{at, adminAt} {
		answer, err := http.Get("http://" + addr + "/healthz")
		if err != nil || answer.StatusCode != 200 {
			t.Fatalf("%s: got %v, %v, want 200; the log:\n%s", addr, answer, err, log)
		}
		answer.Body.Close()
	}
	c.Process.Signal(syscall.SIGHUP)
	if got := told(); !strings.HasPrefix(got, "RELOADING=1\nMONOTONIC_USEC=") {
		t.Errorf("at SIGHUP: got %q, want RELOADING=1 and the time", got)
	}
	if got := told(); got != "READY=1" {
		t.Errorf("after it: got %q, want READY=1", got)
	}
	c.Process.Signal(syscall.SIGTERM)
	if got := told(); got != "STOPPING=1" {
		t.Errorf("at SIGTERM: got %q, want STOPPING=1", got)
	}
	if err := c.Wait(); err != nil {
		t.Errorf("got %v, want exit status 0; the log:\n%s", err, log)
	}
}

func TestSystemdWithoutSockets(t *testing.T) {
	out, err := command(t, nil, "--listen=systemd").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "no socket was passed") {
		t.Errorf("got %v, %s, want that no socket was passed", err, out)
	}
}

// TestUnixSockets serves the API and operators over Unix sockets, asks by healthcheck, and finds them gone at the end.
func TestUnixSockets(t *testing.T) {
	dir := short(t)
	api, admin := filepath.Join(dir, "api"), filepath.Join(dir, "admin")
	c, log, told := managed(t, nil, "", nil, "--listen=unix:"+api, "--admin=unix:"+admin, "--socket-mode=0600")
	if got := told(); got != "READY=1" {
		t.Fatalf("got %q, want READY=1", got)
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", api)
	}}}
	answer, err := client.Get("http://x/readyz")
	if err != nil || answer.StatusCode != 200 {
		t.Fatalf("got %v, %v, want 200; the log:\n%s", answer, err, log)
	}
	answer.Body.Close()
	if file, err := os.Stat(api); err != nil || file.Mode().Perm() != 0o600 {
		t.Errorf("the socket: got %v, %v, want the mode 0600", file, err)
	}
	if out, err := command(t, nil, "healthcheck", "--admin=unix:"+admin).CombinedOutput(); err != nil {
		t.Errorf("healthcheck: got %v, %s, want silence", err, out)
	}
	c.Process.Signal(syscall.SIGTERM)
	if err := c.Wait(); err != nil {
		t.Errorf("got %v, want exit status 0; the log:\n%s", err, log)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("at the end: got %v, %v, want no sockets", left, err)
	}
}
