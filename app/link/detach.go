package link

import (
	"context"
	"net"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"
)

// Detached counts the connections that were taken from fasthttp: those of requests that wait, and of streams. The zero value is
// ready for use.
type Detached struct{ count atomic.Int64 }

// Detach takes the request's connection away from fasthttp. Once the handler has returned, run owns the connection, in a goroutine of
// its own: it closes the connection, or serves it further by Served. It finds the connection closed if it broke before. Detach reports
// whether it can; if it cannot, run is not called. It cannot before the request's body has been read.
func (d *Detached) Detach(c *fasthttp.RequestCtx, run func(*Conn)) bool {
	conn := Of(c.Conn())
	if conn == nil || conn.unread {
		return false // a connection of a test, not under patrol; or what is left of the body would be taken for the next request
	}
	d.count.Add(1)
	own := func() {
		conn.unhanded = nil
		go func() {
			defer d.count.Add(-1)
			run(conn)
		}()
	}
	conn.unhanded = own
	c.HijackSetNoResponse(true)
	c.Hijack(func(hijacked net.Conn) {
		conn.keep(hijacked)
		own() // fasthttp keeps the request and its buffer until this function returns
	})
	return true
}

// Drain waits until no detached connection is left, and returns how many there are when ctx ends. It polls, as fasthttp's own
// shutdown does: a connection may be detached only now, when fasthttp gets to it, which a WaitGroup would not bear.
func (d *Detached) Drain(ctx context.Context) (left int64) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for d.count.Load() > 0 {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return d.count.Load()
		}
	}
	return 0
}

// keep makes the connection outlive its service by fasthttp, which closes a hijacked connection when the hijacker returns. What the
// client has sent already, a next request, is kept too.
func (c *Conn) keep(hijacked net.Conn) {
	c.kept.Add(1)
	c.endRequest()
	c.taken, c.held = true, true
	var left []byte
	var b [512]byte
	for {
		n, err := hijacked.Read(b[:])
		left = append(left, b[:n]...)
		if err != nil {
			break
		}
	}
	c.left = append(left, c.left...) // which came after it
	c.held = false
}
