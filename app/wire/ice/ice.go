// Package ice is the wire by which clients learn of STUN and TURN servers: GET /ice answers what a client puts into RTCConfiguration.iceServers. It
// touches no session and no store.
package ice

import (
	"encoding/json"
	"sync/atomic"
	"time"

	"github.com/gofiber/fiber/v2"

	"signal-server/app/gate"
	"signal-server/app/gate/limit"
	"signal-server/app/iceserver"
	"signal-server/app/watch/metrics"
	"signal-server/app/wire"
	"signal-server/custerrors"
)

// Config bounds what one client may ask for.
type Config struct {
	// Rate is how often one client is given credentials. Where there are none to give, it does not count.
	Rate limit.Rate `name:"rate-ice" default:"30/m" help:"Lists of TURN servers, which GET /ice gives."`
}

// Wire is GET /ice. New makes one.
type Wire struct {
	wire.Envelope
	list    *iceserver.List
	limiter *limit.Limiter // nil: nothing is limited

	// atomic
	given, empty, refused atomic.Int64
}

// clients are how many are remembered that asked lately: 3 MiB.
const clients = 1 << 14

// New returns the wire that tells of the servers of a list.
func New(c Config, list *iceserver.List) *Wire {
	w := &Wire{list: list}
	if list.Grants() {
		w.limiter = limit.New(limit.Config{Requests: c.Rate, Clients: clients})
	}
	return w
}

// Name implements wire.Wire.
func (*Wire) Name() string { return "ice" }

// Routes implements wire.Wire.
func (w *Wire) Routes() []wire.Route {
	return []wire.Route{{Method: fiber.MethodGet, Path: "/ice", Unkeyed: true, Handle: w.get}}
}

// get answers which servers there are.
//
//	@Summary		Which STUN and TURN servers to use
//	@Description	What a client puts into RTCConfiguration.iceServers, as it is: an empty list where the server knows of none. The credentials are
//	@Description	good for ttl seconds for new relays; a client keeps the answer for half of that. No key is needed: who offers wants the servers
//	@Description	before there is a session.
//	@Tags			operation
//	@Produce		json
//	@Param			key	query		string						false	"a session's key, where the token is good for that one only"
//	@Success		200	{object}	call.envelope{data=servers}	"the list"
//	@Failure		400	{object}	call.envelope	"KeyIsTooLong"
//	@Failure		401	{object}	call.envelope				"NotAuthenticated"
//	@Failure		403	{object}	call.envelope				"NotAllowed"
//	@Failure		429	{object}	call.envelope				"TooManyRequests"
//	@Failure		503	{object}	call.envelope				"ServerIsShuttingDown"
//	@Router			/ice [get]
func (w *Wire) get(_ *fiber.Ctx, v *wire.Visit) error {
	if v.Leaving() {
		w.refused.Add(1)
		return custerrors.ServerIsShuttingDown
	}
	if w.limiter != nil {
		if after := w.limiter.Request(v.Client); after > 0 {
			w.refused.Add(1)
			return gate.TooFast(after)
		}
	}
	all := w.list.For(v.Who, time.Now())
	body, err := json.Marshal(servers{TTL: int64(w.list.TTL() / time.Second), ICEServers: all})
	if err != nil {
		return err
	}
	if len(all) == 0 {
		w.empty.Add(1)
	} else {
		w.given.Add(1)
	}
	r := v.Reply()
	r.Fill(fiber.MIMEApplicationJSON, append(append(append(r.Reuse(), wire.EnvelopeBegin...), body...), wire.EnvelopeEnd...))
	return nil
}

// servers is the data of an answer.
type servers struct {
	// Seconds that the credentials are good for new relays.
	TTL        int64              `json:"ttl" example:"3600"`
	ICEServers []iceserver.Server `json:"iceServers"`
} //	@name	ICEServers

var requests = &metrics.Metric{
	Name: "signal_ice_requests_total", Kind: metrics.Counter, Labels: []string{"result"},
	Help: "Answers of GET /ice to clients that may ask: servers, none (there are none to tell of), refused (--rate-ice, or the server is about to end).",
}

// Metrics implements metrics.Source.
func (*Wire) Metrics() []*metrics.Metric { return []*metrics.Metric{requests} }

// Report implements metrics.Source.
func (w *Wire) Report(to metrics.Sink) {
	to.Value(requests, float64(w.given.Load()), "servers")
	to.Value(requests, float64(w.empty.Load()), "none")
	to.Value(requests, float64(w.refused.Load()), "refused")
}
