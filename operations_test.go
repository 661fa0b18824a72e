package main_test

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestOperations types the console blocks of docs/operations.md into one shell, in a folder of their own, and reads what they promise.
func TestOperations(t *testing.T) {
	const mark = "-- end of a step --"
	folder := t.TempDir()
	var script strings.Builder
	var wants []step
	places := strings.NewReplacer("127.0.0.1:18080", free(t), "127.0.0.1:19090", free(t))
	for _, s := range stepsOf(t, "docs/operations.md") {
		command := s.command
		if strings.HasPrefix(command, "go build ") { // here is no source; the tests have built it
			command = fmt.Sprintf("cp '%s' signal-server", binary)
		}
		fmt.Fprintf(&script, "%s\necho '%s'\n", places.Replace(command), mark)
		wants = append(wants, s)
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
