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

// maxPath is how long a socket's path may be, in bytes: sockaddr_un has 108 on Linux, 104 on BSDs, and a zero at its end.
const maxPath = 103

// parsePath takes absolute paths only: the directory that a service is started in is not its operator's choice. Linux's abstract
// sockets have no mode, so anybody on the machine could connect.
func parsePath(path string) (Address, error) {
	switch {
	case !filepath.IsAbs(path):
		return Address{}, fmt.Errorf("is %q, must have an absolute path", "unix:"+path)
	case len(path) > maxPath-len(beside):
		return Address{}, fmt.Errorf("has a path of %d bytes, must be %d or fewer", len(path), maxPath-len(beside))
	}
	return Address{overUnix, filepath.Clean(path)}, nil
}

// beside is what the path of a socket has at its end until it has its mode.
const beside = ".new"

// unixListener is at a path that it was moved to.
type unixListener struct {
	// set at construction
	*net.UnixListener
	path string
	file fs.FileInfo // the socket there

	closing sync.Once
}

// listenUnix listens at the path. The socket is made beside it and moved there with its mode set: nobody whom the mode keeps
// out has had a moment to connect.
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
	l.SetUnlinkOnClose(false) // it knows the path that it was made at
	file, err := settle(made, path, mode)
	if err != nil {
		l.Close()
		os.Remove(made)
		return nil, err
	}
	return &unixListener{UnixListener: l, path: path, file: file}, nil
}

// bind listens at the path, on a socket that has of the mode what the umask leaves.
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

// vacate removes a socket that nobody listens on any more, as a server that was killed leaves it. What is something else, or is
// listened on, stays, and is an error.
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

// Close implements net.Listener. It removes the socket, unless another server's is at its path by now.
func (l *unixListener) Close() error {
	l.closing.Do(func() {
		if now, err := os.Lstat(l.path); err == nil && os.SameFile(now, l.file) {
			os.Remove(l.path) // when it fails the next one finds it stale
		}
	})
	return l.UnixListener.Close()
}
