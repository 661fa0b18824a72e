package nat_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"signal-server/test/need"
)

// room is a network of its own: a network namespace of the kernel. The nil room is the one that the test runs in. Sockets and programs stay in the
// room that they were made in.
type room struct{ namespace *os.File }

// newRoom makes a room that has a loopback only. It ends when its last socket and program have.
func newRoom(t testing.TB) *room {
	t.Helper()
	need.Programs(t, "ip")
	in := new(room)
	var opened error
	err := elsewhere(func() error { return unix.Unshare(unix.CLONE_NEWNET) }, func() { in.namespace, opened = os.Open(ownNamespace) })
	if opened != nil {
		t.Fatal(opened)
	}
	if err != nil {
		need.Missing(t, "no network can be made here: "+err.Error())
	}
	t.Cleanup(func() { in.namespace.Close() })
	in.ip(t, "link set lo up")
	return in
}

// do calls f in the room. What f opens, and starts, is there.
func (in *room) do(f func()) {
	if in == nil {
		f()
		return
	}
	if err := elsewhere(func() error { return unix.Setns(int(in.namespace.Fd()), unix.CLONE_NEWNET) }, f); err != nil {
		panic(err)
	}
}

const ownNamespace = "/proc/thread-self/ns/net"

// elsewhere calls f after leave, which goes to another room, on a thread that is for them alone, and comes back. The thread goes on: programs that it
// has started would end with it (see process.Launch).
func elsewhere(leave func() error, f func()) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	here, err := os.Open(ownNamespace)
	if err != nil {
		return err
	}
	defer here.Close()
	if err := leave(); err != nil {
		return err
	}
	defer func() {
		if err := unix.Setns(int(here.Fd()), unix.CLONE_NEWNET); err != nil {
			panic(err) // the thread must not be used for anything else
		}
	}()
	f()
	return nil
}

// ip runs ip(8) in the room, once for each of the commands.
func (in *room) ip(t testing.TB, commands ...string) {
	t.Helper()
	for _, command := range commands {
		in.run(t, "", "ip", strings.Fields(command)...)
	}
}

// run runs a program in the room that has nothing to say.
func (in *room) run(t testing.TB, input, program string, args ...string) {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Stdin = strings.NewReader(input)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	var err error
	if in.do(func() { err = cmd.Start() }); err == nil {
		err = cmd.Wait()
	}
	if err != nil {
		t.Fatalf("%s %v: %v: %s", program, args, err, bytes.TrimSpace(out.Bytes()))
	}
}

// cable lays a cable between two rooms. Each end has its address, such as 198.18.1.1/24, and a name. The addresses are good at once.
func cable(t testing.TB, a *room, aName, aAddress string, b *room, bName, bAddress string) {
	t.Helper()
	a.ip(t, fmt.Sprintf("link add %s type veth peer name %s netns /proc/%d/fd/%d", aName, bName, os.Getpid(), b.namespace.Fd()))
	a.ip(t, "address add "+aAddress+" dev "+aName+" nodad", "link set "+aName+" up")
	b.ip(t, "address add "+bAddress+" dev "+bName+" nodad", "link set "+bName+" up")
}

// listenPacket opens a UDP socket in the room, which ends with the test.
func (in *room) listenPacket(t testing.TB, network, address string) *net.UDPConn {
	t.Helper()
	var conn net.PacketConn
	var err error
	in.do(func() { conn, err = net.ListenPacket(network, address) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn.(*net.UDPConn)
}

// listen opens a TCP listener in the room, which ends with the test.
func (in *room) listen(t testing.TB, address string) net.Listener {
	t.Helper()
	var l net.Listener
	var err error
	in.do(func() { l, err = net.Listen("tcp", address) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// dial opens a connection in the room, which ends with the test.
func (in *room) dial(t testing.TB, network, address string) net.Conn {
	t.Helper()
	conn, err := in.dialContext(t.Context(), network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// dialContext is net.Dialer.DialContext in the room.
func (in *room) dialContext(ctx context.Context, network, address string) (conn net.Conn, err error) {
	d := net.Dialer{FallbackDelay: -1} // or another goroutine, in another room, would dial for this one
	in.do(func() { conn, err = d.DialContext(ctx, network, address) })
	return conn, err
}

// http is a client of HTTP in the room, which keeps no connections.
func (in *room) http() *http.Client {
	return &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true, DialContext: in.dialContext}}
}
