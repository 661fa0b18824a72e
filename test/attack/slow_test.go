package attack_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"signal-server/test/need"
	"signal-server/test/until"
)

// crowd is how many attackers there are at once.
func crowd() int {
	if testing.Short() {
		return 500
	}
	return 5000
}

// slowness is how an attacker spends the server's time.
type slowness struct {
	begin string // is sent at once
	then  string // is sent once a second after that
	reads bool   // takes a byte of the answer now and then
	bar   int    // bytes of the server that one may hold, at the most; 0: any number
}

// perBody is how much a connection may hold that has told of a body and sends little of it: the connection's own buffers and the
// goroutine that reads.
const perBody = 32 << 10

var slow = map[string]slowness{
	"headers": {begin: "GET /answer/sdp HTTP/1.1\r\nHost: x\r\nkey: k\r\nX: ", then: "y"},
	"bodies":  {begin: "POST /offer/sdp HTTP/1.1\r\nHost: x\r\nkey: k\r\nContent-Length: 200000\r\n\r\n{\"data\":\"", then: "z", bar: perBody},
	"tellers": {begin: "POST /offer/messages HTTP/1.1\r\nHost: x\r\nkey: k\r\nContent-Length: 262144\r\n\r\n{", bar: perBody},
	"lost":    {begin: "GET /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 262144\r\n\r\nx", bar: perBody},
	"readers": {begin: strings.Repeat("GET /answer/messages HTTP/1.1\r\nHost: x\r\nkey: long\r\n\r\n", 20), reads: true},
	"silent":  {},
}

// TestSlow lets thousands of clients do everything as slowly as they can. The server ends their connections while peers connect.
func TestSlow(t *testing.T) {
	need.Programs(t, "nice")
	long := strings.Repeat("x", 60_000)
	for name, attacker := range slow {
		t.Run(name, func(t *testing.T) {
			s := serve(t, "--read-timeout=3s", "--idle-timeout=3s")
			c := http.Client{Timeout: patience}
			body := fmt.Sprintf(`{"sdp":%q}`, long)
			r, err := c.Post(s.url()+"/offer/messages?key=long", "application/json", strings.NewReader(body))
			if err != nil || r.StatusCode != 200 {
				t.Fatalf("the long sdp: got %v %v, want 200", r, err)
			}
			r.Body.Close()
			c.CloseIdleConnections()

			p := connecting(t, s.url(), nil)
			alone := s.most(t)
			var coming figures // while the attackers connect
			var held string
			before, in := p.during(t, func() {
				said, end := attack(t, "TestAttackers", fmt.Sprintf("%s %s %d", name, s.Addr, crowd()))
				nextLine(t, said)
				coming = p.take(t)
				// A reader goes on reading what its kernel has buffered long after the server has hung up.
				until.True(t, patience, "the server has ended the slow ones", func() bool { return s.Descriptors(t) < 50+2*pairs })
				if !attacker.reads {
					held = ", the longest held " + nextLine(t, said)
				}
				end()
			})
			each := (s.most(t) - alone) / crowd()
			if attacker.bar > 0 && each > attacker.bar {
				t.Errorf("slow %s: got %d bytes of the server held by each, want %d at most", name, each, attacker.bar)
			}
			t.Logf("%d slow %s: before %v; while they connect %v; in it %v; resident %d MB at the most, %d KiB each%s", crowd(), name, before, coming, in, s.most(t)>>20, each>>10, held)
		})
	}
}

// attack starts attackers in a process of their own: the test that is their side, which finds in attackVariable what it is to do. They
// stand for machines elsewhere, so that process leaves the cores to the server and the peers. It prints a line when all attackers are
// there, and one when the last is gone.
func attack(t testing.TB, test, what string) (said *bufio.Scanner, end func()) {
	t.Helper()
	cmd := exec.Command("nice", "-n", "19", os.Args[0], "-test.run=^"+test+"$", "-test.count=1")
	cmd.Env = append(os.Environ(), attackVariable+"="+what)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	end = sync.OnceFunc(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	t.Cleanup(end)
	return bufio.NewScanner(out), end
}

func nextLine(t testing.TB, lines *bufio.Scanner) string {
	t.Helper()
	if !lines.Scan() {
		t.Fatalf("the attackers ended too early: %v", lines.Err())
	}
	return lines.Text()
}

// attackVariable makes the test binary be attackers: it says what they do, and where.
const attackVariable = "SIGNAL_ATTACK"

// TestAttackers is the attackers' side of TestSlow, in a process of its own.
func TestAttackers(t *testing.T) {
	var name, addr string
	var n int
	if _, err := fmt.Sscan(os.Getenv(attackVariable), &name, &addr, &n); err != nil {
		t.Skip("the other side of TestSlow")
	}
	attacker := slow[name]
	var held atomic.Int64 // how long the server bore an attacker, at the most, in ns
	var attackers sync.WaitGroup
	for range n {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		if attacker.reads {
			raw, err := conn.(*net.TCPConn).SyscallConn()
			if err == nil {
				raw.Control(func(fd uintptr) { syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 2048) })
			}
		}
		attackers.Go(func() {
			lasted := attacker.spend(conn).Nanoseconds()
			for most := held.Load(); lasted > most && !held.CompareAndSwap(most, lasted); most = held.Load() {
			}
		})
	}
	fmt.Println("all are there")
	attackers.Wait()
	fmt.Println(time.Duration(held.Load()).Round(time.Second))
}

// spend runs one attack, and returns how long the server bore it.
func (a *slowness) spend(conn net.Conn) time.Duration {
	defer conn.Close()
	began := time.Now()
	conn.SetDeadline(began.Add(patience))
	if _, err := conn.Write([]byte(a.begin)); err != nil {
		return time.Since(began)
	}
	var b [1]byte
	now := time.NewTicker(time.Second)
	defer now.Stop()
	for time.Since(began) < patience {
		if a.reads {
			<-now.C
			if _, err := conn.Read(b[:]); err != nil {
				break
			}
			continue
		}
		conn.SetReadDeadline(time.Now().Add(time.Second))
		if n, err := conn.Read(b[:]); n > 0 || err != nil && !isTimeout(err) {
			break
		}
		if _, err := conn.Write([]byte(a.then)); err != nil {
			break
		}
	}
	return time.Since(began)
}

func isTimeout(err error) bool {
	e, ok := err.(net.Error)
	return ok && e.Timeout()
}
