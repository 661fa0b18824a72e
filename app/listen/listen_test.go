package listen

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestParse(t *testing.T) {
	long := "/" + strings.Repeat("p", maxPath-len(beside)-1)
	for text, want := range map[string]Address{
		":8080":            {overTCP, ":8080"},
		"[::1]:80":         {overTCP, "[::1]:80"},
		"localhost:http":   {overTCP, "localhost:http"},
		"unix:/run/s.sock": {overUnix, "/run/s.sock"},
		"unix:/run//a/../": {overUnix, "/run"},
		"unix:" + long:     {overUnix, long},
		"systemd":          {kind: fromSystemd},
		"systemd:api":      {fromSystemd, "api"},
	} {
		if got, err := Parse(text); err != nil || got != want {
			t.Errorf("%q: got %+v, %v, want %+v", text, got, err, want)
		}
	}
	for text, want := range map[string]string{
		"":                     "must be host:port",
		"8080":                 "must be host:port",
		"unix":                 "must be host:port",
		"systemd:":             "must be systemd or systemd:NAME",
		"localhost:no-port":    `port "no-port"`,
		":65536":               `port "65536"`,
		"unix:":                "absolute path",
		"unix:run/s.sock":      "absolute path",
		"unix:@abstract":       "absolute path",
		"unix:" + long + "p":   "has a path of 100 bytes, must be 99 or fewer",
		"unix:\x00/run/s.sock": "absolute path",
	} {
		if got, err := Parse(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %+v, %v, want an error that says %s", text, got, err, want)
		}
	}
}

func TestMode(t *testing.T) {
	for text, want := range map[string]struct {
		mode    Mode
		written string
	}{"0660": {0o660, "0660"}, "600": {0o600, "0600"}, "0": {0, "0000"}, "777": {0o777, "0777"}} {
		var got Mode
		if err := got.UnmarshalText([]byte(text)); err != nil || got != want.mode || got.String() != want.written {
			t.Errorf("%q: got %o, %v, written %v, want %o, written %s", text, uint32(got), err, got, uint32(want.mode), want.written)
		}
	}
	for _, text := range []string{"", "rw", "1777", "0o660", "-1", "880"} {
		got := Mode(0o640)
		if err := got.UnmarshalText([]byte(text)); err == nil || err.Error() != "permissions in octal, such as 0660" || got != 0o640 {
			t.Errorf("%q: got %v, %v, want an error that says what it must be, and the mode as before", text, got, err)
		}
	}
}

// somewhere returns a path for a socket. A path below t.TempDir would be too long.
func somewhere(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "listen")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return filepath.Join(dir, "s")
}

