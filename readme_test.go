package main_test

import (
	"log/slog"
	"net"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"signal-server/app"
	"signal-server/cache/memory"
)

// step is a command of a page and what it says that is printed.
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

// cursor is what differs from one run to the next.
var cursor = regexp.MustCompile(`"next":"[A-Za-z0-9_-]{11}"`)

// TestREADME types what the README says and reads what it promises.
func TestREADME(t *testing.T) {
	config := app.DefaultConfig()
	store, err := memory.New(memory.Config{Limits: config.Limits, Memory: memory.MinMemory})
	if err != nil {
		t.Fatal(err)
	}
	server, err := app.New(config, store, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(t.Context(), listener, nil) }()
	t.Cleanup(func() { // after the test's context has ended
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
		store.Close()
	})

	for _, s := range stepsOf(t, "README.md") {
		command := strings.ReplaceAll(s.command, "localhost:8080", listener.Addr().String())
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
