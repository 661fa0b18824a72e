package check

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// mostExposure is how exposed the unit may be by systemd's own measure, in tenths of 0 to 10. An unhardened one has 96.
const mostExposure = "15"

// TestUnit lets systemd read the unit and rate its exposure.
func TestUnit(t *testing.T) {
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("systemd-analyze is missing")
		}
		t.Skip("systemd-analyze is missing")
	}
	text, err := os.ReadFile("../../deploy/systemd/signal-server.service")
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
	if text, err := os.ReadFile("../../deploy/systemd/signal-server.socket"); err != nil || os.WriteFile(socket, text, 0o600) != nil {
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

// TestEnvironmentFile checks the configuration that the file sets: as it stands, and with every line that it has commented out. It leaves
// out certificates in files, which exclude those of an ACME authority.
func TestEnvironmentFile(t *testing.T) {
	text, err := os.ReadFile("../../deploy/systemd/signal-server.env")
	if err != nil {
		t.Fatal(err)
	}
	tokens := filepath.Join(t.TempDir(), "tokens")
	if out, err := exec.Command(program(t), "token", "--file", tokens, "alice").CombinedOutput(); err != nil {
		t.Fatalf("token: got %v\n%s", err, out)
	}
	store := filepath.Join(t.TempDir(), "store")
	if err := os.WriteFile(store, []byte("redis://user:password@10.0.0.1:6379/0\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	assigned := regexp.MustCompile(`^#?[A-Z_]+=`)
	for _, all := range []bool{false, true} {
		cmd := exec.Command(program(t), "--check-config")
		cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
		for line := range strings.Lines(string(text)) {
			line = strings.TrimSpace(line)
			if !assigned.MatchString(line) || line[0] == '#' && !all || strings.Contains(line, "SIGNAL_TLS_") {
				continue
			}
			line = strings.NewReplacer("/etc/signal-server/tokens", tokens, "/etc/signal-server/store", store).Replace(strings.TrimPrefix(line, "#"))
			cmd.Env = append(cmd.Env, line)
		}
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("with all of it %v: got %v\n%s\nof %q", all, err, out, cmd.Env)
		}
	}
}
