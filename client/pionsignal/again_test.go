package pionsignal_test

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"sync"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"

	"signal-server/app/apptest"
	"signal-server/app/gate/ticket"
	"signal-server/client"
	"signal-server/client/pionsignal"
	"signal-server/custerrors"
	"signal-server/test/until"
)

// An answerer that comes when the offerer's session has reached its lifetime, or has been ended, finds another one with the same offer.
func TestAnOffererWhoseSessionIsOverOpensAnother(t *testing.T) {
	for name, opts := range map[string][]pionsignal.Option{
		"in one request": {pionsignal.WithBatchDelay(5 * time.Second)},
		"trickling":      {pionsignal.WithBatchDelay(0)},
		"sealed":         {pionsignal.WithBatchDelay(0), pionsignal.WithSeal(keys(t, "one"))},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, func(c *apptest.Config) { c.Limits.Lifetime = time.Second })
			offers, answers := newPC(t), newPC(t)
			dc := channel(t, offers)
			echo(answers)
			ctx := within(t, 30*time.Second)
			offered := make(chan error, 1)
			go func() { offered <- pionsignal.Offer(ctx, offers, w.session("key", client.Offer), opts...) }()
			w.awaitOpened(3)
			if err := pionsignal.Answer(ctx, answers, w.session("key", client.Answer), opts...); err != nil {
				t.Error(err)
			}
			if err := <-offered; err != nil {
				t.Error(err)
			}
			talk(t, dc)
			w.wantCounted("offer connected host: 1", "answer connected host: 1")
		})
	}
}

// awaitOpened returns when the server has opened n sessions.
func (w *world) awaitOpened(n int64) {
	w.t.Helper()
	until.Nil(w.t, 20*time.Second, func() error {
		if got := w.store.Stats().Opened; got < n {
			return fmt.Errorf("got %d sessions, want %d", got, n)
		}
		return nil
	})
}

// The offerer's former life has left its session behind. It waits until that one is over. If it is the same Session with the ticket, it
// ends it.
func TestAnOffererWaitsForTheEndOfItsFormerSession(t *testing.T) {
	w := newWorld(t)
	if _, err := w.session("key", client.Offer).Exchange(t.Context(), offered(t), "", 0); err != nil {
		t.Fatal(err)
	}
	offers, answers := newPC(t), newPC(t)
	channel(t, offers)
	ended := make(chan error, 1)
	go func() {
		w.wire.await(t, "GET /offer/messages?wait")
		ended <- w.session("key", client.Answer).End(t.Context())
	}()
	answered := make(chan error, 1)
	ctx := within(t, 20*time.Second)
	go func() {
		<-ended
		answered <- pionsignal.Answer(ctx, answers, w.session("key", client.Answer))
	}()
	if err := pionsignal.Offer(ctx, offers, w.session("key", client.Offer)); err != nil {
		t.Error(err)
	}
	if err := <-answered; err != nil {
		t.Error(err)
	}
}

func TestAnOffererWithTheTicketEndsItsFormerSession(t *testing.T) {
	w := newWorld(t, func(c *apptest.Config) { c.Tickets = ticket.New() })
	session := w.session("key", client.Offer)
	if _, err := session.Exchange(t.Context(), offered(t), "", 0); err != nil {
		t.Fatal(err)
	}
	offers, answers := newPC(t), newPC(t)
	channel(t, offers)
	ctx := within(t, 20*time.Second)
	result := make(chan error, 1)
	go func() { result <- pionsignal.Offer(ctx, offers, session) }()
	w.awaitOpened(2)
	if err := pionsignal.Answer(ctx, answers, w.session("key", client.Answer)); err != nil {
		t.Error(err)
	}
	if err := <-result; err != nil {
		t.Error(err)
	}
}

