package pionsignal_test

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"

	"signal-server/client"
	"signal-server/client/pionsignal"
	"signal-server/client/seal"
	"signal-server/custerrors"
)

// wantError fails the test unless err is all of the wanted errors and contains the text.
func wantError(t *testing.T, err error, text string, want ...error) {
	t.Helper()
	for _, w := range want {
		if !errors.Is(err, w) {
			t.Errorf("got %v, want %v in it", err, w)
		}
	}
	if err == nil || !strings.Contains(err.Error(), text) {
		t.Errorf("got %v, want it to say %q", err, text)
	}
}

func TestPeersWithDifferentKeysAreToldWhyNothingCame(t *testing.T) {
	w := newWorld(t)
	ctx := within(t, 3*time.Second)
	answered := make(chan error, 1)
	go func() { answered <- pionsignal.Answer(ctx, newPC(t), w.session("one", client.Answer)) }()
	offers := newPC(t)
	channel(t, offers)
	other := w.session("another", client.Offer)
	wantError(t, pionsignal.Offer(ctx, offers, other), "waiting for the answer",
		context.DeadlineExceeded, custerrors.SdpNoValues)
	wantError(t, <-answered, "waiting for the offer", context.DeadlineExceeded, custerrors.KeyNotFound)
	if _, err := other.Messages(t.Context(), "", 0); !errors.Is(err, custerrors.KeyIsExpired) {
		t.Errorf("after a failed offer the session says %v, want %v", err, custerrors.KeyIsExpired)
	}
}

func TestCancelEndsBothSides(t *testing.T) {
	w := newWorld(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() { w.wire.await(t, "POST /offer/messages"); cancel() }()
	offers := newPC(t)
	channel(t, offers)
	wantError(t, pionsignal.Offer(ctx, offers, w.session("one", client.Offer)), "waiting for the answer", context.Canceled)

	ctx, cancel = context.WithCancel(t.Context())
	defer cancel()
	go func() { w.wire.await(t, "GET /answer/messages"); cancel() }()
	wantError(t, pionsignal.Answer(ctx, newPC(t), w.session("two", client.Answer)), "waiting for the offer", context.Canceled)
}

func TestClosingThePeerConnectionEndsTheOffer(t *testing.T) {
	w := newWorld(t)
	pc := newPC(t)
	channel(t, pc)
	go func() { w.wire.await(t, "POST /offer/messages"); pc.Close() }()
	session := w.session("key", client.Offer)
	wantError(t, pionsignal.Offer(within(t, 20*time.Second), pc, session), "", pionsignal.ErrClosed)
	if got, want := w.wire.take(), "DELETE /session"; !slices.Contains(got, want) {
		t.Errorf("got %q, want %s among them", got, want)
	}
	wantError(t, pionsignal.Offer(within(t, time.Second), pc, session), "", pionsignal.ErrUsed)
}

func TestICEFailure(t *testing.T) {
	w := newWorld(t)
	soon := func(s *webrtc.SettingEngine) {
		s.SetICETimeouts(300*time.Millisecond, 300*time.Millisecond, 100*time.Millisecond)
	}
	deaf := func(s *webrtc.SettingEngine) { s.SetIPFilter(func(net.IP) bool { return false }) }
	offers := newPC(t, soon)
	channel(t, offers)
	ctx := within(t, 20*time.Second)
	answered := make(chan error, 1)
	go func() { answered <- pionsignal.Answer(ctx, newPC(t, soon, deaf), w.session("key", client.Answer)) }()
	wantError(t, pionsignal.Offer(ctx, offers, w.session("key", client.Offer)), "", pionsignal.ErrICE)
	wantError(t, <-answered, "", pionsignal.ErrICE)
}

// hand is the other side of a handshake, played by hand.
type hand struct {
	t *testing.T
	*client.Session
}

// putAnswer takes the offer and puts an answer after change has changed it.
func (h hand) putAnswer(change func(sdp string) string) {
	h.t.Helper()
	m, err := h.Inbox("").Next(within(h.t, 10*time.Second))
	if err != nil {
		h.t.Error(err)
		return
	}
	pc := newPC(h.t)
	var offer webrtc.SessionDescription
	if err := json.Unmarshal([]byte(m.Data), &offer); err != nil {
		h.t.Error(err)
	}
	if err := pc.SetRemoteDescription(offer); err != nil {
		h.t.Error(err)
	}
	answer, err := pc.CreateAnswer(nil)
	if err != nil {
		h.t.Error(err)
	}
	gathered := webrtc.GatheringCompletePromise(pc)
	if err := pc.SetLocalDescription(answer); err != nil {
		h.t.Error(err)
	}
	<-gathered
	text, err := json.Marshal(pc.LocalDescription()) // with all candidates in it, as from a peer that does not trickle
	if err != nil {
		h.t.Error(err)
	}
	if err := h.PutSDP(h.t.Context(), change(string(text)), 0); err != nil {
		h.t.Error(err)
	}
}

var fingerprint = regexp.MustCompile(`sha-256 [0-9A-F]{2}`)

// offerToHand offers to a peer that changes its answer, and returns the error of Offer.
func offerToHand(t *testing.T, change func(sdp string) string) error {
	t.Helper()
	w := newWorld(t)
	offers := newPC(t)
	channel(t, offers)
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		hand{t, w.session("key", client.Answer)}.putAnswer(change)
	}()
	err := pionsignal.Offer(within(t, 20*time.Second), offers, w.session("key", client.Offer))
	<-answered
	return err
}

