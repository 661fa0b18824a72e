// Package gate decides who may, and how much: pure policy over a Claim, wherever a protocol keeps what it claims. It knows addresses,
// tokens, tickets and rates. It knows no HTTP and no protocol, and asks no store: what only a store can tell, the caller tells it.
//
//	request ──Admits──▶ origin?
//	Claim ──Enter──▶ how does the browser ask? ▶ rate? ▶ key? ▶ token (auth)? ▶ ticket (ticket)? ▶ a guess too many? ──▶ Pass, or why not
//	                                             limit ◀── Opens, Note, Met, Hold ──┘
//
// The table in gate_test.go is the whole policy on a page.
package gate

import (
	"net/netip"
	"sync/atomic"
	"time"

	"signal-server/app/gate/auth"
	"signal-server/app/gate/limit"
	"signal-server/app/gate/ticket"
	"signal-server/cache"
	"signal-server/custerrors"
)

// Config is the policy that belongs to the gate itself, and to none of its parts.
type Config struct {
	// AllowOrigins are the origins whose pages may use the server, as https://example.org. With "*" among them any may.
	AllowOrigins []string `name:"allow-origins" group:"Who may" default:"*" help:"Origins whose pages may ask; *: any."`

	// OwnNames are what browsers call this server, as signal.example.org: its own pages, beside those of AllowOrigins, may use it. The program
	// takes those of its certificates where none are given.
	OwnNames []string `name:"own-names" group:"Who may" placeholder:"NAME" help:"Names of this server; none: --acme-domain."`

	// MaxWaits bounds how many requests wait, and streams are open, at once. Over it: custerrors.ServerIsOverloaded.
	MaxWaits int `name:"max-waits" group:"Connections and load" default:"0" help:"Waits and streams at once; 0: any number."`
}

// Validate calls wrong with a pointer to each field that cannot be used, and says why.
func (c *Config) Validate(wrong func(field any, format string, args ...any)) {
	if len(c.AllowOrigins) == 0 {
		wrong(&c.AllowOrigins, "is empty, must be * or a list of origins")
	}
	for _, origin := range c.AllowOrigins {
		if !isOrigin(origin) {
			wrong(&c.AllowOrigins, "has %q, must be * or like https://example.org:8443, in small letters and without a path", origin)
		}
	}
	for _, name := range c.OwnNames {
		if !isName(name) {
			wrong(&c.OwnNames, "has %q, must be like signal.example.org, in small letters and without a port", name)
		}
	}
	if c.MaxWaits < 0 {
		wrong(&c.MaxWaits, "is %d, must be 0 or more", c.MaxWaits)
	}
}

// Parts are what the gate stands on. Any of them may be missing: then it asks for nothing of that kind. The caller still owns them.
type Parts struct {
	Guard   *auth.Guard    // checks tokens
	Limiter *limit.Limiter // bounds what one client asks for
	Proxies limit.Proxies  // whose X-Forwarded-For is believed when clients are told apart
	Tickets *ticket.Issuer // makes and checks role tickets
}

// Gate is the policy of one server. New makes one. Its methods may be called concurrently; none blocks but for a lock of limit.
type Gate struct {
	// set at construction
	parts    Parts
	origins  origins
	names    names
	maxWaits int64

	// atomic
	waits   atomic.Int64
	refused atomic.Int64 // waits, because there were maxWaits
}

// New returns a Gate with a Config that Validate has passed.
func New(c Config, parts Parts) *Gate {
	return &Gate{parts: parts, origins: newOrigins(c.AllowOrigins), names: newNames(c.OwnNames), maxWaits: int64(c.MaxWaits)}
}

// Claim is what somebody asks for, wherever the protocol keeps it. Its slices and its key are the request's: the gate uses them during the
// call only.
type Claim struct {
	Key  string     // as it came
	Keys bool       // another key came with it, and somebody in between may go by that one
	Seat cache.Role // the role whose path it came by; none: a path of both roles

	// How a browser says that it asks (Fetch Metadata Request Headers, Sections 2.2 and 2.3); nil: it says nothing, as most programs.
	Site   []byte // Sec-Fetch-Site: who asks, seen from the server; only if ListsOrigins
	Mode   []byte // Sec-Fetch-Mode, of a GET only: a browser tells the origin of others
	Origin []byte // which Admits has let in; only if Site is not nil

	Client netip.Addr // who asks; only if TellsClients
	Token  []byte     // only if WantsToken

	// Tickets are what was shown as the ticket of each role; Ticket what was shown without saying of which. Only if WantsTickets.
	Tickets [ticketSlots][]byte
	Ticket  []byte
}