// A session that is over is not ended again: the key's next one may be another offerer's.
func TestAnOffererDoesNotEndTheNextSession(t *testing.T) {
	w := newWorld(t)
	offers := newPC(t)
	channel(t, offers)
	offered := make(chan error, 1)
	go func() { offered <- pionsignal.Offer(within(t, 5*time.Second), offers, w.session("key", client.Offer)) }()
	answer, next := w.session("key", client.Answer), w.session("key", client.Offer)
	hand{t, answer}.putAnswer(nowhere)
	until.Nil(t, 10*time.Second, func() error { // or to the offerer its session would be over before the answer
		if offers.SignalingState() != webrtc.SignalingStateStable || offers.RemoteDescription() == nil {
			return errors.New("the offerer has not read the answer")
		}
		return nil
	})
	if err := answer.End(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := next.PutSDP(t.Context(), "another's", 0); err != nil {
		t.Fatal(err)
	}
	wantError(t, <-offered, "connecting", context.DeadlineExceeded, custerrors.KeyIsExpired)
	if err := next.AddCandidate(t.Context(), "c"); err != nil {
		t.Errorf("got %v, want the next session alive", err)
	}
}

// nowhere makes the candidates of a description lead nowhere.
func nowhere(sdp string) string { return port.ReplaceAllString(sdp, " 9 typ") }

var port = regexp.MustCompile(` \d+ typ`)

// maker makes PeerConnections for ConnectNew, and remembers the offerers' data channels.
type maker struct {
	t        *testing.T
	channels sync.Map // of *webrtc.DataChannel, by *webrtc.PeerConnection
}

func (m *maker) newPC(role client.Role) (*webrtc.PeerConnection, error) {
	pc := newPCWith(m.t, webrtc.Configuration{})
	if role == client.Offer {
		m.channels.Store(pc, channel(m.t, pc))
	} else {
		echo(pc)
	}
	return pc, nil
}

// talk fails the test unless one of the two is the offerer, and the other one echoes what it says.
func (m *maker) talk(both ...*webrtc.PeerConnection) {
	m.t.Helper()
	for _, pc := range both {
		if dc, ok := m.channels.Load(pc); ok {
			talk(m.t, dc.(*webrtc.DataChannel))
			return
		}
	}
	m.t.Errorf("got %v, want an offerer among them", both)
}

// pair lets both sides Connect and talk. The second side begins after between.
func pair(t *testing.T, one, other pionsignal.Place, between func(), opts ...pionsignal.Option) {
	t.Helper()
	ctx := within(t, 30*time.Second)
	m := maker{t: t}
	var pcs [2]*webrtc.PeerConnection
	var both sync.WaitGroup
	for i, place := range []pionsignal.Place{one, other} {
		both.Go(func() {
			pc, err := pionsignal.ConnectNew(ctx, place, m.newPC, opts...)
			if err != nil {
				t.Error(err)
				return
			}
			if got, want := pc.ConnectionState(), webrtc.PeerConnectionStateConnected; got != want {
				t.Errorf("got state %v, want %v", got, want)
			}
			pcs[i] = pc
		})
		if i == 0 {
			between()
		}
	}
	both.Wait()
	if !t.Failed() {
		m.talk(pcs[:]...)
	}
}

// meeting returns the world's meeting at that key.
func (w *world) meeting(key string) *client.Meeting {
	w.t.Helper()
	m, err := w.client.Meeting(key)
	if err != nil {
		w.t.Fatal(err)
	}
	return m
}

// Two peers that have not agreed who offers come at once, and again with the same key. Each side reports once.
func TestMeeting(t *testing.T) {
	tickets := func(c *apptest.Config) { c.Tickets = ticket.New() }
	for name, c := range map[string]struct {
		change func(*apptest.Config)
		opts   []pionsignal.Option
	}{
		"plain":                   {func(*apptest.Config) {}, nil},
		"sealed":                  {func(*apptest.Config) {}, []pionsignal.Option{pionsignal.WithSeal(keys(t, "one"))}},
		"with tickets":            {tickets, nil},
		"sealed and with tickets": {tickets, []pionsignal.Option{pionsignal.WithSeal(keys(t, "one")), pionsignal.WithBatchDelay(0)}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, c.change)
			for range 5 {
				pair(t, w.meeting("key"), w.meeting("key"), func() {}, c.opts...)
			}
			if got, want := w.counted()[0], "offer connected host: 5"; got != want {
				t.Errorf("got %s, want %s: one report for each, however many rounds it took", got, want)
			}
		})
	}
}