func TestDTLSFailure(t *testing.T) {
	err := offerToHand(t, func(sdp string) string {
		return fingerprint.ReplaceAllStringFunc(sdp, func(f string) string {
			if strings.HasSuffix(f, "00") {
				return "sha-256 01"
			}
			return "sha-256 00"
		})
	})
	wantError(t, err, "", pionsignal.ErrDTLS)
}

func TestAPeerThatDoesNotTrickle(t *testing.T) {
	if err := offerToHand(t, func(sdp string) string { return sdp }); err != nil {
		t.Error(err)
	}
}

func TestAnswerThatIsNone(t *testing.T) {
	for text, want := range map[string]string{
		"not JSON":                             "reading the answer",
		`{"type":"answer","sdp":"not an sdp"}`: "applying the answer",
	} {
		wantError(t, offerToHand(t, func(string) string { return text }), want)
	}
	w := newWorld(t)
	if err := w.session("key", client.Offer).PutSDP(t.Context(), `{"type":"answer","sdp":"v=0"}`, 0); err != nil {
		t.Fatal(err)
	}
	wantError(t, pionsignal.Answer(within(t, 20*time.Second), newPC(t), w.session("key", client.Answer)), "of type answer")
}

func TestAKeyInUseIsLeftAlone(t *testing.T) {
	w := newWorld(t)
	session := w.session("key", client.Offer)
	if err := session.PutSDP(t.Context(), "another's", 0); err != nil {
		t.Fatal(err)
	}
	offers := newPC(t)
	channel(t, offers)
	wantError(t, pionsignal.Offer(within(t, time.Second), offers, session), "sending the offer",
		custerrors.SdpAlreadyExist, context.DeadlineExceeded)
	if err := session.AddCandidate(t.Context(), "c"); err != nil {
		t.Errorf("got %v, want the other's session alive", err)
	}
}

// offered returns what an offerer posts before it vanishes: its offer, and a candidate that leads nowhere.
func offered(t *testing.T) client.Write {
	pc := newPC(t)
	channel(t, pc)
	offer, err := pc.CreateOffer(nil)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(offer)
	if err != nil {
		t.Fatal(err)
	}
	return client.Write{SDP: string(text), Candidates: []string{
		"not JSON", `{"candidate":"candidate:not a candidate"}`,
		`{"candidate":"candidate:1 1 udp 2130706431 127.0.0.1 9 typ host","sdpMid":"0","sdpMLineIndex":0}`,
	}}
}

func TestAnOfferIsAnsweredOnce(t *testing.T) {
	w := newWorld(t)
	if _, err := w.session("key", client.Offer).Exchange(t.Context(), offered(t), "", 0); err != nil {
		t.Fatal(err)
	}
	session := w.session("key", client.Answer)
	if err := session.PutSDP(t.Context(), "another's", 0); err != nil {
		t.Fatal(err)
	}
	wantError(t, pionsignal.Answer(within(t, 20*time.Second), newPC(t), session), "sending the answer",
		custerrors.SdpAlreadyExist)
}

