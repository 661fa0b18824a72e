package listen

import (
	"io/fs"
	"os"
	"syscall"
	"testing"
)

// TestSocketIsBornWithItsMode looks at a socket before settle sets its mode. No umask protects it then.
func TestSocketIsBornWithItsMode(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0))
	path := somewhere(t)
	l, err := bind(path, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	file, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := file.Mode(), fs.ModeSocket|0o600; got != want {
		t.Errorf("got %v, want %v", got, want)
	}
}
