package link

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"testing"

	"github.com/valyala/fasthttp"
)

// detaches returns a handler that detaches requests for /later. Their owner watches if watched, says by taken that it has the connection, answers when
// it is told to, gives the connection back, and keeps fasthttp until released is closed.
func detaches(watched bool, taken chan<- *Conn, answer, released <-chan struct{}) fasthttp.RequestHandler {
	own := func(conn *Conn) {
		if watched {
			conn.Watch(newOwner())
		}
		taken <- conn
		<-answer
		io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		conn.Rest()
		<-released
	}
	return func(c *fasthttp.RequestCtx) {
		if string(c.Path()) == "/later" {
			Detach(c, own)
		}
	}
}

// TestRestBehindAWatchedRequest has a request come together with the one before it, which is parked. The owner of that one has nothing to do with the
// connection when it rests again.
func TestRestBehindAWatchedRequest(t *testing.T) {
	taken, answer, released := make(chan *Conn, 1), make(chan struct{}), make(chan struct{})
	close(released)
	s := serve(t, slow(0), detaches(true, taken, answer, released))
	skipWhereNobodyRests(t, s)
	c := s.dial(t)
	io.WriteString(c, "GET /later HTTP/1.1\r\nHost: x\r\n\r\nGET /behind HTTP/1.1\r\nHost: x\r\n\r\n")
	conn := <-taken
	close(answer)
	c.answer(t, "the one that was parked")
	c.answer(t, "the one behind it")
	s.awaitResting(t, 0, 1)
	if conn.left != nil {
		t.Errorf("got room for %d bytes kept while it rests, want none", cap(conn.left))
	}
	c.ask(t, "/after it has rested")
}

// TestRestBeforeFasthttpHasLetGo has a connection rest, twice, before fasthttp is through with the request for which it was detached.
func TestRestBeforeFasthttpHasLetGo(t *testing.T) {
	taken, answer, released := make(chan *Conn, 1), make(chan struct{}), make(chan struct{})
	s := serve(t, slow(0), detaches(false, taken, answer, released))
	skipWhereNobodyRests(t, s)
	c := s.dial(t)
	io.WriteString(c, "GET /later HTTP/1.1\r\nHost: x\r\n\r\n")
	<-taken
	close(answer)
	c.answer(t, "the one that was detached")
	c.ask(t, "/next")
	s.awaitResting(t, 0, 1)
	close(released)
	c.ask(t, "/when fasthttp has closed it")
	c.Close()
	s.awaitOpen(t, 0)
}

// TestRestBehindARecord has a request come over TLS in a record of its own, together with the one before it. TLS has read it by the time the connection
// is given back, and the system has nothing to tell.
func TestRestBehindARecord(t *testing.T) {
	taken, answer, released := make(chan *Conn, 1), make(chan struct{}), make(chan struct{})
	close(released)
	s, config := serveTLS(t, detaches(true, taken, answer, released))
	raw := s.dial(t)
	together := &corked{Conn: raw.Conn}
	c := &client{Conn: tls.Client(together, config)}
	c.r = bufio.NewReader(c.Conn)
	c.ask(t, "/")
	together.cork = true
	io.WriteString(c, "GET /later HTTP/1.1\r\nHost: x\r\n\r\n")
	io.WriteString(c, "GET /behind HTTP/1.1\r\nHost: x\r\n\r\n")
	together.uncork()
	<-taken
	close(answer)
	c.answer(t, "the one that was parked")
	c.answer(t, "the one in the record behind it")
}

// corked writes together what was written while it was corked.
type corked struct {
	net.Conn
	cork bool
	kept []byte
}

func (c *corked) Write(b []byte) (int, error) {
	if c.cork {
		c.kept = append(c.kept, b...)
		return len(b), nil
	}
	return c.Conn.Write(b)
}

func (c *corked) uncork() {
	c.cork = false
	c.Conn.Write(c.kept)
}
