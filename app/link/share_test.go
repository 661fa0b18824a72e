package link

import (
	"errors"
	"net"
	"net/http"
	"net/netip"
	"runtime"
	"strconv"
	"testing"

	"github.com/valyala/fasthttp"

	"signal-server/test/until"
)

func TestShares(t *testing.T) {
	for text, want := range map[string]Share{
		"0": {}, "1": {Number: 1}, "2147483647": {Number: 1<<31 - 1}, "1/1": {Part: 1}, "1/4": {Part: 4}, "1/2147483647": {Part: 1<<31 - 1},
	} {
		var got Share
		if err := got.UnmarshalText([]byte(text)); err != nil || got != want || got.String() != text {
			t.Errorf("%q: got %v, %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "1/", "-1", "+1", "2147483648", "1/0", "1/-4", "1/+4", "1/2147483648", "2/4", "1/2.5", "1 /4", "25%", "a"} {
		got := Share{Number: 7}
		if err := got.UnmarshalText([]byte(text)); err == nil || got != (Share{Number: 7}) {
			t.Errorf("%q: got %v, %v, want an error, and nothing changed", text, got, err)
		}
	}
	quarter, few := Share{Part: 4}, Share{Number: 7}
	for _, test := range []struct {
		share       Share
		limit, want int
	}{
		{quarter, 200, 50},
		{quarter, 7, 1},
		{quarter, 1, 1}, // or nobody could connect
		{few, 200, 7},
		{few, 0, 7},
		{Share{}, 200, 0},
		{Share{}, 0, 0},
	} {
		if got := test.share.of(test.limit); got != test.want {
			t.Errorf("%v of %d: got %d, want %d", test.share, test.limit, got, test.want)
		}
	}
	if got, want := quarter.of(0), Descriptors()/4; got != want || want == 0 && runtime.GOOS == "linux" {
		t.Errorf("a quarter of all descriptors: got %d, want %d", got, want)
	}
}

// told is what a client hears that is turned away.
func (c *client) told(t *testing.T, what string, status int, retryAfter string) {
	t.Helper()
	a := c.ask(t, "/")
	if got := a.Header.Get("Retry-After"); a.StatusCode != status || got != retryAfter {
		t.Errorf("%s: got %d and Retry-After %q, want %d and %q", what, a.StatusCode, got, status, retryAfter)
	}
	if status != http.StatusOK {
		c.wantEnd(t, what)
	}
}

// TestMaxClientConnections lets one client fill its share with connections that say nothing. Others go on.
func TestMaxClientConnections(t *testing.T) {
	c := slow(10)
	c.MaxClientConnections = Share{Part: 5}
	s := serve(t, c, func(*fasthttp.RequestCtx) {})
	first, second := s.dial(t), s.dial(t)
	s.awaitOpen(t, 2)
	for i := range 3 {
		s.dial(t).told(t, "a third one, time "+strconv.Itoa(i), http.StatusTooManyRequests, "1")
	}
	for _, other := range []string{"127.0.0.2", "127.0.0.3", "127.0.0.2"} {
		s.dialFrom(t, other).told(t, "another client", http.StatusOK, "")
	}
	for range 3 {
		s.dialFrom(t, proxy.String()).told(t, "a client of a proxy", http.StatusOK, "")
	}
	if got := [...]int64{s.counts.TurnedAway[Client].Load(), s.counts.TurnedAway[Full].Load(), s.counts.Accepted.Load()}; got != [...]int64{3, 0, 8} {
		t.Errorf("turned away for the share, for all, accepted: got %v, want 3, 0, 8", got)
	}
	first.Close()
	until.Nil(t, patience, func() error {
		if s.Open() != 7 {
			return errors.New("got its connection still open")
		}
		return nil
	})
	s.dial(t).told(t, "once one of them has ended", http.StatusOK, "")
	second.told(t, "the other one", http.StatusOK, "")
}

// TestSharesOfNobody says that clients cost nothing where there is no share, and are forgotten when their last connection ends.
func TestSharesOfNobody(t *testing.T) {
	p := newPatrol(patience, patience, patience, NewCrew(), nil, nil)
	defer p.stop()
	clients := []netip.Addr{netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("2001:db8::"), {}}
	for _, share := range []int{0, 2} {
		var all []*Conn
		for range 2 {
			for _, client := range clients {
				ours, theirs := net.Pipe()
				t.Cleanup(func() { ours.Close(); theirs.Close() })
				c := newConn(theirs, p)
				c.client = client
				if _, admitted := p.admit(c, 0, share); !admitted {
					t.Errorf("%v: got it turned away, want it admitted", client)
				}
				all = append(all, c)
			}
		}
		if got, want := len(p.clients), min(share, 2); got != want {
			t.Errorf("share %d: got %d clients, want %d", share, got, want)
		}
		for _, c := range all {
			c.Close()
			c.Close() // fasthttp may do so twice
		}
		if len(p.clients) != 0 || p.open() != 0 {
			t.Errorf("share %d, afterwards: got %v and %d connections, want none", share, p.clients, p.open())
		}
	}
}

func TestRateOfConnections(t *testing.T) {
	s := serve(t, slow(0), func(*fasthttp.RequestCtx) {})
	s.dialFrom(t, hasty.String()).told(t, "a client that connects too often", http.StatusTooManyRequests, "7")
	s.dial(t).told(t, "another one", http.StatusOK, "")
	if got := s.counts.TurnedAway[Rate].Load(); got != 1 {
		t.Errorf("turned away: got %d, want 1", got)
	}
}

// TestGuests has connections of another listener count with those of this one: for the share of a client, for all, and for how often one connects.
func TestGuests(t *testing.T) {
	c := slow(4)
	c.MaxClientConnections = Share{Number: 2}
	s := serve(t, c, func(*fasthttp.RequestCtx) {})
	one, other, third := netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("127.0.0.2"), netip.MustParseAddr("127.0.0.3")
	admitted := func(what string, client netip.Addr) func() {
		t.Helper()
		leave, ok := s.Admit(client)
		if !ok {
			t.Fatalf("%s: got it turned away, want it admitted", what)
		}
		return leave
	}
	turnedAway := func(what string, client netip.Addr) {
		t.Helper()
		if _, ok := s.Admit(client); ok {
			t.Fatalf("%s: got it admitted, want it turned away", what)
		}
	}
	s.dial(t)
	s.awaitOpen(t, 1)
	leave := admitted("a client's second", one)
	turnedAway("its third", one)
	s.dial(t).told(t, "its third, at this listener", http.StatusTooManyRequests, "1")
	admitted("another client's first", other)
	leaveToo := admitted("another client's second", other)
	turnedAway("a fifth of all", third)
	leave()
	leave = admitted("a client's second, after its second", one)
	leave()
	leaveToo()
	turnedAway("a client that connects too often", hasty)
	s.dial(t).told(t, "a client's second, at this listener", http.StatusOK, "")
	if got := [...]int64{s.counts.TurnedAway[Client].Load(), s.counts.TurnedAway[Full].Load(), s.counts.TurnedAway[Rate].Load()}; got != [...]int64{2, 1, 1} {
		t.Errorf("turned away for the share, for all, for the rate: got %v, want 2, 1, 1", got)
	}
}
