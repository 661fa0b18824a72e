package attack_test

import (
	"net"
	"os/exec"
	"testing"
	"time"
)

// TestOutOfDescriptors opens more connections than the server has descriptors for. The connections that it has accepted go on. When
// the crowd has gone the server serves everybody again, and a metric shows operators why it did not before.
func TestOutOfDescriptors(t *testing.T) {
	s := start(t, exec.Command("sh", "-c", `ulimit -n 96; exec "$0" --listen=127.0.0.1:0 --admin=127.0.0.1:0 --read-timeout=20s`, program))
	p := connecting(t, s.url(), nil)
	began := time.Now()
	var crowd []net.Conn
	before, in := p.during(t, func() {
		spent := s.cpu(t)
		for range 300 {
			conn, err := net.Dial("tcp", s.Addr) // the kernel takes them, the server cannot
			if err != nil {
				t.Fatal(err)
			}
			crowd = append(crowd, conn)
		}
		p.take(t)
		p.settle()
		if got := s.cpu(t) - spent; got > time.Since(began) {
			t.Logf("CPU in the crowd: %v of %v", got, time.Since(began))
		}
	})
	for _, conn := range crowd {
		conn.Close()
	}
	s.alive(t)
	if got := s.metric(t, "signal_accept_errors_total"); got == 0 {
		t.Error("signal_accept_errors_total: got 0, want those that the server could not accept")
	}
	t.Logf("300 connections for 96 descriptors: before %v; in it %v", before, in)
}