// ticketSlots is one for each role, at its number.
const ticketSlots = int(cache.Answer) + 1

// Pass is what somebody was let in for. The key lives as long as the request.
type Pass struct {
	Key    cache.Key
	Seat   cache.Role
	Client netip.Addr

	// Session is the epoch of the session that is meant; 0: whichever of the key lives.
	Session uint64
	// Held says that the seat's ticket was shown.
	Held bool

	tries bool // the pass is about to open a session, which counts as a guess
}

// TellsClients reports whether the gate tells clients apart, so that a Claim needs its Client.
func (g *Gate) TellsClients() bool { return g.parts.Limiter != nil }

// WantsToken reports whether a Claim needs its Token.
func (g *Gate) WantsToken() bool { return g.parts.Guard != nil && g.parts.Guard.Required() }

// WantsTickets reports whether roles have tickets, so that a Claim needs those that were shown.
func (g *Gate) WantsTickets() bool { return g.parts.Tickets != nil }

// TooFast refuses a client that has had as much as it may have. Its value is the time until the client may have more.
type TooFast time.Duration

// Error implements error.
func (TooFast) Error() string { return string(custerrors.TooManyRequests) }

// Unwrap returns custerrors.TooManyRequests.
func (TooFast) Unwrap() error { return custerrors.TooManyRequests }

// Enter lets a claim in and fills p, which is zero, or says why not: TooFast, or custerrors.RequestIsInvalid, KeyIsEmpty, KeyIsTooLong,
// NotAuthenticated or NotAllowed. It looks first at what costs least, and counts nothing of what a page of a stranger has a browser ask.
//
// hot: every request that names a key passes here, once.
func (g *Gate) Enter(c *Claim, p *Pass) (err error) {
	if err := g.greet(c, p); err != nil {
		return err
	}
	if p.Key, err = cache.ParseKey(c.Key); err != nil {
		return err
	}
	grant, err := g.check(c, p)
	if err != nil {
		return err
	}
	if g.parts.Tickets != nil && !g.showsTickets(c, p) {
		return custerrors.NotAllowed
	}
	if g.parts.Limiter != nil && !p.Held && grant.Key == "" { // whoever has a ticket or a token of that key does not guess it
		if after := g.parts.Limiter.Doubts(c.Client, p.Key); after > 0 {
			return TooFast(after)
		}
	}
	return nil
}

// EnterWithoutKey is Enter for a request that need not name a key, and asks no store. Where it names one, a token has to be good for that. who tells
// those who ask apart, as far as anything does: by the subject of a JWT, else by their addresses, and the names of their tokens. Claim.Client is set.
func (g *Gate) EnterWithoutKey(c *Claim, p *Pass) (who string, err error) {
	if err := g.greet(c, p); err != nil {
		return "", err
	}
	if c.Key != "" {
		if p.Key, err = cache.ParseKey(c.Key); err != nil {
			return "", err
		}
	}
	grant, err := g.check(c, p)
	if err != nil {
		return "", err
	}
	if grant.Subject != ([16]byte{}) {
		return "subject " + string(grant.Subject[:]), nil
	}
	return "client " + grant.Name + " " + limit.Name(c.Client), nil
}

// greet looks at what costs least, and counts the request.
func (g *Gate) greet(c *Claim, p *Pass) error {
	if g.strange(c) {
		return custerrors.NotAllowed
	}
	p.Seat, p.Client = c.Seat, c.Client
	if err := g.Pace(c.Client); err != nil {
		return err
	}
	if c.Keys {
		return custerrors.RequestIsInvalid
	}
	return nil
}

// check returns what the claim's token is good for, if that is the pass's key and seat.
func (g *Gate) check(c *Claim, p *Pass) (grant auth.Grant, err error) {
	if !g.WantsToken() {
		return auth.Grant{}, nil
	}
	if grant, err = g.parts.Guard.Check(c.Token); err != nil {
		return auth.Grant{}, err
	}
	if grant.Key != "" && p.Key == "" || grant.Allows(p.Key, p.Seat) {
		return grant, nil
	}
	return auth.Grant{}, custerrors.NotAllowed
}

// Pace counts a request of a client, or refuses it: the error is TooFast. Enter does so itself; it is for requests that name no key.
func (g *Gate) Pace(client netip.Addr) error {
	if g.parts.Limiter != nil {
		if after := g.parts.Limiter.Request(client); after > 0 {
			return TooFast(after)
		}
	}
	return nil
}

// Client returns who asks: the address that a request came from or, as far as proxies are believed, the one that they name.
func (g *Gate) Client(from netip.Addr, forwarded ...[]byte) netip.Addr {
	return g.parts.Proxies.Client(from, forwarded...)
}

