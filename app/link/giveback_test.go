package link

import (
	"io"
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
	<-taken
	close(answer)
	c.answer(t, "the one that was parked")
	c.answer(t, "the one behind it")
	s.awaitResting(t, 0, 1)
	c.ask(t, "/after it has rested")
}
