package link

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"

	"github.com/valyala/fasthttp"
)

// serveBodies serves with bodies held. The handler is called for each request whose path it has, and reads the body or does not.
func serveBodies(t *testing.T, handle fasthttp.RequestHandler) *served {
	t.Helper()
	return serve(t, Config{ReadTimeout: patience, IdleTimeout: patience}, handle, HoldBodies)
}

// reads reads the body as a handler should, and answers with how long it was.
func reads(c *fasthttp.RequestCtx) {
	conn := Of(c.Conn())
	conn.ReadOn()
	n, err := io.Copy(io.Discard, c.RequestBodyStream())
	if err != nil {
		c.SetStatusCode(http.StatusBadRequest)
		return
	}
	conn.BodyRead()
	LeaveBody(c)
	fmt.Fprint(c, n)
}

func (c *client) say(t *testing.T, format string, args ...any) {
	t.Helper()
	if _, err := fmt.Fprintf(c, format, args...); err != nil {
		t.Fatalf("writing: got %v, want it written", err)
	}
}

const told = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n%s\r\n%s"

func TestTheHandlerIsCalledBeforeTheBodyComes(t *testing.T) {
	called := make(chan struct{}, 1)
	s := serveBodies(t, func(c *fasthttp.RequestCtx) {
		called <- struct{}{}
		reads(c)
	})
	for _, n := range []int{1, prefetched - 1, prefetched, prefetched + 1, 100_000} {
		c := s.dial(t)
		for range 2 { // the connection is kept
			c.say(t, told, n, "", "")
			<-called
			c.say(t, "%0*d", n, 0)
			if a := c.answer(t, "a body that comes later"); a.StatusCode != http.StatusOK || a.Close {
				t.Errorf("%d bytes: got %d, close %v, want 200 and the connection kept", n, a.StatusCode, a.Close)
			}
		}
	}
}

