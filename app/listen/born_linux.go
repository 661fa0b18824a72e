package listen

import (
	"io/fs"
	"syscall"

	"golang.org/x/sys/unix"
)

// born gives a socket its mode before it has a path: bind(2) makes the file with that mode, less the umask.
func born(mode fs.FileMode) func(string, string, syscall.RawConn) error {
	return func(_, _ string, raw syscall.RawConn) error {
		var err error
		if failed := raw.Control(func(fd uintptr) { err = unix.Fchmod(int(fd), uint32(mode)) }); failed != nil {
			return failed
		}
		return err
	}
}
