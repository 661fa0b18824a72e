package check

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
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

// TestUnitChecksItsFile wants the unit to look at the file that it is told by before it starts, with the flags that the program has, and to
// end trying where it does not start.
func TestUnitChecksItsFile(t *testing.T) {
	text, err := os.ReadFile("../../deploy/systemd/signal-server.service")
	if err != nil {
		t.Fatal(err)
	}
	setting := func(name string) string {
		m := regexp.MustCompile(`(?m)^` + name + `=-?(.*)$`).FindSubmatch(text)
		if m == nil {
			t.Fatalf("got no %s, want one", name)
		}
		return string(m[1])
	}
	file := setting("EnvironmentFile")
	if got, want := setting("ExecStartPre"), "/usr/bin/signal-server --check-config --env-file "+file; got != want {
		t.Errorf("ExecStartPre: got %s, want %s", got, want)
	}
	seconds := func(name string) float64 {
		d, err := time.ParseDuration(setting(name))
		if err != nil {
			t.Fatal(err)
		}
		return d.Seconds()
	}
	burst, err := strconv.ParseFloat(setting("StartLimitBurst"), 64)
	if err != nil {
		t.Fatal(err)
	}
	const start = 1.0 // seconds that a check may take that finds something, and more than it does
	if took, within := burst*(seconds("RestartSec")+start), seconds("StartLimitIntervalSec"); took > within {
		t.Errorf("%v starts take up to %v s: got them counted within %v s, want them to come to an end", burst, took, within)
	}
	for content, want := range map[string]string{
		"SIGNAL_LISTN=:80\n":           ":1: SIGNAL_LISTN: no such setting; is SIGNAL_LISTEN meant?",
		"\nexport SIGNAL_LISTEN=:80\n": ":2: begins with export",
	} {
		path := filepath.Join(t.TempDir(), "env")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		args := strings.Fields(strings.Replace(setting("ExecStartPre"), file, path, 1))
		cmd := exec.Command(program(t), args[1:]...)
		cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
		if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), path+want) {
			t.Errorf("%q: got %v\n%swant a failure, and %s", content, err, out, path+want)
		}
	}
}

// TestEnvironmentFile checks the configuration that the file sets: as it stands, and with every line that it has commented out, where the last
// of two of one name counts. It leaves out certificates in files, which exclude those of an ACME authority; test/program serves with these.
func TestEnvironmentFile(t *testing.T) {
	const shipped = "../../deploy/systemd/signal-server.env"
	check := func(path string) {
		t.Helper()
		cmd := exec.Command(program(t), "--check-config", "--env-file", path)
		cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
		if out, err := cmd.CombinedOutput(); err != nil || strings.Contains(string(out), "error") {
			text, _ := os.ReadFile(path)
			t.Errorf("got %v\n%s\nof %s", err, out, text)
		}
	}
	check(shipped)

	text, err := os.ReadFile(shipped)
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	tokens := filepath.Join(folder, "tokens")
	if out, err := exec.Command(program(t), "token", "--file", tokens, "alice").CombinedOutput(); err != nil {
		t.Fatalf("token: got %v\n%s", err, out)
	}
	for name, content := range map[string]string{"store": "redis://user:password@10.0.0.1:6379/0\n", "resumption": strings.Repeat("x", 32) + "\n", "turn": strings.Repeat("x", 64) + "\n"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	all := regexp.MustCompile(`(?m)^#([A-Z_]+=)`).ReplaceAllString(string(text), "$1")
	all = regexp.MustCompile(`(?m)^SIGNAL_TLS_(?:CERT|KEY)=.*$`).ReplaceAllString(all, "")
	path := filepath.Join(folder, "env")
	if err := os.WriteFile(path, []byte(strings.NewReplacer("/etc/signal-server", folder, "/var/lib/signal-server", folder).Replace(all)), 0o600); err != nil {
		t.Fatal(err)
	}
	check(path)
}
