// Package link holds connections: it accepts them, ends those whose client is too slow, speaks TLS over them, and takes single
// ones from fasthttp for requests that wait and for streams. It knows no protocol above HTTP's bytes: no msg, no JSON, no session.
// What it has to say by itself, it is given as whole answers.
//
//	system ──Accept──▶ Listener ──▶ Conn ──▶ fasthttp ──▶ handler
//	                      │           │  ▲                   │ Detach
//	                   patrol ────────┤  └──── crew ◀── Rest ── owner: a request that waits, a stream
//	   deadlines in the past,         │          ▲             ▲ Stirred
//	   for a client that is too slow  └─ rest ─▶ watcher ──────┘
package link

import (
	"sync/atomic"
	"time"
)

// Config bounds connections.
type Config struct {
	// MaxConnections bounds how many connections of a Listener are open at once. One more is given Refusals.Full, and closed.
	MaxConnections int `name:"max-connections" group:"Connections and load" default:"0" help:"Connections at once; 0: by descriptors."`

	// MaxClientConnections bounds how many of them one client may have. One more is given Refusals.TooMany, and closed.
	MaxClientConnections Share `name:"max-client-connections" group:"What one client may have" default:"1/4" help:"Connections at once, a part or a number."` // three others have room beside it

	// ReadTimeout bounds how long one request may take to arrive whole, and one answer to be taken. IdleTimeout bounds how long a
	// connection may stay open between two requests. A request that waits is under neither.
	ReadTimeout time.Duration `name:"read-timeout" group:"Connections and load" default:"10s" help:"How long a request may take to arrive."` // a body of 256 KiB at 200 kbit/s
	IdleTimeout time.Duration `name:"idle-timeout" group:"Connections and load" default:"75s" help:"How long a connection may do nothing."`  // more than the 60 s that proxies commonly keep theirs
}

// Validate calls wrong with a pointer to each field that cannot be used, and says why.
func (c *Config) Validate(wrong func(field any, format string, args ...any)) {
	if c.MaxConnections < 0 {
		wrong(&c.MaxConnections, "is %d, must be 0 or more", c.MaxConnections)
	}
	if c.ReadTimeout <= 0 {
		wrong(&c.ReadTimeout, "is %v, must be more than 0", c.ReadTimeout)
	}
	if c.IdleTimeout <= 0 {
		wrong(&c.IdleTimeout, "is %v, must be more than 0", c.IdleTimeout)
	}
}

// Refusals are what a Listener says by itself: whole answers, heads and all. Nobody writes to them.
type Refusals struct {
	// Full is for a client that comes when MaxConnections others are there. Several ask in turn for different pauses, so that clients
	// that were refused together do not come back together. Over TLS nothing is said: a handshake costs more than most requests.
	Full [][]byte
	// TooMany makes an answer for a client that has, or makes, more connections than one client may, and can have another one after
	// that time. Over TLS nothing is said. It is called by one goroutine.
	TooMany func(after time.Duration) []byte
	// NotTLS is for a client that speaks HTTP where TLS is spoken.
	NotTLS []byte
}

// Counts are what became of the connections of one or more listeners.
type Counts struct {
	Accepted   atomic.Int64 // to be served
	TurnedAway [Reasons]atomic.Int64
	Failed     atomic.Int64 // accepting failed, mostly because no descriptor was free; it was tried again
}

// Reason is why a connection is turned away.
type Reason int

// The reasons.
const (
	Full    Reason = iota // MaxConnections others are open
	Client                // the client has as many as one may have
	Rate                  // the client connects too often
	Reasons               // how many there are
)

// String returns the reason's name, as in metrics.
func (r Reason) String() string { return [...]string{"full", "client", "rate"}[r] }
