package program_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"signal-server/test/need"
	"signal-server/test/port"
)

// TestOperations types the console blocks of docs/operations.md into one shell, in a folder of their own, and compares what they print
// with what the page shows.
func TestOperations(t *testing.T) {
	t.Parallel()
	need.Programs(t, "curl", "openssl", "prometheus", "promtool", "turnserver", "turnutils_uclient")
	const mark = "-- end of a step --"
	folder := t.TempDir()
	api, admin, prometheus, turn := port.Hold(t), port.Hold(t), port.Hold(t), port.Hold(t)
	places := strings.NewReplacer("127.0.0.1:8443", api, "localhost:8443", "localhost:"+port.Of(api), "127.0.0.1:9090", admin, "127.0.0.1:9091", prometheus,
		"127.0.0.1:8080", api, "127.0.0.1:3478", turn, "-port 3478", "-port "+port.Of(turn), "-p 3478", "-p "+port.Of(turn),
		"scrape_interval: 15s", "scrape_interval: 1s") // a person waits longer
	copied(t, "deploy/prometheus", folder, places)
	copied(t, "deploy/coturn", folder, places)

	var script strings.Builder
	script.WriteString("export SIGNAL_ADMIN=" + admin + "\ntrap 'kill $(jobs -p) 2>/dev/null' EXIT\n")
	var wants []step
	for _, s := range stepsOf(t, "docs/operations.md") {
		command := s.command
		if strings.HasPrefix(command, "go build ") { // here is no source; the tests have built it
			command = fmt.Sprintf("cp '%s' signal-server", binary)
		}
		fmt.Fprintf(&script, "%s\necho '%s'\n", places.Replace(command), mark)
		wants = append(wants, step{s.command, places.Replace(s.output)})
	}
	shell := exec.CommandContext(t.Context(), "bash", "-c", script.String())
	shell.Dir = folder
	out, err := shell.CombinedOutput()
	if err != nil {
		t.Fatalf("got %v\n%s", err, out)
	}
	got := strings.Split(string(out), mark)
	for i, want := range wants {
		if i >= len(got) || strings.TrimSpace(got[i]) != strings.TrimSpace(want.output) {
			t.Errorf("%s\n got  %q\n want %q", want.command, got[min(i, len(got)-1)], want.output)
		}
	}
}

// TestOperationsAsRoot types the sh blocks of docs/operations.md, which are for root on a machine with systemd. A folder stands for the
// root directory; apt, systemctl, docker and the editor only print that they were called. The files that are in place afterwards must
// fit together.
func TestOperationsAsRoot(t *testing.T) {
	page, err := os.ReadFile("docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	var script strings.Builder
	script.WriteString(`set -e
for called in apt systemctl docker editor; do eval "$called() { echo $called \"\$@\"; }"; done
install() { # no such groups are here
	local all=() a
	for a; do [[ $a == signal-server || $a == turnserver ]] && a=$(id -gn); all+=("$a"); done
	command install "${all[@]}"
}
signal-server() { "$BINARY" "$@" >/dev/null; }
ln -s "$HERE/deploy" deploy
touch cert.pem key.pem
mkdir -p etc/prometheus etc/grafana etc/default etc/signal-server
`)
	places := strings.NewReplacer("/etc/", root+"/etc/", "/var/", root+"/var/")
	for _, block := range fenced.FindAllSubmatch(page, -1) {
		if string(block[1]) == "sh" {
			script.WriteString(places.Replace(string(block[2])))
		}
	}
	shell := exec.CommandContext(t.Context(), "bash", "-c", script.String())
	shell.Dir = root
	shell.Env = append(os.Environ(), "BINARY="+binary, "HERE="+here)
	out, err := shell.CombinedOutput()
	if err != nil {
		t.Fatalf("got %v\n%s\nof\n%s", err, out, &script)
	}
	var named []string // files of the repository that the programs were called with
	for _, m := range regexp.MustCompile(`(?m)^systemctl enable --now (.*)$|^docker compose -f (\S+) `).FindAllStringSubmatch(string(out), -1) {
		for unit := range strings.FieldsSeq(m[1]) {
			named = append(named, "deploy/systemd/"+unit)
		}
		named = append(named, m[2])
	}
	for _, name := range named {
		if _, err := os.Stat(name); name != "" && err != nil {
			t.Error(err)
		}
	}
	if len(named) < 4 {
		t.Errorf("got %q named, want the units and the compose file", named)
	}
	for name, want := range map[string]string{ // what each file must have in it
		"etc/signal-server/tokens":                                "alice",
		"etc/signal-server/key.pem":                               "",
		"etc/turnserver.conf":                                     "\nstatic-auth-secret=",
		"etc/signal-server/turn":                                  "",
		"etc/prometheus/prometheus.yml":                           "rule_files: [alerts.yaml]",
		"etc/prometheus/alerts.yaml":                              "SignalServerDown",
		"etc/default/prometheus":                                  `ARGS="--web.listen-address=127.0.0.1:9091"`,
		"etc/default/grafana-server":                              "PROMETHEUS_URL=http://127.0.0.1:9091",
		"etc/grafana/provisioning/datasources/signal-server.yaml": "url: $PROMETHEUS_URL",
		"etc/grafana/provisioning/dashboards/signal-server.yaml":  "path: /var/lib/grafana/dashboards\n",
		"var/lib/grafana/dashboards/signal-server.json":           `"title": "signal-server"`,
	} {
		if got, err := os.ReadFile(filepath.Join(root, name)); err != nil || !strings.Contains(string(got), want) {
			t.Errorf("/%s: got %.200q %v, want %q in it", name, got, err, want)
		}
	}
}

// copied copies the files of a folder to the same place below another, with places changed.
func copied(t *testing.T, from, below string, places *strings.Replacer) {
	t.Helper()
	files, err := os.ReadDir(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(below, from), 0o750); err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(filepath.Join(from, file.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(below, from, file.Name()), []byte(places.Replace(string(text))), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestOperationsKnowsTheAlerts wants a row for each alert, and none of another.
func TestOperationsKnowsTheAlerts(t *testing.T) {
	names := func(file, pattern string) (names []string) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(pattern).FindAllSubmatch(text, -1) {
			names = append(names, string(m[1]))
		}
		slices.Sort(names)
		return names
	}
	got, want := names("docs/operations.md", `(?m)^\| (Signal\w+) \|`), names("deploy/prometheus/alerts.yaml", `- alert: (\w+)`)
	if len(want) == 0 || !slices.Equal(got, want) {
		t.Errorf("alerts with a row: got %q, want %q", got, want)
	}
}
