package attack_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"signal-server/custerrors"
	"signal-server/test/until"
)

// TestSIGTERMWithACrowd ends the server while thousands wait, and have streams. Each is told that the server shuts down, and the server ends within
// its drain.
func TestSIGTERMWithACrowd(t *testing.T) {
	cert, key := selfSigned(t)
	for name, test := range map[string]struct {
		clients int
		args    []string
		config  *tls.Config // nil: not over TLS
	}{
		"TCP": {clients: 4000},
		"TLS": {500, []string{"--tls-cert=" + cert, "--tls-key=" + key}, &tls.Config{InsecureSkipVerify: true}}, // a handshake takes a ms of a core
	} {
		t.Run(name, func(t *testing.T) {
			n := test.clients
			var files syscall.Rlimit
			if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil {
				t.Fatal(err)
			}
			if testing.Short() {
				n /= 10
			}
			n = min(n, int(files.Cur/2))
			const drain = 8 * time.Second
			s := serve(t, append(test.args, "--wait=5m", "--max-client-waits=0", fmt.Sprint("--drain=", drain))...)
			targets := []string{"/answer/sdp?wait=300", "/answer/messages?wait=300", "/answer/candidates?wait=300", "/answer/events"}
			streams := 0
			var crowd []net.Conn
			for i := range n {
				conn, err := net.Dial("tcp", s.Addr)
				if err == nil && test.config != nil {
					conn = tls.Client(conn, test.config)
				}
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				conn.SetDeadline(time.Now().Add(2 * patience))
				target := targets[i%len(targets)]
				if target == "/answer/events" {
					streams++
				}
				if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: x\r\nkey: %d\r\n\r\n", target, i); err != nil { // never opened
					t.Fatal(err)
				}
				crowd = append(crowd, conn)
			}
			until.True(t, patience, "all wait", func() bool {
				return s.metric(t, "signal_waits") == float64(n-streams) && s.metric(t, "signal_streams") == float64(streams)
			})
			said := make([]string, n)
			var reading sync.WaitGroup
			for i, conn := range crowd {
				reading.Go(func() {
					b, err := io.ReadAll(conn)
					if said[i] = string(b); err != nil {
						said[i] += "; " + err.Error()
					}
				})
			}
			began := time.Now()
			s.End(t)
			took := time.Since(began)
			reading.Wait()
			untold := 0
			for i, text := range said {
				head, end := "HTTP/1.1 503 ", `{"msg":"`+string(custerrors.ServerIsShuttingDown)+`","data":null}`
				if targets[i%len(targets)] == "/answer/events" {
					head, end = "HTTP/1.1 200 ", "event: end\ndata: \""+string(custerrors.ServerIsShuttingDown)+"\"\n\n"
				}
				if !strings.HasPrefix(text, head) || !strings.HasSuffix(text, end) {
					if untold++; untold <= 3 {
						t.Errorf("%s: got %q, want %q … %q", targets[i%len(targets)], text, head, end)
					}
				}
			}
			if untold > 0 {
				t.Errorf("got %d of %d that were not told, want none", untold, n)
			}
			if log := s.Log.String(); strings.Contains(log, "at the end of the drain") {
				t.Errorf("the log: got\n%.4000s\nwant nobody left at the end of the drain", log)
			}
			t.Logf("%d waits and %d streams were told, and the server ended, within %v of the signal", n-streams, streams, took.Round(time.Millisecond))
		})
	}
}
