package listen

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// maxPath is how long a socket's path may be, in bytes. sockaddr_un has room for 108 on Linux and for 104 on BSDs, with a zero at the
// end.
const maxPath = 103

// parsePath takes absolute paths only: the operator does not choose the directory that a service starts in. It refuses Linux's abstract
// sockets: they have no mode, so anybody on the machine could connect.
func parsePath(path string) (Address, error) {
	switch {
	case !filepath.IsAbs(path):
		return Address{}, fmt.Errorf("is %q, must have an absolute path", "unix:"+path)
	case len(path) > maxPath-len(beside):
		return Address{}, fmt.Errorf("has a path of %d bytes, must be %d or fewer", len(path), maxPath-len(beside))
	}
	return Address{overUnix, filepath.Clean(path)}, nil
}

// beside ends the path of a socket that does not have its mode yet.
const beside = ".new"

// unixListener listens on a socket that was moved to its path.
type unixListener struct {
	// set at construction
	*net.UnixListener
	path string
	file fs.FileInfo // the socket there

	closing sync.Once
}

// listenUnix listens at the path. It makes the socket beside the path, sets its mode, and moves it there. So nobody whom the mode keeps
// out can connect in between.
func listenUnix(path string, mode fs.FileMode) (net.Listener, error) {
	if err := vacate(path); err != nil {
		return nil, err
	}
	made := path + beside
	if err := vacate(made); err != nil {
		return nil, err
	}
	l, err := bind(made, mode)
	if err != nil {
		return nil, err
	}
	l.SetUnlinkOnClose(false) // it knows only the path at which it was made
	file, err := settle(made, path, mode)
	if err != nil {
		l.Close()
		os.Remove(made)
		return nil, err
	}
	return &unixListener{UnixListener: l, path: path, file: file}, nil
}

// bind listens at the path, on a socket with what the umask leaves of the mode.
func bind(path string, mode fs.FileMode) (*net.UnixListener, error) {
	config := net.ListenConfig{Control: born(mode)}
	l, err := config.Listen(context.Background(), "unix", path)
	if err != nil {
		return nil, err
	}
	return l.(*net.UnixListener), nil
}

func settle(made, path string, mode fs.FileMode) (fs.FileInfo, error) {
	if err := os.Chmod(made, mode); err != nil {
		return nil, err
	}
	file, err := os.Lstat(made)
	if err != nil {
		return nil, err
	}
	return file, os.Rename(made, path)
}

// vacate removes a socket that nobody listens on any more, such as one of a server that was killed. It returns an error if somebody
// listens there, or if something else than a socket is there.
func vacate(path string) error {
	file, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if file.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("listen unix %s: there is something that is no socket", path)
	}
	conn, err := net.DialTimeout("unix", path, time.Second)
	switch {
	case err == nil:
		conn.Close()
		return fmt.Errorf("listen unix %s: %w", path, syscall.EADDRINUSE)
	case !errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("listen unix %s: is it in use? %w", path, err)
	}
	return os.Remove(path)
}

// Addr implements net.Listener.
func (l *unixListener) Addr() net.Addr { return &net.UnixAddr{Name: l.path, Net: "unix"} }

// Close implements net.Listener. It removes the socket, unless another server's socket is at the path by now.
func (l *unixListener) Close() error {
	l.closing.Do(func() {
		if now, err := os.Lstat(l.path); err == nil && os.SameFile(now, l.file) {
			os.Remove(l.path) // if it fails the next server replaces the socket
		}
	})
	return l.UnixListener.Close()
}
