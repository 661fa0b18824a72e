package main

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
)

// faults counts wrong answers. A run whose counts are not all 0 fails. It is safe for concurrent use.
type faults struct {
	// atomic
	checked                      atomic.Int64 // answers
	lost, doubled, mixed, wrongs atomic.Int64 // payloads, and answers that are wrong otherwise

	mu sync.Mutex
	// guarded by mu
	example string // the first
}

// check reports whether the answer to a reader of that key is as it must be, and counts what is wrong with it.
func (f *faults) check(got, want []byte, key string) bool {
	f.checked.Add(1)
	if matches(got, want) {
		return true
	}
	f.count(got, want, key)
	return false
}

// matches reports whether got is want, with any cursor where want has one.
func matches(got, want []byte) bool {
	if bytes.Equal(got, want) {
		return true
	}
	before, after, found := bytes.Cut(want, []byte(anyCursor))
	if !found || !bytes.HasPrefix(got, before) {
		return false
	}
	cursor, rest, _ := bytes.Cut(got[len(before):], []byte(`"`))
	return len(cursor) > 0 && bytes.Equal(rest, after[1:])
}

var tags = regexp.MustCompile(fmt.Sprintf(`[0-9a-f]{%d}/(?:offer-|answer)/\d{3}`, keyLen))

func (f *faults) count(got, want []byte, key string) {
	expected := make(map[string]bool)
	for _, tag := range tags.FindAllString(string(want), -1) {
		expected[tag] = true
	}
	named := false
	for _, tag := range tags.FindAllString(string(got), -1) {
		switch {
		case expected[tag]:
			delete(expected, tag)
			continue
		case strings.HasPrefix(tag, key):
			f.doubled.Add(1) // the server handed it out before, or twice in this answer
		default:
			f.mixed.Add(1)
		}
		named = true
	}
	f.lost.Add(int64(len(expected)))
	if !named && len(expected) == 0 {
		f.wrongs.Add(1)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.example == "" {
		f.example = fmt.Sprintf("key %s: got %q, want %q", key, got, want)
	}
}

// err returns what was wrong, or nil.
func (f *faults) err() error {
	lost, doubled, mixed, wrongs := f.lost.Load(), f.doubled.Load(), f.mixed.Load(), f.wrongs.Load()
	if lost+doubled+mixed+wrongs == 0 {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return fmt.Errorf("%d payloads lost, %d doubled, %d mixed up, %d answers wrong otherwise; the first: %s",
		lost, doubled, mixed, wrongs, f.example)
}
