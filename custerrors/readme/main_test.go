package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const source = `// Package custerrors is a part of the real one.
package custerrors

// Error is a msg text.
type Error string

// Second in the alphabet, first in the file.
const (
	// KeyIsEmpty says that the request names no key,
	// or a blank | one.
	KeyIsEmpty Error = "key为空"
	// CtxIsEmpty is for the log only.
	CtxIsEmpty Error = "a|b"
)

// Queue says nothing here: it is no msg text.
const Queue = 1

// QueueIsFull says that there is no room.
const QueueIsFull Error = "队列已满"
`

const wantTable = `| constant | msg | status | meaning |
|---|---|---|---|
| ` + "`KeyIsEmpty`" + ` | key为空 | 400 | the request names no key, or a blank \| one. |
| ` + "`CtxIsEmpty`" + ` | a\|b | 500 | for the log only. |
| ` + "`QueueIsFull`" + ` | 队列已满 | 429 | there is no room. |
`

func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestUpdate(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "custerrors.go", source)
	write(t, dir, "custerrors_test.go", "not Go, and not to be read")
	readme := write(t, dir, "README.md", "# Title\n\n"+beginMarker+"\nstale\n"+endMarker+"\n\nThe end, without a newline")
	want := "# Title\n\n" + beginMarker + "\n\n" + wantTable + "\n" + endMarker + "\n\nThe end, without a newline"
	for _, run := range []string{"first", "second"} {
		if err := update(dir, readme); err != nil {
			t.Fatalf("%s run: %v", run, err)
		}
		got, err := os.ReadFile(readme)
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != want {
			t.Errorf("%s run: got\n%s\nwant\n%s", run, got, want)
		}
	}
}

func TestSpliceRefuses(t *testing.T) {
	tests := []struct{ name, readme, want string }{
		{"no marker", "# Title\n", "msgs:begin"},
		{"no end", beginMarker, "msgs:end"},
		{"no begin", endMarker, "msgs:begin"},
		{"two begins", beginMarker + beginMarker + endMarker, "2 times"},
		{"two ends", beginMarker + endMarker + endMarker, "2 times"},
		{"end before begin", endMarker + beginMarker, "want it behind"},
	}
	for _, tt := range tests {
		got, err := splice(tt.readme, "table")
		if err == nil || !strings.Contains(err.Error(), tt.want) || got != "" {
			t.Errorf("%s: got %q, %v, want an error with %q", tt.name, got, err, tt.want)
		}
	}
}

func TestEntriesOfRefuses(t *testing.T) {
	const head = "// Package p is one.\npackage p\n\n// Error is one.\ntype Error string\n\n"
	tests := []struct{ name, source, want string }{
		{"no package", "", "custerrors.go:1"},
		{"no constant", head, "no exported constant"},
		{"no doc comment", head + "const KeyIsEmpty Error = `k`\n", "KeyIsEmpty: want a doc comment"},
		{"another name", head + "// Key says that k.\nconst KeyIsEmpty Error = `k`\n", "KeyIsEmpty: want a doc comment"},
		{"not a literal", head + "// K says that k.\nconst K Error = `k` + `l`\n", "want a string literal"},
		{"two in one", head + "// K says that k.\nconst K, L Error = `k`, `l`\n", "want one constant"},
	}
	for _, tt := range tests {
		dir := t.TempDir()
		write(t, dir, "custerrors.go", tt.source)
		got, err := entriesOf(dir)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, %v, want an error with %q", tt.name, got, err, tt.want)
		}
	}
}

func TestEntriesOfCusterrors(t *testing.T) {
	entries, err := entriesOf("..")
	if err != nil {
		t.Fatal(err)
	}
	if got := entries[0].constant; got != "KeyIsEmpty" {
		t.Errorf("the first constant: got %s, want KeyIsEmpty", got)
	}
	for _, e := range entries {
		if strings.Contains(string(e.msg), "\n") {
			t.Errorf("%s: got %q, want one line", e.constant, e.msg)
		}
	}
}
