package app

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"signal-server/app/flag"
)

// write returns the path of a new file with this text.
func write(t *testing.T, text string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil { // whatever the umask is
		t.Fatal(err)
	}
	return path
}

// checked returns what is wrong with where these arguments keep sessions, and where that is.
func checked(t *testing.T, args ...string) (wrong flag.Mistakes, store string) {
	t.Helper()
	s, flags := read(t, args...)
	s.readStore(&wrong, flag.NamesOf(flags))
	s.validate(&wrong, flag.NamesOf(flags))
	return wrong, s.Store
}

func TestStoreFile(t *testing.T) {
	const url = "redis://user:geheim@127.0.0.1:6379/1"
	wrong, store := checked(t, "--store-file="+write(t, url+"\n", 0o600))
	if len(wrong) > 0 || store != url {
		t.Errorf("got %q, %v, want %q", store, wrong, url)
	}
	for what, args := range map[string][]string{
		"--store-file is of no use beside --store": {"--store=" + url, "--store-file=" + write(t, url, 0o600)},
		"which is empty":            {"--store-file=" + write(t, "\n", 0o600)},
		"more than 64KiB":           {"--store-file=" + write(t, strings.Repeat("h", maxStoreFile+1), 0o600)},
		"--store-file: open /nowhe": {"--store-file=/nowhere"},
	} {
		if wrong, _ := checked(t, args...); len(wrong) != 1 || !strings.Contains(wrong[0].Error(), what) {
			t.Errorf("got %v, want one mistake: %s", wrong, what)
		}
	}
}

// TestNoPasswordIsTold checks that a typo in the URL of a store puts no part of its password into what is said of it.
func TestNoPasswordIsTold(t *testing.T) {
	for _, url := range []string{
		"redis:/u:GEHEIM@h", "redis//u:GEHEIM@h", "GEHEIM@h", "u:GEHEIM@h", "rediss:u:GEHEIM", "/GEHEIM:x",
		"redis://u:GEHEIM", "redis://u:x/GEHEIM@h", "redis://u:GEHEIM#x@h", "redis://u:x?GEHEIM@h", "redis://u:GEHEIM\x01@h", "redis://u:GEHEIM@h/x",
		"redis://u:GEHEIM@h?what=1", "redis-sentinel://u:GEHEIM@h", "redis-cluster://u:GEHEIM@h/1", "redis-what://u:GEHEIM@h",
	} {
		wrong, _ := checked(t, "--store="+url)
		if told := errors.Join(wrong...); told == nil || strings.Contains(told.Error(), "GEHEIM") {
			t.Errorf("--store=%s: got %v, want a mistake without the password", url, told)
		}
		if told := kindOf(url); strings.Contains(told, "GEHEIM") {
			t.Errorf("--store=%s: got it called %s, want no password", url, told)
		}
	}
}
