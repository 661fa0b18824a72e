package process

import (
	"bufio"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// patience bounds what a test waits for, so that one that fails comes to an end.
const patience = 60 * time.Second

// Server is the server while it serves.
type Server struct {
	*Program
	Addr, Admin string // host:port
	Faulty      bool   // the test breaks its store, so it may log errors
}

var (
	serving   = regexp.MustCompile(`msg=serving address=(\S+)`)
	operators = regexp.MustCompile(`msg="serving operators" address=(\S+)`)
)

// Serve launches a command that becomes the server, and waits until it serves. Its environment sets no flag, but for one by which one address stands for
// many clients, unless the arguments say otherwise. It is ended with the test, which fails if it does not end as it should, or has logged an error.
func Serve(t testing.TB, in func(start func()), cmd *exec.Cmd) *Server {
	t.Helper()
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "SIGNAL_MAX_CLIENT_CONNECTIONS=0"}
	s := new(Server)
	up := make(chan struct{}, 1)
	s.Program = Launch(t, in, cmd, func(line string) {
		if m := operators.FindStringSubmatch(line); m != nil {
			s.Admin = m[1]
		}
		if m := serving.FindStringSubmatch(line); m != nil {
			s.Addr = m[1]
			up <- struct{}{}
		}
	})
	select {
	case <-up:
	case err := <-s.Ended:
		t.Fatalf("the server: got %v and no address, want one; the log:\n%s", err, s.Log)
	case <-time.After(patience):
		t.Fatal("the server does not come up")
	}
	t.Cleanup(func() { s.End(t) })
	return s
}

// End ends the server as an operator does, if it has not ended yet.
func (s *Server) End(t testing.TB) {
	t.Helper()
	if s.Cmd.Process.Signal(syscall.SIGTERM) == nil {
		s.Ends(t, patience)
	}
}

// Ends checks that the server, which has been told to, ends well within that time.
func (s *Server) Ends(t testing.TB, within time.Duration) {
	t.Helper()
	select {
	case err := <-s.Ended:
		if err != nil {
			t.Errorf("the server: got %v, want exit status 0", err)
		}
	case <-time.After(within):
		t.Errorf("the server still runs %v after SIGTERM", within)
	}
	if text := s.Log.String(); !s.Faulty && strings.Contains(text, "level=ERROR") || strings.Contains(text, "panic") {
		t.Errorf("the log: got\n%.4000s\nwant no error", text)
	}
}

// Metric returns the value of the series on the page for operators, which the client asks for.
func (s *Server) Metric(t testing.TB, client *http.Client, series string) float64 {
	t.Helper()
	response, err := client.Get("http://" + s.Admin + "/metrics")
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
