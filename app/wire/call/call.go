// Package call is the wire of the protocol that docs/protocol.md describes: two peers that share a key leave each other one session description each, and candidates.
//
//	POST /offer/sdp ──▶ [sdp c1 c2 …] ──▶ GET /answer/sdp, /candidate(s), /messages, /events
//	GET  /offer/…   ◀── [sdp c1 c2 …] ◀── POST /answer/sdp, /candidate(s), /messages
//
// A file is a route: what GET and POST of it do, and how Swagger describes them. The bounds of payloads are in payload.go.
package call

import (
	"time"

	"github.com/alecthomas/units"
	"github.com/gofiber/fiber/v2"

	"signal-server/app/wire"
	"signal-server/cache"
)

// Config bounds what clients may post.
type Config struct {
	// SDPBytes and CandidateBytes bound one payload in bytes before escaping, as the client has it: a client can count these. What bounds
	// memory counts the escaped form, see cache.Limits.SessionBytes. Over them: custerrors.BodyIsTooLong.
	SDPBytes       int `name:"max-sdp" group:"Sessions" type:"bytes" default:"64KiB" help:"Size of an sdp."`
	CandidateBytes int `name:"max-candidate" group:"Sessions" type:"bytes" default:"4KiB" help:"Size of a candidate."`
}

// Validate calls wrong with a pointer to each field that cannot be used, and says why.
func (c *Config) Validate(wrong func(field any, format string, args ...any)) {
	for _, size := range []*int{&c.SDPBytes, &c.CandidateBytes} {
		if *size < 1 || *size > cache.MaxSessionBytes {
			wrong(size, "is %v, must be 1B to %v", units.Base2Bytes(*size), units.Base2Bytes(cache.MaxSessionBytes))
		}
	}
}

// Wire is that protocol as a wire. New makes one.
type Wire struct {
	wire.Envelope

	// set at construction
	config     Config
	candidates int // of one role of a session, at the most
	outcomes   *outcomes
}

// New returns the wire over a store with these limits.
func New(c Config, limits cache.Limits) *Wire {
	return &Wire{config: c, candidates: limits.Candidates, outcomes: newOutcomes()}
}

// Name implements wire.Wire.
func (*Wire) Name() string { return "call" }

// Routes implements wire.Wire. Paths are spelled out for each role, because Fiber finds a fixed path in half the time that one
// with a parameter takes.
func (w *Wire) Routes() (all []wire.Route) {
	for _, role := range cache.Roles {
		on := func(method, name string, handle wire.Handler) *wire.Route {
			all = append(all, wire.Route{Method: method, Path: "/" + role.String() + name, Seat: role, Handle: handle})
			return &all[len(all)-1]
		}
		on(fiber.MethodGet, "/sdp", w.takeSDP)
		on(fiber.MethodGet, "/candidate", w.takeCandidate)
		on(fiber.MethodGet, "/candidates", w.takeCandidates)
		on(fiber.MethodGet, "/messages", w.getMessages)
		on(fiber.MethodGet, "/events", w.streamEvents)
		on(fiber.MethodPost, "/candidate", w.postCandidate).Body = w.config.CandidateBytes
		on(fiber.MethodPost, "/candidates", w.postCandidates).Body = wire.AnyBody
		messages := on(fiber.MethodPost, "/messages", w.postMessages)
		messages.Puts, messages.Body = true, wire.AnyBody
		on(fiber.MethodPost, "/outcome", w.postOutcome).Body = outcomeBytes
	}
	return append(all,
		wire.Route{Method: fiber.MethodPost, Path: "/offer/sdp", Seat: cache.Offer, Puts: true, Body: wire.AnyBody, Handle: w.postOffer},
		wire.Route{Method: fiber.MethodPost, Path: "/answer/sdp", Seat: cache.Answer, Puts: true, Body: w.config.SDPBytes, Handle: w.postAnswer},
		wire.Route{Method: fiber.MethodDelete, Path: "/session", Handle: w.deleteSession},
	)
}

// shape returns how payloads stand in the envelope.
func shape(before, afterCursor string, form cache.Form, after string) wire.Shape {
	return wire.Shape{
		Type: fiber.MIMEApplicationJSON, Begin: wire.EnvelopeBegin + before, AfterCursor: afterCursor, Form: form, End: after + wire.EnvelopeEnd,
	}
}

var (
	oneText     = shape(``, ``, cache.Form{SDP: `"`, Candidate: `"`, After: `"`}, ``)
	arrayOfText = shape(`[`, ``, cache.Form{SDP: `"`, Candidate: `"`, After: `"`, Separator: `,`}, `]`)
)

// readWait says in wait, which is zero, how long the request may wait. The answerer may wait for a session that is not open yet. The offerer
// opens it, so it has nobody to wait for.
func readWait(c *fiber.Ctx, v *wire.Visit, wait *cache.Wait) error {
	wait.Unopened = v.Seat == cache.Answer
	return v.ReadWait(c, wait)
}

// take answers with what the other role has written and nobody has taken yet.
//
// hot: a poll and a take come here.
func (w *Wire) take(c *fiber.Ctx, v *wire.Visit, kind cache.Kind, limit int, shape *wire.Shape) error {
	var wait cache.Wait
	if err := readWait(c, v, &wait); err != nil {
		return err
	}
	token, err := wire.ReadToken(c)
	if err != nil {
		return err
	}
	return v.Ask(c, &wire.Ask{Kind: kind, Limit: limit, After: cache.NewCursor(v.Session, 0), Token: token, Shape: shape}, &wait)
}

// put writes the visit's post, and says that it is done. The offer's sdp opens the session.
func (w *Wire) put(c *fiber.Ctx, v *wire.Visit, ttl time.Duration) error {
	opens(v, ttl)
	if err := v.Put(c); err != nil {
		return err
	}
	return w.Done(v.Reply())
}

// opens says of a post whether it opens the session: the offer's sdp does.
func opens(v *wire.Visit, ttl time.Duration) {
	p := &v.Post
	p.Write.Opens, p.Write.TTL = v.Seat == cache.Offer && p.Batch.HasSDP(), ttl
}
