// Package testlog lets tests read a log, or a program's output, while it is being written.
package testlog

import (
	"bytes"
	"sync"
)

// Log keeps what is written to it. The zero Log is empty. It is safe for concurrent use.
type Log struct {
	mu sync.Mutex
	// guarded by mu
	text bytes.Buffer
}

// Write implements io.Writer.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// String returns what was written since the last Drain.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// Drain returns what String returns, and forgets it.
func (l *Log) Drain() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer l.text.Reset()
	return l.text.String()
}