// Believes reports whether Client and Payer look at what a request that came from there says of its client. Otherwise whoever is at that address
// is the client, and pays.
func (g *Gate) Believes(from netip.Addr) bool { return g.parts.Proxies.Believes(from) }

// Payer returns who pays for what a request writes: its client, as Client has it, or nobody in particular where many may be behind that. Loopback
// is a client as any other.
func (g *Gate) Payer(from netip.Addr, forwarded ...[]byte) cache.Payer {
	return cache.PayerOf(g.parts.Proxies.One(from, forwarded...))
}

// Peer returns the client whose connections come from an address, or the zero Addr where many may be behind it: a proxy that is believed, or a
// Unix socket.
func (g *Gate) Peer(from netip.Addr) netip.Addr { return g.parts.Proxies.One(from) }

// Connects counts a connection that a client makes. It returns 0, or the time until the client may make the next one.
func (g *Gate) Connects(client netip.Addr) time.Duration {
	if g.parts.Limiter == nil {
		return 0
	}
	return g.parts.Limiter.Connect(client)
}

// Opens counts a session that the pass's client is about to open. The error is TooFast.
func (g *Gate) Opens(p *Pass) error {
	l := g.parts.Limiter
	if l == nil {
		return nil
	}
	after := l.Open(p.Client)
	if after <= 0 && !p.Held {
		after, p.tries = l.Try(p.Client, p.Key)
	}
	if after > 0 {
		return TooFast(after)
	}
	return nil
}

// takenCosts is how many guesses it costs to be told by custerrors.SdpAlreadyExist, or IdempotencyKeyIsReused, that a key has a session: more than a wrong one, because
// that is what a guesser looks for, and a peer that has come to the right place is seldom told.
const takenCosts = 3

// Note takes what a request of the pass was told, or is about to wait with: nil if it was served. What tells whether a session lives under a key
// that the client does not know counts as a guess.
//
// hot: every request that names a key comes here at least once.
func (g *Gate) Note(p *Pass, err error) {
	l := g.parts.Limiter
	if l == nil {
		return
	}
	switch err {
	case nil, custerrors.SdpNoValues, custerrors.CandidateNoValues:
		if p.tries {
			p.tries = false
			l.Opened(p.Client, p.Key)
			return
		}
		l.RightKey(p.Client, p.Key)
	case custerrors.KeyNotFound:
		l.WrongKey(p.Client, p.Key)
	case custerrors.KeyIsExpired:
		if !p.Held {
			l.OthersKey(p.Client, p.Key, 1)
		}
	case custerrors.SdpAlreadyExist, custerrors.IdempotencyKeyIsReused:
		if !p.Held {
			l.OthersKey(p.Client, p.Key, takenCosts)
		}
	default:
		if failed := custerrors.Of(err); p.tries && (failed == custerrors.StoreIsUnavailable || failed == custerrors.ServerIsShuttingDown) {
			p.tries = false
			l.Untry(p.Client, p.Key)
		}
	}
}

// Met takes that the pass's client was handed what the other peer has written, after Note: if it opened the session, that was no guess.
func (g *Gate) Met(p *Pass) {
	if g.parts.Limiter != nil {
		g.parts.Limiter.Met(p.Client, p.Key)
	}
}

// Hold is a request that waits, or a stream. It counts until Release.
type Hold struct {
	gate   *Gate
	client limit.Held
}

// Hold counts a wait of the pass's client, or says why there may not be one more: custerrors.TooManyRequests of this client,
// ServerIsOverloaded of the server.
func (g *Gate) Hold(p *Pass) (Hold, error) {
	h := Hold{gate: g}
	if g.parts.Limiter != nil {
		var ok bool
		if h.client, ok = g.parts.Limiter.Wait(p.Client); !ok {
			return Hold{}, custerrors.TooManyRequests
		}
	}
	if n := g.waits.Add(1); g.maxWaits > 0 && n > g.maxWaits {
		h.Release()
		g.refused.Add(1)
		return Hold{}, custerrors.ServerIsOverloaded
	}
	return h, nil
}

// Release ends the wait. It is called once.
func (h Hold) Release() {
	h.gate.waits.Add(-1)
	h.client.Release()
}

// Waits returns how many requests wait and streams are open now, how many may (0: any number), and how many were refused because there were as
// many.
func (g *Gate) Waits() (now, limit, refused int64) {
	return g.waits.Load(), g.maxWaits, g.refused.Load()
}

// Limiter returns what bounds clients, for its numbers; nil: nothing does.
func (g *Gate) Limiter() *limit.Limiter { return g.parts.Limiter }