func listenAt(t *testing.T, path string, mode Mode) net.Listener {
	t.Helper()
	address, err := Parse("unix:" + path)
	if err != nil {
		t.Fatal(err)
	}
	l, err := address.Listen(mode, nil)
	if err != nil {
		t.Fatalf("Listen: got %v, want a listener", err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func meet(t *testing.T, l net.Listener, path string) {
	t.Helper()
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatalf("Dial: got %v, want a connection", err)
	}
	defer conn.Close()
	accepted, err := l.Accept()
	if err != nil {
		t.Fatalf("Accept: got %v, want a connection", err)
	}
	accepted.Close()
}

func TestUnixSocket(t *testing.T) {
	path := somewhere(t)
	l := listenAt(t, path, 0o620)
	file, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := file.Mode(), fs.ModeSocket|0o620; got != want {
		t.Errorf("the mode: got %v, want %v", got, want)
	}
	if got, want := Name(l), "unix:"+path; got != want {
		t.Errorf("Name: got %s, want %s", got, want)
	}
	meet(t, l, path)
	l.Close()
	l.Close() // closed twice, as by whoever served it
	left, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(left) > 0 {
		t.Errorf("after Close: got %v, %v, want an empty directory", left, err)
	}
}

// TestUnixSocketInUse checks that a new server takes nothing away from a server that runs, nor from anybody else.
func TestUnixSocketInUse(t *testing.T) {
	path := somewhere(t)
	first := listenAt(t, path, 0o600)
	address, _ := Parse("unix:" + path)
	if l, err := address.Listen(0o600, nil); !errors.Is(err, syscall.EADDRINUSE) || !strings.Contains(err.Error(), path) {
		t.Errorf("beside another server: got %v, %v, want that %s is in use", l, err, path)
	}
	accepted, err := first.Accept() // that was the other server, which looked whether somebody listens
	if err != nil {
		t.Fatal(err)
	}
	accepted.Close()
	meet(t, first, path)

	file := somewhere(t)
	if err := os.WriteFile(file, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	address, _ = Parse("unix:" + file)
	if l, err := address.Listen(0o600, nil); err == nil || !strings.Contains(err.Error(), "no socket") {
		t.Errorf("at a file: got %v, %v, want that it is no socket", l, err)
	}
	if got, err := os.ReadFile(file); err != nil || string(got) != "precious" {
		t.Errorf("the file: got %q, %v, want it untouched", got, err)
	}
	address, _ = Parse("unix:" + file + "/s")
	if l, err := address.Listen(0o600, nil); err == nil {
		t.Errorf("below a file: got %v, want an error", l)
	}
}

// TestStaleSockets checks that a socket that a killed server left behind is replaced, half-made or whole.
func TestStaleSockets(t *testing.T) {
	path := somewhere(t)
	for _, left := range []string{path, path + beside} {
		l, err := net.ListenUnix("unix", &net.UnixAddr{Name: left, Net: "unix"})
		if err != nil {
			t.Fatal(err)
		}
		l.SetUnlinkOnClose(false)
		l.Close()
	}
	meet(t, listenAt(t, path, 0o600), path)
}

// TestCloseLeavesTheNextOnesSocket checks that a server that ends late does not remove the socket of the server that follows.
func TestCloseLeavesTheNextOnesSocket(t *testing.T) {
	path := somewhere(t)
	first := listenAt(t, path, 0o600)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	next := listenAt(t, path, 0o600)
	first.Close()
	meet(t, next, path)
}

func TestPassedSockets(t *testing.T) {
	open := func() net.Listener {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		return l
	}
	api, admin, twice := open(), open(), open()
	passed := func() *Passed {
		return &Passed{map[string][]net.Listener{"api": {api}, "admin": {admin}, "both": {twice, twice}}}
	}
	one := &Passed{map[string][]net.Listener{"whatever": {api}}}
	for _, tt := range []struct {
		from *Passed
		text string
		want net.Listener
		err  string
	}{
		{passed(), "systemd:api", api, ""},
		{passed(), "systemd:admin", admin, ""},
		{passed(), "systemd:both", nil, `2 sockets "both"`},
		{passed(), "systemd:other", nil, `no socket "other" was passed (but admin, api, both, both)`},
		{passed(), "systemd", nil, "4 sockets were passed (admin, api, both, both), systemd:NAME says which"},
		{one, "systemd", api, ""},
		{one, "systemd", nil, "no socket was passed"}, // it is taken
		{nil, "systemd", nil, "no socket was passed"},
		{Receive(), "systemd:api", nil, "no socket was passed"},
	} {
		address, err := Parse(tt.text)
		if err != nil {
			t.Fatal(err)
		}
		got, err := address.Listen(0, tt.from)
		if got != tt.want || (err != nil) != (tt.err != "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%s of %v: got %v, %v, want %v, %q", tt.text, tt.from, got, err, tt.want, tt.err)
		}
	}
	p := passed()
	p.take("api")
	p.Close()
	if got := p.Names(); len(got) > 0 {
		t.Errorf("after Close: got %v, want no names", got)
	}
	if _, err := admin.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("a socket that nobody took: got %v, want it closed", err)
	}
	if conn, err := net.Dial("tcp", api.Addr().String()); err != nil {
		t.Errorf("the one that was taken: got %v, want it open", err)
	} else {
		conn.Close()
	}
}