func TestConnectNewInGivenRoles(t *testing.T) {
	w := newWorld(t, func(c *apptest.Config) { c.Tickets = ticket.New() })
	for range 6 { // each time with Sessions that know nothing of the ones before
		pair(t, w.session("key", client.Offer), w.session("key", client.Answer), func() {})
	}
}

// found fails the test if two that were kept apart did not connect within 5 s.
func found(t *testing.T, since time.Time) {
	t.Helper()
	if got, most := time.Since(since), 5*time.Second; got > most {
		t.Errorf("they found each other after %v, want %v at the most", got, most)
	}
}

// An answerer was killed right after it had answered. The next one finds the offer answered.
func TestAnAnswererIsStartedAgain(t *testing.T) {
	for name, side := range map[string]func(w *world, role client.Role) pionsignal.Place{
		"in given roles": func(w *world, role client.Role) pionsignal.Place { return w.session("key", role) },
		"at a meeting":   func(w *world, _ client.Role) pionsignal.Place { return w.meeting("key") },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			var killed time.Time
			pair(t, side(w, client.Offer), side(w, client.Answer), func() {
				w.wire.await(t, "POST /offer/messages")
				hand{t, w.session("key", client.Answer)}.putAnswer(nowhere)
				killed = time.Now()
			})
			found(t, killed)
		})
	}
}

// An offerer was killed, and its session is left: before anybody answered, and after.
func TestAnOffererIsStartedAgain(t *testing.T) {
	for name, first := range map[string]client.Role{"before the answer": client.Offer, "after the answer": client.Answer} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			dead := offered(t)
			dead.Candidates = append(dead.Candidates, "null")
			if _, err := w.session("key", client.Offer).Exchange(t.Context(), dead, "", 0); err != nil {
				t.Fatal(err)
			}
			var killed time.Time
			second := map[client.Role]client.Role{client.Offer: client.Answer, client.Answer: client.Offer}[first]
			pair(t, w.session("key", first), w.session("key", second), func() {
				w.wire.await(t, "POST /"+string(first)+"/messages")
				killed = time.Now()
			})
			found(t, killed)
		})
	}
}

// What no round mends ends ConnectNew at once.
func TestConnectNewFails(t *testing.T) {
	w := newWorld(t)
	one, other := pionsignal.WithSeal(keys(t, "one")), pionsignal.WithSeal(keys(t, "another")) // which takes time
	ctx := within(t, 20*time.Second)
	sorry := errors.New("sorry")
	_, err := pionsignal.ConnectNew(ctx, w.session("key", client.Offer), func(client.Role) (*webrtc.PeerConnection, error) { return nil, sorry })
	wantError(t, err, "", sorry)

	newPC := (&maker{t: t}).newPC
	offered := make(chan error, 1)
	go func() {
		_, err := pionsignal.ConnectNew(ctx, w.session("key", client.Offer), newPC, one)
		offered <- err
	}()
	_, err = pionsignal.ConnectNew(ctx, w.session("key", client.Answer), newPC, other)
	wantError(t, err, "does not open")
	wantError(t, <-offered, "does not open")

	short := within(t, 4*time.Second) // of which the client leaves the last one to the answer
	_, err = pionsignal.ConnectNew(short, w.meeting("nobody"), newPC)
	wantError(t, err, "waiting for the answer", context.DeadlineExceeded, custerrors.SdpNoValues)
	if _, err := w.session("nobody", client.Answer).Messages(t.Context(), "", 0); !errors.Is(err, custerrors.KeyIsExpired) {
		t.Errorf("after a failed ConnectNew the session says %v, want %v", err, custerrors.KeyIsExpired)
	}

	used := newPCWith(t, webrtc.Configuration{})
	used.Close()
	_, err = pionsignal.ConnectNew(ctx, w.session("key", client.Offer), func(client.Role) (*webrtc.PeerConnection, error) { return used, nil })
	wantError(t, err, "", pionsignal.ErrClosed)
}
