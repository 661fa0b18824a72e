package attack_test

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// crowd is how many attackers there are at once.
func crowd() int {
	if testing.Short() {
		return 500
	}
	return 5000
}

// TestSlow has thousands of clients do everything as slowly as they can. The server ends them by itself, while peers connect.
func TestSlow(t *testing.T) {
	long := strings.Repeat("x", 60_000)
	for name, attacker := range map[string]struct {
		begin string // is sent at once
		then  string // is sent byte for byte, over and over
		reads bool   // takes a byte of the answer now and then
	}{
		"headers": {begin: "GET /answer/sdp HTTP/1.1\r\nHost: x\r\nkey: k\r\nX: ", then: "y"},
		"bodies":  {begin: "POST /offer/sdp HTTP/1.1\r\nHost: x\r\nkey: k\r\nContent-Length: 200000\r\n\r\n{\"data\":\"", then: "z"},
		"readers": {begin: strings.Repeat("GET /answer/messages HTTP/1.1\r\nHost: x\r\nkey: long\r\n\r\n", 20), reads: true},
		"silent":  {},
	} {
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
			var held atomic.Int64 // the longest that an attacker was let be, in ns
			var ended atomic.Int64
			var coming figures // while the attackers connect, on the cores that the peers and the server have too
			before, in := p.during(t, func() {
				var attackers sync.WaitGroup
				for range crowd() {
					conn, err := net.Dial("tcp", s.addr)
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
						defer conn.Close()
						began := time.Now()
						conn.SetDeadline(began.Add(patience))
						if _, err := conn.Write([]byte(attacker.begin)); err != nil {
							return
						}
						var b [1]byte
						for time.Since(began) < patience {
							if attacker.reads {
								time.Sleep(time.Second)
								if _, err := conn.Read(b[:]); err != nil {
									break
								}
								continue
							}
							conn.SetReadDeadline(time.Now().Add(time.Second))
							if n, err := conn.Read(b[:]); n > 0 || err != nil && !isTimeout(err) {
								break
							}
							if _, err := conn.Write([]byte(attacker.then)); err != nil {
								break
							}
						}
						ended.Add(1)
						for lasted := time.Since(began).Nanoseconds(); ; {
							most := held.Load()
							if lasted <= most || held.CompareAndSwap(most, lasted) {
								break
							}
						}
					})
				}
				coming = p.take(t)
				// What a reader has in its kernel's buffers it goes on reading long after the server has hung up.
				eventually(t, "the server has ended the slow ones", func() bool { return s.descriptors(t) < 50+2*pairs })
				if !attacker.reads {
					attackers.Wait()
				}
			})
			t.Logf("%d slow %s: before %v; while they connect %v; in it %v; resident %d MB, the longest held %v", crowd(), name, before, coming, in, s.resident(t)>>20,
				time.Duration(held.Load()).Round(time.Second))
		})
	}
}

func isTimeout(err error) bool {
	e, ok := err.(net.Error)
	return ok && e.Timeout()
}
