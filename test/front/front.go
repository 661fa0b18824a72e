// Package front starts proxies in front of the server by the configuration files of deploy/. Tests replace in them where the proxies
// listen, which servers they know, and where their files are. It knows nothing of the server.
package front

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"signal-server/app/apptest/testlog"
	"signal-server/test/need"
	"signal-server/test/port"
	"signal-server/test/until"
)

// patience bounds what a test waits for, so that one that fails comes to an end.
const patience = 60 * time.Second

// root is the repository's.
var root = func() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "../..")
}()

// Plain starts nginx by test/browser/nginx.conf, without TLS and without stickiness, in front of these servers (host:port), and returns its
// address. It ends with the test.
func Plain(t testing.TB, servers ...string) string {
	t.Helper()
	var lines strings.Builder
	for _, server := range servers {
		lines.WriteString("server " + server + " max_fails=1 fail_timeout=1s; ")
	}
	addr, folder := port.Hold(t), t.TempDir()
	startNginx(t, folder, replace(t, read(t, "test/browser/nginx.conf"),
		"{{listen}}", addr, "{{servers}}", lines.String(), "{{folder}}", folder, "{{proxy}}", filepath.Join(root, "deploy/nginx/proxy.conf")), addr)
	return addr
}

// startNginx starts one by this configuration, and waits until it listens at the address.
func startNginx(t testing.TB, folder, config, addr string) *testlog.Log {
	t.Helper()
	need.Programs(t, "nginx")
	directives := "worker_processes 1;"
	if os.Getuid() == 0 {
		directives += " user root;" // the folder is the starter's only
	}
	file := write(t, folder, "nginx.conf", config)
	return start(t, addr, syscall.SIGQUIT, exec.Command("nginx", "-p", folder, "-c", file, "-g", directives)) // #nosec G204 -- the tests' own arguments
}

// start starts a program, waits until it listens at the address, and returns what it writes. It gets the signal at the test's end.
func start(t testing.TB, addr string, end syscall.Signal, cmd *exec.Cmd) *testlog.Log {
	t.Helper()
	out := new(testlog.Log)
	cmd.Stdout, cmd.Stderr = out, out
	// The kernel sends the signal when the thread that starts the program ends. Go itself ends no thread. But if a goroutine locked its
	// thread and ended, all programs that the thread has started would be killed.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(ended)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(end)
		select {
		case <-ended:
		case <-time.After(patience):
			_ = cmd.Process.Kill()
			<-ended
			t.Errorf("%s does not end; it said:\n%s", cmd.Path, out)
		}
	})
	until.Nil(t, patience, func() error { // none of them says when it is ready
		select {
		case <-ended:
			t.Fatalf("%s has ended; it said:\n%s", cmd.Path, out)
		default:
		}
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			return fmt.Errorf("%s does not listen: %w; it said:\n%s", cmd.Path, err, out)
		}
		return conn.Close()
	})
	return out
}

// replace replaces pairs of old and new. Each old must be there: otherwise the test would test another file than it says.
func replace(t testing.TB, text string, oldnew ...string) string {
	t.Helper()
	for pair := range slices.Chunk(oldnew, 2) {
		if !strings.Contains(text, pair[0]) {
			t.Fatalf("the configuration has no %q", pair[0])
		}
		text = strings.ReplaceAll(text, pair[0], pair[1])
	}
	return text
}

// read returns a file of the repository.
func read(t testing.TB, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, name)) // #nosec G304 -- of this repository
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// write makes a file for the starter alone, and returns its path.
func write(t testing.TB, folder, name, text string) string {
	t.Helper()
	path := filepath.Join(folder, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
