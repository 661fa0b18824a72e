package gate

import (
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"signal-server/app/gate/auth"
	"signal-server/app/gate/limit"
	"signal-server/app/gate/ticket"
	"signal-server/cache"
	"signal-server/custerrors"
)

// The gates of the table.
var (
	nobody   = func(*testing.T, *world) Parts { return Parts{} }                   // asks for nothing but a key
	unlocked = func(_ *testing.T, w *world) Parts { return Parts{Guard: w.off} }   // has a guard that needs no token
	guarded  = func(_ *testing.T, w *world) Parts { return Parts{Guard: w.guard} } // asks for tokens
	seated   = func(_ *testing.T, w *world) Parts { return Parts{Tickets: w.tickets} }
	both     = func(_ *testing.T, w *world) Parts { return Parts{Guard: w.guard, Tickets: w.tickets} }
)

// world is what claims of the table are about: key k, whose session has the epoch now.
type world struct {
	guard, off                    *auth.Guard
	all, forK, asOffer, asAnswer  []byte // tokens
	tickets                       *ticket.Issuer
	offer, answer, theirs, before []byte // tickets: of k's two roles, of the offerer of another key, of the offerer of k's session before
	foreign                       []byte // of an issuer that has another secret
}

const (
	now     = 7
	earlier = 6
)

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{tickets: ticket.New()}
	var file strings.Builder
	for token, grant := range map[*[]byte]auth.Grant{
		&w.all: {}, &w.forK: {Key: "k"}, &w.asOffer: {Role: cache.Offer}, &w.asAnswer: {Role: cache.Answer},
	} {
		text, line, err := auth.Mint(grant)
		if err != nil {
			t.Fatal(err)
		}
		*token = []byte(text)
		file.WriteString(line + "\n")
	}
	path := filepath.Join(t.TempDir(), "tokens")
	if err := os.WriteFile(path, []byte(file.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	for guard, config := range map[**auth.Guard]auth.Config{&w.guard: {TokensFile: path}, &w.off: {}} {
		var err error
		if *guard, err = auth.Open(t.Context(), config, slog.New(slog.DiscardHandler)); err != nil {
			t.Fatal(err)
		}
		t.Cleanup((*guard).Close)
	}
	w.offer = w.tickets.Append(nil, "k", cache.Offer, now)
	w.answer = w.tickets.Append(nil, "k", cache.Answer, now)
	w.theirs = w.tickets.Append(nil, "l", cache.Offer, now)
	w.before = w.tickets.Append(nil, "k", cache.Offer, earlier)
	w.foreign = ticket.New().Append(nil, "k", cache.Offer, now)
	return w
}

// asOffer and asAnswer are tickets that were shown as that role's.
func asOffer(text []byte) [ticketSlots][]byte  { return [ticketSlots][]byte{cache.Offer: text} }
func asAnswer(text []byte) [ticketSlots][]byte { return [ticketSlots][]byte{cache.Answer: text} }

// TestClaims is the policy: what is claimed, at which gate, and who is let in. session is what a store says of k, which is asked only if
// the gate must ask. A refusal is want; otherwise in is the session that the pass is for, and held whether by a ticket.
func TestClaims(t *testing.T) {
	w := newWorld(t)
	type session struct {
		lease cache.Lease
		err   error
	}
	var (
		none     = session{err: custerrors.KeyNotFound}
		expired  = session{err: custerrors.KeyIsExpired}
		down     = session{err: custerrors.StoreIsUnavailable}
		open     = session{lease: cache.Lease{Epoch: now}}
		answered = session{lease: cache.Lease{Epoch: now, Answered: true}}
	)
	const (
		unauthenticated = custerrors.NotAuthenticated
		no              = custerrors.NotAllowed
		offer, answer   = cache.Offer, cache.Answer
	)
	k := strings.Repeat
	for _, row := range []struct {
		what    string
		gate    func(*testing.T, *world) Parts
		list    bool // only pages of some origins may use the server
		claim   Claim
		session session

		want error
		in   uint64
		held bool
	}{
		{what: "a key", gate: nobody, claim: Claim{Key: "k"}},
		{what: "no key", gate: nobody, claim: Claim{}, want: custerrors.KeyIsEmpty},
		{what: "a blank key", gate: nobody, claim: Claim{Key: " \t"}, want: custerrors.KeyIsEmpty},
		{what: "a key of 32", gate: nobody, claim: Claim{Key: k("钥", 32)}},
		{what: "a key of 33", gate: nobody, claim: Claim{Key: k("钥", 33)}, want: custerrors.KeyIsTooLong},
		{what: "a key of two", gate: nobody, claim: Claim{Key: "k", Keys: true}, want: custerrors.RequestIsInvalid},
		{what: "a key of two, and its token", gate: guarded, claim: Claim{Key: "k", Keys: true, Token: w.all}, want: custerrors.RequestIsInvalid},
		{what: "a token where none is asked for", gate: nobody, claim: Claim{Key: "k", Token: []byte("x")}},
		{what: "a ticket where there are none", gate: nobody, claim: Claim{Key: "k", Seat: offer, Tickets: asOffer([]byte("x"))}},

		{what: "a browser, for an image or a script", gate: nobody, claim: Claim{Key: "k", Mode: []byte("no-cors")}, want: no},
		{what: "a browser, for a page that uses fetch", gate: nobody, claim: Claim{Key: "k", Mode: []byte("cors"), Site: []byte("cross-site")}},
		{what: "a browser, for a page of another site without an origin", gate: nobody, claim: Claim{Key: "k", Site: []byte("cross-site")}},
		{what: "a list: a program", gate: nobody, list: true, claim: Claim{Key: "k"}},
		{what: "a list: an own page", gate: nobody, list: true, claim: Claim{Key: "k", Site: []byte("same-origin"), Mode: []byte("cors")}},
		{what: "a list: an own page's image", gate: nobody, list: true, claim: Claim{Key: "k", Site: []byte("same-origin"), Mode: []byte("no-cors")}, want: no},
		{what: "a list: the person at the browser", gate: nobody, list: true, claim: Claim{Key: "k", Site: []byte("none"), Mode: []byte("navigate")}},
		{what: "a list: a page of another site", gate: nobody, list: true, claim: Claim{Key: "k", Site: []byte("cross-site"), Mode: []byte("cors")}, want: no},
		{what: "a list: a link of another site", gate: nobody, list: true, claim: Claim{Key: "k", Site: []byte("cross-site"), Mode: []byte("navigate")}, want: no},
		{what: "a list: a page of a neighbour", gate: nobody, list: true, claim: Claim{Key: "k", Site: []byte("same-site")}, want: no},
		{what: "a list: what nobody knows yet", gate: nobody, list: true, claim: Claim{Key: "k", Site: []byte("")}, want: no},
		{what: "a list: a page of another site, of an origin that was let in", gate: nobody, list: true, claim: Claim{Key: "k", Site: []byte("cross-site"), Origin: []byte("https://a.example")}},

		{what: "no token, guard off", gate: unlocked, claim: Claim{Key: "k"}},
		{what: "any token, guard off", gate: unlocked, claim: Claim{Key: "k", Token: []byte("x")}},
		{what: "no token", gate: guarded, claim: Claim{Key: "k"}, want: unauthenticated},
		{what: "a wrong token", gate: guarded, claim: Claim{Key: "k", Token: []byte("x")}, want: unauthenticated},
		{what: "a token", gate: guarded, claim: Claim{Key: "k", Token: w.all}},
		{what: "a token, and no key", gate: guarded, claim: Claim{Token: w.all}, want: custerrors.KeyIsEmpty},
		{what: "neither token nor key", gate: guarded, claim: Claim{}, want: custerrors.KeyIsEmpty},
		{what: "the key's token", gate: guarded, claim: Claim{Key: " k ", Token: w.forK}},
		{what: "another key's token", gate: guarded, claim: Claim{Key: "l", Token: w.forK}, want: no},
		{what: "the role's token", gate: guarded, claim: Claim{Key: "k", Seat: offer, Token: w.asOffer}},
		{what: "another role's token", gate: guarded, claim: Claim{Key: "k", Seat: answer, Token: w.asOffer}, want: no},
		{what: "a role's token for what both may do", gate: guarded, claim: Claim{Key: "k", Token: w.asAnswer}},

		{what: "offerer, no ticket, no session", gate: seated, claim: Claim{Key: "k", Seat: offer}, session: none, want: custerrors.KeyNotFound},
		{what: "offerer, no ticket, session ended", gate: seated, claim: Claim{Key: "k", Seat: offer}, session: expired, want: custerrors.KeyIsExpired},
		{what: "offerer, no ticket", gate: seated, claim: Claim{Key: "k", Seat: offer}, session: open, want: no},
		{what: "offerer, no ticket, answered", gate: seated, claim: Claim{Key: "k", Seat: offer}, session: answered, want: no},
		{what: "answerer, no ticket, no session", gate: seated, claim: Claim{Key: "k", Seat: answer}, session: none},
		{what: "answerer, no ticket, session ended", gate: seated, claim: Claim{Key: "k", Seat: answer}, session: expired},
		{what: "answerer, no ticket", gate: seated, claim: Claim{Key: "k", Seat: answer}, session: open, in: now},
		{what: "answerer, no ticket, answered", gate: seated, claim: Claim{Key: "k", Seat: answer}, session: answered, want: no},
		{what: "answerer, no ticket, store down", gate: seated, claim: Claim{Key: "k", Seat: answer}, session: down, want: custerrors.StoreIsUnavailable},
		{what: "what both may do, no ticket", gate: seated, claim: Claim{Key: "k"}, session: open, want: no},

		{what: "offerer's ticket", gate: seated, claim: Claim{Key: "k", Seat: offer, Tickets: asOffer(w.offer)}, in: now, held: true},
		{what: "offerer's ticket, as the answerer's", gate: seated, claim: Claim{Key: "k", Seat: answer, Tickets: asAnswer(w.offer)}, want: no},
		{what: "answerer's ticket", gate: seated, claim: Claim{Key: "k", Seat: answer, Tickets: asAnswer(w.answer)}, in: now, held: true},
		{what: "answerer's ticket, as the offerer's", gate: seated, claim: Claim{Key: "k", Seat: offer, Tickets: asOffer(w.answer)}, want: no},
		{what: "offerer's ticket in the answerer's seat", gate: seated, claim: Claim{Key: "k", Seat: answer, Tickets: asOffer(w.offer)}, session: open, in: now},
		{what: "… once it is answered", gate: seated, claim: Claim{Key: "k", Seat: answer, Tickets: asOffer(w.offer)}, session: answered, want: no},
		{what: "another key's ticket", gate: seated, claim: Claim{Key: "k", Seat: offer, Tickets: asOffer(w.theirs)}, want: no},
		{what: "a ticket of another secret", gate: seated, claim: Claim{Key: "k", Seat: offer, Tickets: asOffer(w.foreign)}, want: no},
		{what: "a ticket of an earlier session", gate: seated, claim: Claim{Key: "k", Seat: offer, Tickets: asOffer(w.before)}, in: earlier, held: true},
		{what: "an empty ticket", gate: seated, claim: Claim{Key: "k", Seat: answer, Tickets: asAnswer([]byte{})}, want: no},
		{what: "either ticket for what both may do", gate: seated, claim: Claim{Key: "k", Tickets: asAnswer(w.answer)}, in: now, held: true},
		{what: "a good and a bad one for what both may do", gate: seated, claim: Claim{Key: "k", Tickets: [ticketSlots][]byte{cache.Offer: w.offer, cache.Answer: w.offer}}, want: no},

		{what: "a ticket by query", gate: seated, claim: Claim{Key: "k", Seat: offer, Ticket: w.offer}, in: now, held: true},
		{what: "another role's by query", gate: seated, claim: Claim{Key: "k", Seat: offer, Ticket: w.answer}, want: no},
		{what: "either by query, for what both may do", gate: seated, claim: Claim{Key: "k", Ticket: w.answer}, in: now, held: true},
		{what: "a good one, and a bad one by query", gate: seated, claim: Claim{Key: "k", Seat: offer, Tickets: asOffer(w.offer), Ticket: []byte("x")}, in: now, held: true},
		{what: "a bad one, and a good one by query", gate: seated, claim: Claim{Key: "k", Seat: offer, Tickets: asOffer([]byte("x")), Ticket: w.offer}, want: no},

		{what: "a ticket, and no token", gate: both, claim: Claim{Key: "k", Seat: offer, Tickets: asOffer(w.offer)}, want: unauthenticated},
		{what: "a token, and no ticket", gate: both, claim: Claim{Key: "k", Seat: offer, Token: w.all}, session: open, want: no},
		{what: "a token and a ticket", gate: both, claim: Claim{Key: "k", Seat: offer, Token: w.all, Tickets: asOffer(w.offer)}, in: now, held: true},
	} {
		t.Run(row.what, func(t *testing.T) {
			list := []string{"*"}
			if row.list {
				list = []string{"https://a.example"}
			}
			g := New(Config{AllowOrigins: list}, row.gate(t, w))
			row.claim.Client = alice
			var p Pass
			err := g.Enter(&row.claim, &p)
			asks := err == nil && g.MustAsk(&p)
			if says := row.session != (session{}); asks != says {
				t.Errorf("MustAsk: got %v, want %v", asks, says)
			}
			if asks {
				err = p.Act(row.session.lease, row.session.err)
			}
			if err != row.want {
				t.Fatalf("got %v, want %v", err, row.want)
			}
			want := Pass{Key: cache.Key(strings.TrimSpace(row.claim.Key)), Seat: row.claim.Seat, Client: alice, Session: row.in, Held: row.held}
			if err == nil && p != want {
				t.Errorf("got the pass %+v, want %+v", p, want)
			}
		})
	}
}

// TestCursor checks by which cursor a pass reads.
func TestCursor(t *testing.T) {
	for _, row := range []struct {
		what    string
		session uint64
		after   cache.Cursor
		got     cache.Cursor
		want    error
	}{
		{"any session, from the beginning", 0, 0, 0, nil},
		{"any session, from a cursor", 0, cache.NewCursor(now, 2), cache.NewCursor(now, 2), nil},
		{"its session, from the beginning", now, 0, cache.NewCursor(now, 0), nil},
		{"its session, from a cursor", now, cache.NewCursor(now, 2), cache.NewCursor(now, 2), nil},
		{"its session, from a cursor of another one", now, cache.NewCursor(earlier, 2), 0, custerrors.KeyIsExpired},
	} {
		p := Pass{Session: row.session}
		if got, err := p.Cursor(row.after); got != row.got || err != row.want {
			t.Errorf("%s: got %x, %v, want %x, %v", row.what, got, err, row.got, row.want)
		}
	}
}

var alice, bob = netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")

// TestLimits lets a client do something n times, and once more.
func TestLimits(t *testing.T) {
	const n = 3
	rate := limit.Rate{Events: n, Per: time.Hour}
	enter := func(g *Gate, client netip.Addr, key string) error {
		return g.Enter(&Claim{Key: key, Client: client}, new(Pass))
	}
	guesses := limit.Config{WrongKeys: rate, Block: time.Minute}
	// told has a client ask for another key, and be told that.
	told := func(err error) func(g *Gate, client netip.Addr, i int) error {
		return func(g *Gate, client netip.Addr, i int) error {
			key := string(rune('a' + i))
			refused := enter(g, client, key)
			g.Note(&Pass{Key: cache.Key(key), Client: client}, err)
			return refused
		}
	}
	for _, row := range []struct {
		what  string
		all   int
		each  limit.Config
		do    func(g *Gate, client netip.Addr, i int) error
		more  error // of one more; custerrors.TooManyRequests with a time is TooFast
		other error // what another client gets then
	}{
		{"no limits", 0, limit.Config{}, func(g *Gate, client netip.Addr, _ int) error { return enter(g, client, "k") }, nil, nil},
		{"requests", 0, limit.Config{Requests: rate}, func(g *Gate, client netip.Addr, _ int) error { return enter(g, client, "k") }, TooFast(1), nil},
		{"requests without a key", 0, limit.Config{Requests: rate}, func(g *Gate, client netip.Addr, i int) error {
			if err := enter(g, client, ""); err != custerrors.KeyIsEmpty {
				return err
			}
			return nil
		}, TooFast(1), nil},
		{"sessions", 0, limit.Config{Opens: rate}, func(g *Gate, client netip.Addr, _ int) error {
			return g.Opens(&Pass{Key: "k", Client: client})
		}, TooFast(1), nil},
		{"wrong keys", 0, limit.Config{WrongKeys: rate, Block: time.Minute}, func(g *Gate, client netip.Addr, i int) error {
			err := enter(g, client, string(rune('a'+i)))
			g.Note(&Pass{Key: cache.Key(rune('a' + i)), Client: client}, custerrors.KeyNotFound)
			return err
		}, TooFast(1), nil},
		{"one wrong key, over and over", 0, limit.Config{WrongKeys: rate, Block: time.Minute}, func(g *Gate, client netip.Addr, _ int) error {
			err := enter(g, client, "k")
			g.Note(&Pass{Key: "k", Client: client}, custerrors.KeyNotFound)
			return err
		}, nil, nil},
		{"keys that are not wrong", 0, limit.Config{WrongKeys: rate, Block: time.Minute}, func(g *Gate, client netip.Addr, i int) error {
			err := enter(g, client, string(rune('a'+i)))
			g.Note(&Pass{Key: cache.Key(rune('a' + i)), Client: client}, custerrors.SdpNoValues)
			return err
		}, nil, nil},
		{"keys that ended", 0, guesses, told(custerrors.KeyIsExpired), TooFast(1), nil},
		{"keys that are taken, of which each counts as three", 0, limit.Config{WrongKeys: limit.Rate{Events: 3 * n, Per: time.Hour}, Block: time.Minute}, told(custerrors.SdpAlreadyExist), TooFast(1), nil},
		{"keys whose tokens are taken, too", 0, limit.Config{WrongKeys: limit.Rate{Events: 3 * n, Per: time.Hour}, Block: time.Minute}, told(custerrors.IdempotencyKeyIsReused), TooFast(1), nil},
		{"keys that are taken, by tickets", 0, guesses, func(g *Gate, client netip.Addr, i int) error {
			p := Pass{Key: cache.Key(rune('a' + i)), Client: client, Held: true}
			g.Note(&p, custerrors.SdpAlreadyExist)
			g.Note(&p, custerrors.KeyIsExpired)
			return enter(g, client, "k")
		}, nil, nil},
		{"keys that are taken, by the client itself", 0, guesses, func(g *Gate, client netip.Addr, i int) error {
			p := Pass{Key: cache.Key(rune('a' + i)), Client: client}
			g.Note(&p, nil)
			g.Note(&p, custerrors.SdpAlreadyExist) // to what it asked once more, the answer being lost
			g.Note(&p, custerrors.KeyIsExpired)    // after the end
			return enter(g, client, "k")
		}, nil, nil},
		{"keys that turn out right", 0, guesses, func(g *Gate, client netip.Addr, i int) error {
			p := Pass{Key: cache.Key(rune('a' + i)), Client: client}
			g.Note(&p, custerrors.KeyNotFound)
			g.Note(&p, nil)
			return enter(g, client, "k")
		}, nil, nil},
		{"sessions that nobody answers", 0, guesses, func(g *Gate, client netip.Addr, i int) error {
			return opening(g, client, i, nil)
		}, TooFast(1), nil},
		{"sessions that nobody answers leave the client its others", 0, guesses, func(g *Gate, client netip.Addr, i int) error {
			opening(g, client, i, nil)
			return enter(g, client, "k")
		}, nil, nil},
		{"sessions that do not open", 0, guesses, func(g *Gate, client netip.Addr, i int) error {
			return opening(g, client, i, custerrors.BodyIsTooLong)
		}, TooFast(1), nil},
		{"sessions that do not open because the store is gone", 0, guesses, func(g *Gate, client netip.Addr, i int) error {
			return opening(g, client, i, custerrors.StoreIsUnavailable)
		}, nil, nil},
		{"sessions that are answered", 0, guesses, func(g *Gate, client netip.Addr, i int) error {
			err := opening(g, client, i, nil)
			for range 2 {
				g.Met(&Pass{Key: cache.Key(rune('a' + i)), Client: client})
			}
			return err
		}, nil, nil},
		{"sessions of one key, over and over", 0, guesses, func(g *Gate, client netip.Addr, _ int) error { return opening(g, client, 0, nil) }, nil, nil},
		{"waits of a client", 0, limit.Config{Waits: n}, hold, custerrors.TooManyRequests, nil},
		{"waits of all", n, limit.Config{}, hold, custerrors.ServerIsOverloaded, custerrors.ServerIsOverloaded},
		{"waits of a client, under those of all", n + 1, limit.Config{Waits: n}, hold, custerrors.TooManyRequests, nil},
		{"waits of all, under those of a client", n, limit.Config{Waits: n + 1}, hold, custerrors.ServerIsOverloaded, custerrors.ServerIsOverloaded},
	} {
		t.Run(row.what, func(t *testing.T) {
			g := New(Config{AllowOrigins: []string{"*"}, MaxWaits: row.all}, Parts{Limiter: limit.New(row.each)})
			for i := range n {
				if err := row.do(g, alice, i); err != nil {
					t.Fatalf("number %d: got %v, want nil", i+1, err)
				}
			}
			got := row.do(g, alice, n)
			if after, ok := got.(TooFast); ok && time.Duration(after) > 0 && time.Duration(after) <= time.Hour {
				got = TooFast(1)
			}
			if got != row.more {
				t.Errorf("number %d: got %v, want %v", n+1, got, row.more)
			}
			if got := row.do(g, bob, n+1); got != row.other {
				t.Errorf("another client: got %v, want %v", got, row.other)
			}
			if got := custerrors.Of(TooFast(1)); got != custerrors.TooManyRequests {
				t.Errorf("TooFast: got %v, want TooManyRequests", got)
			}
		})
	}
}

// opening opens a session of another key, which ends with err.
func opening(g *Gate, client netip.Addr, i int, err error) error {
	p := Pass{Key: cache.Key(rune('a' + i)), Client: client}
	if err := g.Opens(&p); err != nil {
		return err
	}
	g.Note(&p, err)
	return nil
}

// hold takes a place, and keeps it.
func hold(g *Gate, client netip.Addr, _ int) error {
	_, err := g.Hold(&Pass{Key: "k", Client: client})
	return err
}

// TestRelease gives a place back, to the client and to all. A wait that is refused takes none.
func TestRelease(t *testing.T) {
	for name, g := range map[string]*Gate{
		"of a client": New(Config{}, Parts{Limiter: limit.New(limit.Config{Waits: 1})}),
		"of all":      New(Config{MaxWaits: 1}, Parts{}),
		"of both":     New(Config{MaxWaits: 1}, Parts{Limiter: limit.New(limit.Config{Waits: 1})}),
	} {
		for range 3 {
			h, err := g.Hold(&Pass{Client: alice})
			if err != nil {
				t.Fatalf("%s: got %v, want a place", name, err)
			}
			for range 3 {
				if _, err := g.Hold(&Pass{Client: alice}); err == nil {
					t.Errorf("%s: got a second place, want none", name)
				}
			}
			if got, _, _ := g.Waits(); got != 1 {
				t.Errorf("%s: got %d waits, want 1", name, got)
			}
			h.Release()
			if got, _, _ := g.Waits(); got != 0 {
				t.Errorf("%s, released: got %d waits, want none", name, got)
			}
		}
	}
}