func TestABodyThatNobodyReads(t *testing.T) {
	s := serveBodies(t, LeaveBody)
	for what, test := range map[string]struct {
		sent string
		keep bool
	}{
		"whole":         {fmt.Sprintf(told, 5, "", "abcde"), true},
		"none":          {fmt.Sprintf(told, 0, "", ""), true},
		"a part":        {fmt.Sprintf(told, 5, "", "abcd"), false},
		"not begun":     {fmt.Sprintf(told, 5, "", ""), false},
		"much":          {fmt.Sprintf(told, 1<<20, "", "abcde"), false},
		"whole chunks":  {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n", true},
		"half a chunk":  {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\na", false},
		"no last chunk": {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n", false},
	} {
		c := s.dial(t)
		c.say(t, "%s", test.sent)
		if a := c.answer(t, what); a.Close == test.keep {
			t.Errorf("%s: got an answer that closes: %v, want %v", what, a.Close, !test.keep)
		}
		if !test.keep {
			c.say(t, "GET / HTTP/1.1\r\nHost: x\r\n\r\n") // the rest of a body, for all that the server knows
			c.wantEnd(t, what)
			continue
		}
		if a := c.ask(t, "/"); a.StatusCode != http.StatusOK {
			t.Errorf("%s: got %d for the next request, want 200", what, a.StatusCode)
		}
	}
}

// TestARequestWithAnUnreadBodyIsNotDetached checks that what is left of a body is not taken for a request.
func TestARequestWithAnUnreadBodyIsNotDetached(t *testing.T) {
	s := serveBodies(t, func(c *fasthttp.RequestCtx) {
		if Detach(c, func(conn *Conn) { conn.Close() }) {
			t.Error("Detach: got true, want false")
		}
		LeaveBody(c)
	})
	c := s.dial(t)
	c.say(t, told, 50, "", "")
	if a := c.answer(t, "a body that does not come"); !a.Close {
		t.Error("got an answer that keeps the connection, want one that closes it")
	}
}

func TestContinueIsSaidWhenTheBodyIsWanted(t *testing.T) {
	const expect = "Expect: 100-continue\r\n"
	s := serveBodies(t, func(c *fasthttp.RequestCtx) {
		if string(c.Path()) == "/" && c.Request.Header.Peek("Refuse") == nil {
			reads(c)
			return
		}
		LeaveBody(c)
		c.SetStatusCode(http.StatusForbidden)
	})
	c := s.dial(t)
	c.say(t, told+told, 1, "", "x", 3, expect, "") // the answer to the first comes first
	for i, want := range []string{"HTTP/1.1 200 OK\r\n", "1", "HTTP/1.1 100 Continue\r\n", "\r\n"} {
		got := ""
		switch i {
		case 1:
			for got != "\r\n" { // the rest of the head
				got, _ = c.r.ReadString('\n')
			}
			b, _ := c.r.ReadByte()
			got = string(b)
		default:
			got, _ = c.r.ReadString('\n')
		}
		if got != want {
			t.Fatalf("got %q, want %q", got, want)
		}
	}
	c.say(t, "abc")
	if a := c.answer(t, "what was told to go on"); a.StatusCode != http.StatusOK || a.Close {
		t.Errorf("got %d, close %v, want 200 and the connection kept", a.StatusCode, a.Close)
	}
	c.say(t, told, 3, expect+"Refuse: 1\r\n", "")
	if a := c.answer(t, "what is refused"); a.StatusCode != http.StatusForbidden || !a.Close {
		t.Errorf("got %d, close %v, want 403 at once, and the end", a.StatusCode, a.Close)
	}
	c.wantEnd(t, "what was refused")
}

// TestContinueIsSaidOncePerWish detaches a request that says it waits for a word and has no body. The next one on the connection does not wait.
func TestContinueIsSaidOncePerWish(t *testing.T) {
	s := serve(t, Config{ReadTimeout: patience, IdleTimeout: patience}, func(c *fasthttp.RequestCtx) {
		if c.IsPost() {
			reads(c)
			return
		}
		Detach(c, func(conn *Conn) {
			io.WriteString(conn, "HTTP/1.1 204 No Content\r\n\r\n")
			conn.Rest()
		})
	}, HoldBodies)
	c := s.dial(t)
	c.say(t, "GET / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n\r\n")
	if a := c.answer(t, "what is detached"); a.StatusCode != http.StatusNoContent {
		t.Fatalf("got %d, want 204", a.StatusCode)
	}
	c.say(t, told, 3, "", "abc")
	if line, _ := c.r.ReadString('\n'); line != "HTTP/1.1 200 OK\r\n" {
		t.Errorf("to a client that does not wait for a word: got %q, want its answer", line)
	}
}

// TestInterimAnswers checks what of fasthttp's writes is kept back.
func TestInterimAnswers(t *testing.T) {
	for _, tt := range []struct {
		written, sent string
		wanted        bool // ReadOn says it
	}{
		{string(continues), "", true},
		{"an answer" + string(continues), "an answer", true},
		{"an answer" + string(continues[:9]), "an answer" + string(continues[:9]), false}, // it has begun
	} {
		synctest.Test(t, func(t *testing.T) {
			below, theirs := net.Pipe()
			p := newPatrol(patience, patience, patience, NewCrew(), nil, nil)
			defer p.stop()
			ours := newConn(below, p)
			ours.interim = interimDue
			said := make(chan string, 1)
			go func() {
				b, _ := io.ReadAll(theirs)
				said <- string(b)
			}()
			if n, err := ours.Write([]byte(tt.written)); n != len(tt.written) || err != nil {
				t.Errorf("%q: got %d, %v, want all written", tt.written, n, err)
			}
			if got := ours.interim == interimWanted; got != tt.wanted {
				t.Errorf("%q: got it wanted: %v, want %v", tt.written, got, tt.wanted)
			}
			ours.ReadOn()
			ours.Conn.Close()
			want := tt.sent
			if tt.wanted {
				want += string(continues)
			}
			if got := <-said; got != want {
				t.Errorf("%q: got %q sent, want %q", tt.written, got, want)
			}
		})
	}
}
