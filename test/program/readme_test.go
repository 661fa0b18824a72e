package program_test

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"signal-server/app/apptest"
	"signal-server/cache/memory"
)

// step is a command of a page, and the output that the page shows.
type step struct{ command, output string }

// stepsOf returns the commands of the page's console blocks: lines that begin with "$ ", and what follows each.
func stepsOf(t *testing.T, page string) (all []step) {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, block := range regexp.MustCompile("(?s)```console\n(.*?)```").FindAllSubmatch(text, -1) {
		for line := range strings.Lines(string(block[1])) {
			if command, ok := strings.CutPrefix(line, "$ "); ok {
				all = append(all, step{command: strings.TrimSpace(command)})
			} else {
				all[len(all)-1].output += line
			}
		}
	}
	if len(all) == 0 {
		t.Fatalf("%s has no console block", page)
	}
	return all
}

// cursor matches cursors, which differ from one run to the next.
var cursor = regexp.MustCompile(`"next":"[A-Za-z0-9_-]{11}"`)

// TestREADME types the commands of the README and compares what they print with what the README shows.
func TestREADME(t *testing.T) {
	config := apptest.Defaults()
	store, err := memory.New(memory.Config{Limits: config.Limits, Memory: memory.MinMemory})
	if err != nil {
		t.Fatal(err)
	}
	server := apptest.Serve(t, apptest.Listen(t), config, store)
	for _, s := range stepsOf(t, "README.md") {
		command := strings.ReplaceAll(s.command, "localhost:8080", server.Addr)
		out, err := exec.Command("bash", "-c", command).Output()
		if err != nil {
			t.Fatalf("%s: %v", s.command, err)
		}
		got := cursor.ReplaceAllString(strings.TrimSpace(string(out)), "NEXT")
		want := cursor.ReplaceAllString(strings.TrimSpace(s.output), "NEXT")
		if got != want {
			t.Errorf("%s\n got  %s\n want %s", s.command, got, want)
		}
	}
}
