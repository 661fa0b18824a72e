package bridge

import (
	"bytes"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"
)

// lines is text that comes line by line, from a log or a program. A test can wait for parts of it. It is also written to the test's
// log.
type lines struct {
	name string
	to   io.Writer

	mu sync.Mutex
	// guarded by mu
	text  []byte
	grown chan struct{} // closed and replaced at each change
}

func newLines(t *testing.T, name string) *lines {
	return &lines{name: name, to: t.Output(), grown: make(chan struct{})}
}

// Write appends to the text. It never fails.
func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	l.text = append(l.text, p...)
	close(l.grown)
	l.grown = make(chan struct{})
	l.mu.Unlock()
	for line := range bytes.Lines(p) {
		io.WriteString(l.to, l.name+": "+strings.TrimSuffix(string(line), "\n")+"\n")
	}
	return len(p), nil
}

// count returns how often the text has the part.
func (l *lines) count(part string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(string(l.text), part)
}

// want waits until the text has the part.
func (l *lines) want(t *testing.T, part string) {
	t.Helper()
	timeout := time.After(patience)
	for {
		l.mu.Lock()
		grown := l.grown
		l.mu.Unlock()
		if l.count(part) > 0 {
			return
		}
		select {
		case <-grown:
		case <-timeout:
			t.Fatalf("%s: got no %q within %v", l.name, part, patience)
		}
	}
}

// patience is how long a test waits for what has to come. It is much more than that takes, because a machine may be slow.
const patience = 30 * time.Second

// logTo returns a logger that writes everything.
func logTo(w io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug}))
}
