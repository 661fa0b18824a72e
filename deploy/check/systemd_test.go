package check

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// mostExposure is how exposed the unit may be by systemd's own measure, in tenths of 0 to 10. An unhardened one has 96.
const mostExposure = "15"

// TestUnit has systemd read the unit, and judge how much it leaves open.
func TestUnit(t *testing.T) {
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("systemd-analyze is missing")
		}
		t.Skip("systemd-analyze is missing")
	}
	text, err := os.ReadFile("../systemd/signal-server.service")
	if err != nil {
		t.Fatal(err)
	}
	anything, err := os.Executable() // the program is not installed here
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), "ExecStart=/usr/bin/signal-server\n") {
		t.Error("the unit does not start /usr/bin/signal-server")
	}
	unit := filepath.Join(t.TempDir(), "signal-server.service")
	if err := os.WriteFile(unit, []byte(strings.ReplaceAll(string(text), "/usr/bin/signal-server", anything)), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("systemd-analyze", "verify", "--man=no", unit).CombinedOutput(); err != nil || strings.Contains(string(out), "signal-server") {
		t.Errorf("verify: got %v\n%s\nwant nothing to say", err, out)
	}
	socket := filepath.Join(filepath.Dir(unit), "signal-server.socket")
	if text, err := os.ReadFile("../systemd/signal-server.socket"); err != nil || os.WriteFile(socket, text, 0o600) != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("systemd-analyze", "verify", "--man=no", unit, socket).CombinedOutput(); err != nil || strings.Contains(string(out), "signal-server") {
		t.Errorf("verify, with the socket: got %v\n%s\nwant nothing to say", err, out)
	}
	out, err := exec.Command("systemd-analyze", "security", "--offline=true", "--no-pager", "--threshold="+mostExposure, unit).CombinedOutput()
	if err != nil {
		t.Errorf("security: got %v\n%s\nwant an exposure of %s tenths at the most", err, out, mostExposure)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	t.Log(lines[len(lines)-1])
}

// TestEnvironmentFile starts the program with what the file says, as far as to check it.
func TestEnvironmentFile(t *testing.T) {
	text, err := os.ReadFile("../systemd/signal-server.env")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program(t), "--check-config")
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			cmd.Env = append(cmd.Env, line)
		}
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("got %v\n%s", err, out)
	}
}
