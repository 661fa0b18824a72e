package attack_test

import (
	"net/http"
	"os/exec"
	"syscall"
	"testing"

	"signal-server/test/port"
	"signal-server/test/process"
	"signal-server/test/until"
)

// TestDiskFullForLogs sends the server's log to a full disk. The server serves, reloads and ends as with any other.
func TestDiskFullForLogs(t *testing.T) {
	address := port.Hold(t) // the log, which would say where it serves, is lost
	cmd := exec.Command("sh", "-c", `exec "$0" --listen="$1" --admin= 2>/dev/full`, program, address)
	s := &server{&process.Server{Program: process.Launch(t, nil, cmd, func(string) {}), Addr: address}}
	t.Cleanup(func() { s.End(t) })
	until.True(t, patience, "it serves", func() bool {
		r, err := http.Get(s.url() + "/readyz")
		if err != nil {
			return false
		}
		r.Body.Close()
		return r.StatusCode == 200
	})
	p := connecting(t, s.url(), nil)
	p.settle()
	if f := p.take(t); f.handshakes == 0 {
		t.Error("no handshake completed")
	}
	cmd.Process.Signal(syscall.SIGHUP) // which is logged
	p.settle()
	if f := p.take(t); f.handshakes == 0 {
		t.Error("no handshake completed after SIGHUP")
	}
}
