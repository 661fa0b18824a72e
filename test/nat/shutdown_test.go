package nat_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pion/stun/v4"

	"signal-server/app/turn/turntest"
	"signal-server/test/until"
)

// TestShutdown ends a server that relays. A request over HTTP keeps it from its end, so that there is something to see after the delay.
func TestShutdown(t *testing.T) {
	t.Parallel()
	const delay = 2 * time.Second
	s := serve(t, nil, "--turn", "--turn-listen=127.0.0.1:0", "--shutdown-delay="+delay.String())
	at := s.relays(t)
	a, b := allocate(t, client(t, nil, at.udp, at.credential)), allocate(t, client(t, nil, at.udp, at.credential))
	exchange(t, a, b)
	ready := func() int {
		response, err := s.room.http().Get("http://" + s.Addr + "/readyz")
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		return response.StatusCode
	}
	if got := ready(); got != http.StatusOK {
		t.Errorf("GET /readyz: got %d, want 200", got)
	}
	held := s.room.dial(t, "tcp", s.Addr)
	io.WriteString(held, "POST /offer/sdp HTTP/1.1\r\nHost: x\r\nkey: k\r\nContent-Length: 13\r\n\r\n{\"data\"")

	begun := time.Now()
	if err := s.Cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	until.Nil(t, delay, func() error {
		if status, answer := s.ice(t); status != http.StatusServiceUnavailable || len(answer.Data.ICEServers) > 0 {
			return fmt.Errorf("GET /ice: got %d, %v, want 503", status, answer)
		}
		return nil
	})
	if got := ready(); got != http.StatusServiceUnavailable {
		t.Errorf("GET /readyz, while there are new relays still: got %d, want 503", got)
	}
	c := newRaw(t, nil, at.udp, at.credential)
	c.Allocate()
	until.Nil(t, 2*delay, func() error {
		c.Ask(stun.MethodRefresh, turntest.Lifetime(0))
		if code, _ := c.Ask(stun.MethodAllocate, turntest.OverUDP); code != stun.CodeInsufficientCapacity {
			return fmt.Errorf("a relay after the delay: got %d, want %d", code, stun.CodeInsufficientCapacity)
		}
		return nil
	})
	if took := time.Since(begun); took < delay {
		t.Errorf("got no relay %v after SIGTERM, want one until %v", took, delay)
	}
	exchange(t, a, b)

	io.WriteString(held, ":\"sdp\"}")
	held.SetReadDeadline(time.Now().Add(patience))
	if answer, err := http.ReadResponse(bufio.NewReader(held), nil); err != nil {
		t.Errorf("the request that was held: got %v, want an answer", err)
	} else {
		answer.Body.Close()
	}
	s.Ends(t, patience/6)
}

// TestRelaysAtTheEndOfTheDrain has a request outlast the drain. Relays end then, too, and nothing is said of them: they hold up nobody.
func TestRelaysAtTheEndOfTheDrain(t *testing.T) {
	t.Parallel()
	s := serve(t, nil, "--turn", "--turn-listen=127.0.0.1:0", "--drain=100ms")
	at := s.relays(t)
	allocate(t, client(t, nil, at.udp, at.credential))
	held := s.room.dial(t, "tcp", s.Addr)
	io.WriteString(held, "POST /offer/sdp HTTP/1.1\r\nHost: x\r\nkey: k\r\nContent-Length: 13\r\nExpect: 100-continue\r\n\r\n")
	held.SetReadDeadline(time.Now().Add(patience))
	if _, err := held.Read(make([]byte, 1)); err != nil {
		t.Fatalf("100 Continue: got %v, want it: the request has begun", err)
	}
	s.End(t)
	if said := s.Log.String(); !strings.Contains(said, "requests were still running") || strings.Contains(said, "relays were still running") {
		t.Errorf("the log: got\n%s\nwant a line of the request, and none of relays", said)
	}
}
