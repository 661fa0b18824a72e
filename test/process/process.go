// Package process runs the server, and other programs, as processes that end with a test.
//
// It is for tests only.
package process

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	_ "signal-server/app" // go test repeats no result of another server
	"signal-server/app/apptest/testlog"
)

// Build builds the server of the repository at root, notes where it is, and runs the tests. It returns their exit code. The server is gone afterwards.
func Build(m *testing.M, root string, binary *string) int {
	dir, err := os.MkdirTemp("", "signal-server")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	*binary = filepath.Join(dir, "signal-server")
	if out, err := exec.Command("go", "build", "-o", *binary, root).CombinedOutput(); err != nil { // #nosec G204 -- both are the tests' own
		fmt.Fprintf(os.Stderr, "go build: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// Program is a program while it runs.
type Program struct {
	Cmd   *exec.Cmd
	Log   *testlog.Log // both of its outputs
	Ended chan error   // gets what Wait returned, once
}

// Launch starts a program within what in does around its call, such as another network (nil: nothing), and gives each line of its outputs to said. It ends
// with the test, and with it all that it has started. A test that fails tells what it said.
func Launch(t testing.TB, in func(start func()), cmd *exec.Cmd, said func(line string)) *Program {
	t.Helper()
	p := &Program{Cmd: cmd, Log: new(testlog.Log), Ended: make(chan error, 1)}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = cmd.Stdout
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	if in == nil {
		in = func(start func()) { start() }
	}
	in(func() { err = cmd.Start() })
	if err != nil {
		t.Fatal(err)
	}
	over := make(chan struct{})
	go func() {
		defer close(over)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			fmt.Fprintln(p.Log, lines.Text())
			said(lines.Text())
		}
		p.Ended <- cmd.Wait()
	}()
	t.Cleanup(func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		<-over
		if t.Failed() {
			t.Logf("%s said:\n%.6000s", filepath.Base(cmd.Path), p.Log)
		}
	})
	return p
}

// Descriptors returns how many files and sockets the program has open.
func (p *Program) Descriptors(t testing.TB) int {
	t.Helper()
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.Cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}
