// Package wire says what a wire is, and carries every wire. A wire is a protocol by which peers leave messages for each other in a
// store and wait for news: its routes, and the form in which it answers and refuses. It is a folder below this one, and knows neither
// the other wires nor the server.
//
//	         ┌──────────── Host ────────────────────────────────────────────────────────┐
//	request ─┤▶ Claim ─▶ gate ─▶ Visit ─▶ the wire's handler ─▶ Write, Ask, Detach ─▶ Reply ├─▶ answer
//	         └──── passage begins ─────────────────── at once, after a wait, parked ───────┘
//
// Whatever a wire is about, this package owns the claim that is made of a request, the wait, the headers of answers, the connections
// that are taken from fasthttp, and what is counted.
package wire

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/alecthomas/units"
	"github.com/gofiber/fiber/v2"

	"signal-server/app/gate"
	"signal-server/app/link"
	"signal-server/app/watch"
	"signal-server/cache"
	"signal-server/custerrors"
)

// Wire is a protocol that clients speak. Embed Envelope to refuse as call does.
type Wire interface {
	// Name names the wire for people.
	Name() string
	// Routes returns what the wire answers. It is called once.
	Routes() []Route
	// Refuse writes a refusal in the wire's own form: body, media type and status. What a status asks for beside that, such as
	// Retry-After, is added afterwards. It may be called from any goroutine, and keeps nothing of r.
	Refuse(r *Reply, msg custerrors.Error)
}

// Route is one thing that a wire answers.
type Route struct {
	Method string
	Path   string     // in Fiber's form; a fixed one is found in half the time
	Label  string     // in metrics and the access log; "": the method and the path
	Seat   cache.Role // whose path it is; none: what both roles may do

	// Free says that anybody may ask at any rate: there is no claim. A probe.
	Free bool
	// Keyless says that anybody may ask who does not ask too fast: there is no key, and of a claim only the client. A page.
	Keyless bool
	// Unkeyed says that a key need not be named: whoever may use the server at all may ask. Visit.Who tells them apart.
	Unkeyed bool
	// Safe says that HEAD runs the handler, too. Otherwise HEAD does nothing, because a GET may take.
	Safe bool
	// Body bounds the request's body, in bytes, within Config.BodyBytes; 0: there is none. Over it: custerrors.BodyIsTooLong.
	Body int
	// Puts says that the request may put an sdp, which needs no ticket of its seat: a session takes one of each role.
	Puts bool

	// Claim reads from the request what the protocol has elsewhere than call; nil: nothing. By then all that call
	// knows is read: the key, who asks, token and tickets.
	Claim func(c *fiber.Ctx, claim *gate.Claim)

	// Handle answers a request that was let in, or returns why it cannot, which is refused then, or ErrLater.
	Handle Handler

	asked string // the method and the path, set by Mount: what an Idempotency-Key is bound to
}

// Handler answers a request. v is the request's; it is not used after the handler has returned.
type Handler func(c *fiber.Ctx, v *Visit) error

// Config bounds what all wires do.
type Config struct {
	// MaxWait bounds ?wait; a longer one is cut to it.
	MaxWait time.Duration `name:"wait" group:"Sessions" default:"30s" help:"How long a request may wait."`
	// BodyBytes bounds a request's body, BodiesBytes the memory of all of them that are larger than 4 KiB and arrive or are worked on. Over
	// them: custerrors.BodyIsTooLong, and ServerIsOverloaded.
	BodyBytes   int `name:"max-body" group:"Sessions" type:"bytes" default:"256KiB" help:"Size of a request's body."`
	BodiesBytes int `name:"max-bodies" group:"Connections and load" type:"bytes" default:"64MiB" help:"Memory for bodies over 4KiB, together."` // 256 of the largest
	// HSTS is how long browsers that were answered over TLS insist on it; 0: they are not told to.
	HSTS time.Duration `name:"hsts" group:"TLS" default:"4320h" help:"How long browsers insist on HTTPS; 0s: not told."` // outlasts a holiday, and the time of a mistake is not a year
}

// Validate calls wrong with a pointer to each field that cannot be used, and says why. How large a body must be able to be, the caller
// knows.
func (c *Config) Validate(wrong func(field any, format string, args ...any)) {
	if c.MaxWait < 0 {
		wrong(&c.MaxWait, "is %v, must be 0 or more", c.MaxWait)
	}
	if c.BodiesBytes < c.BodyBytes {
		wrong(&c.BodiesBytes, "is %v, must be what one body may have (%v) or more", units.Base2Bytes(c.BodiesBytes), units.Base2Bytes(c.BodyBytes))
	}
	if c.HSTS != 0 && c.HSTS < time.Second {
		wrong(&c.HSTS, "is %v, must be 0 or 1s or more", c.HSTS)
	}
}

