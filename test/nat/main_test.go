package nat_test

import (
	"crypto/tls"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"signal-server/test/process"
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
		return process.Build(m, "../..", &binary)
	}())
}

// patience bounds what a test waits for, so that one that fails comes to an end.
const patience = 60 * time.Second

// server is the server under test.
type server struct {
	*process.Server
	room  *room
	trust *tls.Config // of clients of a server that speaks TLS
}

// serve starts the server in the room, and waits until it serves: see process.Serve. Where the arguments do not say otherwise it listens on the loopback
// only.
func serve(t testing.TB, in *room, args ...string) *server {
	t.Helper()
	cmd := exec.Command(binary, append([]string{"--listen=127.0.0.1:0", "--admin=127.0.0.1:0"}, args...)...)
	return &server{Server: process.Serve(t, in.do, cmd), room: in}
}

// metric returns the value of the series on the page for operators.
func (s *server) metric(t testing.TB, series string) float64 {
	t.Helper()
	return s.Metric(t, s.room.http(), series)
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
