package attack_test

import (
	"os/exec"
	"testing"
	"time"
)

// TestRestart kills the server under load, twice, and starts it again at the same address. Every handshake ends connected: by a
// repeated request, or by starting over where the session has gone with the server. (e2e/restart.test.js is this for browsers.)
func TestRestart(t *testing.T) {
	s := serve(t)
	p := connecting(t, s.url(), nil)
	total := figures{}
	for range 2 {
		p.settle()
		s.cmd.Process.Kill()
		<-s.ended
		time.Sleep(300 * time.Millisecond) // a process manager takes a moment
		s = start(t, exec.Command(program, "--listen="+s.addr, "--admin="))
		f := p.take(t)
		total.handshakes += f.handshakes
		total.restarted += f.restarted
	}
	p.settle()
	f := p.take(t)
	if f.handshakes == 0 {
		t.Error("no handshake completed after the restart")
	}
	t.Logf("two kills: %d handshakes completed, %d of them after starting over, 0 failed", total.handshakes+f.handshakes, total.restarted+f.restarted)
}