// Once both descriptions are exchanged, the session's end decides nothing. It is mentioned if the connection fails.
func TestASessionThatEndsAfterTheAnswer(t *testing.T) {
	w := newWorld(t)
	offer := w.session("key", client.Offer)
	go func() {
		offer.Exchange(t.Context(), offered(t), "", 10*time.Second) // until the answer comes
		offer.End(t.Context())
	}()
	err := pionsignal.Answer(within(t, time.Second), newPC(t), w.session("key", client.Answer))
	wantError(t, err, "connecting (ICE checking, DTLS new)", context.DeadlineExceeded, custerrors.KeyIsExpired)
}

func TestAnAnswererWithACursorWaitsForTheNextOffer(t *testing.T) {
	w := newWorld(t)
	offer, answer := w.session("key", client.Offer), w.session("key", client.Answer)
	if _, err := offer.Exchange(t.Context(), offered(t), "", 0); err != nil {
		t.Fatal(err)
	}
	read, err := answer.Messages(t.Context(), "", 0)
	if err != nil {
		t.Fatal(err)
	}
	w.wire.take()
	cursor := read.Next
	answered := make(chan error, 1)
	go func() {
		answered <- pionsignal.Answer(within(t, 20*time.Second), newPC(t), answer, pionsignal.WithCursor(&cursor))
	}()
	w.wire.await(t, "GET /answer/messages") // while the old session is open
	if err := offer.End(t.Context()); err != nil {
		t.Fatal(err)
	}
	offers := newPC(t)
	channel(t, offers)
	if err := pionsignal.Offer(within(t, 20*time.Second), offers, offer); err != nil {
		t.Error(err)
	}
	if err := <-answered; err != nil {
		t.Error(err)
	}
	if cursor == read.Next || cursor == "" {
		t.Errorf("got cursor %q, want one behind the new offer", cursor)
	}
}

// The connection may stand although the last request fails.
func TestAFailedDeleteIsNoFailure(t *testing.T) {
	w := newWorld(t)
	w.wire.failWhere(func(r *http.Request) error {
		if r.Method == http.MethodDelete {
			return errors.New("network is unreachable")
		}
		return nil
	})
	offers := newPC(t)
	channel(t, offers)
	connect(t, w, "key", offers, newPC(t))
}

// Every request is carried out and its first answer lost: the handshake takes longer and ends the same.
func TestConnectThoughAnswersAreLost(t *testing.T) {
	w := newWorld(t)
	var seen sync.Map
	w.wire.failWhere(func(r *http.Request) error {
		if r.Method != http.MethodPost {
			return nil
		}
		if _, again := seen.LoadOrStore(r.Header.Get("Idempotency-Key"), true); again {
			return nil
		}
		resp, err := w.wire.next.RoundTrip(r)
		if err == nil {
			resp.Body.Close()
			err = errors.New("connection reset by peer")
		}
		return err
	})
	offers, answers := newPC(t), newPC(t)
	dc := channel(t, offers)
	echo(answers)
	connect(t, w, "key", offers, answers)
	talk(t, dc)
}

// What an option leaves out is the default, never a hang or a panic. What cannot be meant is refused.
func TestOptionsOfNothing(t *testing.T) {
	w := newWorld(t)
	offers, answers := newPC(t), newPC(t)
	channel(t, offers)
	connect(t, w, "key", offers, answers, pionsignal.WithLogger(nil), pionsignal.WithCursor(nil))

	pc := newPC(t)
	wantError(t, pionsignal.Offer(t.Context(), pc, w.session("key", client.Offer), pionsignal.WithBatchDelay(-1)), "negative")
	wantError(t, pionsignal.Offer(t.Context(), pc, w.session("key", client.Offer), pionsignal.WithSeal(nil)), "", seal.ErrNoSecret)
	wantError(t, pionsignal.Answer(t.Context(), pc, w.session("key", client.Answer), pionsignal.WithSeal(nil)), "", seal.ErrNoSecret)
	pc.Close()
	wantError(t, pionsignal.Answer(t.Context(), pc, w.session("key", client.Answer)), "", pionsignal.ErrClosed)
}

func TestRolesAreChecked(t *testing.T) {
	w := newWorld(t)
	wantError(t, pionsignal.Offer(t.Context(), newPC(t), w.session("key", client.Answer)), "cannot offer")
	wantError(t, pionsignal.Answer(t.Context(), newPC(t), w.session("key", client.Offer)), "cannot answer")
}