// Parts are what a Host stands on. The caller still owns them.
type Parts struct {
	Gate  *gate.Gate
	Watch *watch.Watch
	Store cache.Store
	// Limits are the store's.
	Limits cache.Limits
	// Crew does what is left to do for connections that were taken from fasthttp.
	Crew *link.Crew
}

// Host carries wires. New makes one. Its methods may be called concurrently, once all wires are mounted.
type Host struct {
	// set at construction
	Gate   *gate.Gate
	Watch  *watch.Watch
	Store  cache.Store
	Mail   *cache.Mailroom // over Store
	config Config
	listed bool   // only pages of listed origins may use the server
	strict []byte // the value of Strict-Transport-Security (RFC 6797, Section 6.1), or nil. Subdomains are not ours to speak for.
	crew   *link.Crew
	visits sync.Pool // of *Visit

	// owned by Mount
	owners map[string]string // the wire of each route

	// atomic
	leaving       atomic.Bool  // the server was told to end
	streams       atomic.Int64 // connections that were taken by Stream and Detach
	bodies        atomic.Int64 // bytes of memory that bodies take, see body
	bodiesRefused atomic.Int64 // because there was no room for them
	sharesTold    atomic.Bool  // see tellShare
	detached      atomic.Int64 // connections that were taken from fasthttp
	staying       atomic.Int64 // requests that wait where they are, or look

	laters laters // under their own lock
}

// New returns a Host without wires.
func New(c Config, p Parts) *Host {
	h := &Host{
		Gate: p.Gate, Watch: p.Watch, Store: p.Store, Mail: cache.NewMailroom(p.Store, p.Limits),
		config: c, listed: p.Gate.ListsOrigins(), crew: p.Crew, owners: make(map[string]string),
	}
	if c.HSTS > 0 {
		h.strict = strconv.AppendInt([]byte("max-age="), int64(c.HSTS/time.Second), 10)
	}
	h.visits.New = func() any { return &Visit{Host: h} }
	return h
}

// headRoute is what all HEAD requests are counted as: most do nothing.
const headRoute = "HEAD"

// Mount gives the wire's routes to the router. It is called before the first request. The error says which two wires want the same
// route; a caller that chooses the paths can choose others.
func (h *Host) Mount(router fiber.Router, w Wire) error {
	for _, r := range w.Routes() {
		route := r.Method + " " + r.Path
		if owner, taken := h.owners[route]; taken {
			return fmt.Errorf("the wires %s and %s both answer %s", owner, w.Name(), route)
		}
		h.owners[route] = w.Name()
		r.asked = route
		if r.Label == "" {
			r.Label = route
		}
		r.Body = min(r.Body, h.config.BodyBytes)
		router.Add(r.Method, r.Path, h.serve(w, &r))
		if r.Method != fiber.MethodGet {
			continue
		}
		head := Route{Label: headRoute, Free: true, Handle: func(_ *fiber.Ctx, v *Visit) error { return Envelope{}.Done(&v.reply) }}
		if r.Safe {
			head.Handle, head.Free, head.Keyless, head.Unkeyed = r.Handle, r.Free, r.Keyless, r.Unkeyed // fasthttp leaves the body out
		}
		router.Add(fiber.MethodHead, r.Path, h.serve(w, &head)) // not Fiber's own HEAD, which would take
	}
	return nil
}

// Streams returns how many connections were taken by Stream or Detach, and are open now.
func (h *Host) Streams() int64 { return h.streams.Load() }

// Leave says that the server was told to end: from then on each answer to a parked request is the last one of its connection. The caller
// sees to all other answers.
func (h *Host) Leave() { h.leaving.Store(true) }

// Leaving reports whether Leave was called.
func (h *Host) Leaving() bool { return h.leaving.Load() }

// Close is called after Leave. It ends all waits, those under way and those to come, with custerrors.ServerIsShuttingDown. It does not wait
// for them; Drain does.
func (h *Host) Close() {
	h.Mail.Close()
	h.laters.wake(closing)
}

// Drain is called after Close. It waits until all parked requests and streams have been told, and returns how many are left when ctx
// ends. It polls, as fasthttp's own shutdown does: a connection may be taken only now, when fasthttp gets to it, which a WaitGroup would
// not bear.
func (h *Host) Drain(ctx context.Context) (left int64) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for h.detached.Load() > 0 {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return h.detached.Load()
		}
	}
	return 0
}
