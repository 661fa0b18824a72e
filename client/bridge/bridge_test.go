package bridge

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"signal-server/app/apptest"
	"signal-server/cache"
	"signal-server/client"
	"signal-server/custerrors"
	"signal-server/test/port"
)

func TestBridgesCarryEverythingInOrder(t *testing.T) {
	const key = "a-key-that-no-log-may-show"
	b := newBoth(t, startServer(t), key)
	b.offer.start()
	b.answer.answerWith("answer-secret").start()
	var fromOffer, fromAnswer []client.Message
	for i := range 40 {
		fromOffer = append(fromOffer, candidate(fmt.Sprintf("offer-secret %d", i)))
		fromAnswer = append(fromAnswer, candidate(fmt.Sprintf("answer-secret %d", i)))
	}
	b.offer.post(sdp("offer-secret"))
	b.offer.want(sdp("answer-secret"))
	b.offer.post(fromOffer...)
	b.answer.post(fromAnswer...)
	b.answer.want(append([]client.Message{sdp("offer-secret")}, fromOffer...)...)
	b.offer.want(append([]client.Message{sdp("answer-secret")}, fromAnswer...)...)
	for _, log := range []*lines{b.besideOffer.log, b.besideAnswer.log} {
		for _, secret := range []string{key, "offer-secret", "answer-secret"} {
			if got := log.count(secret); got != 0 {
				t.Errorf("%s: got %q in its log %d times, want it never", log.name, secret, got)
			}
		}
	}
}

func TestCandidatesBeforeTheSDPWaitForIt(t *testing.T) {
	b := newBoth(t, startServer(t), "k")
	b.answer.start()
	b.offer.post(candidate("c1"), candidate("c2"), sdp("offer"), candidate("c3"))
	b.answer.want(sdp("offer"), candidate("c1"), candidate("c2"), candidate("c3"))
}

func TestProgramsMayBeUpLate(t *testing.T) {
	b := newBoth(t, startServer(t), "k")
	b.answer.answerWith("answer")
	b.offer.post(sdp("offer"), candidate("c1"))
	b.besideAnswer.log.want(t, "the local program is not up yet")
	b.answer.start()
	b.answer.want(sdp("offer"), candidate("c1"))
	b.besideOffer.log.want(t, "the local program is not up yet")
	b.offer.start()
	b.offer.want(sdp("answer"))
	for _, log := range []*lines{b.besideOffer.log, b.besideAnswer.log} {
		if got := log.count("not up yet"); got != 1 {
			t.Errorf("%s: got it logged %d times that the program is not up, want once", log.name, got)
		}
	}
}

func TestServerMayBeUpLate(t *testing.T) {
	address := port.Hold(t)
	b := newBoth(t, "http://"+address, "k")
	b.offer.start()
	b.answer.answerWith("answer").start()
	b.offer.post(sdp("offer"))
	b.besideOffer.log.want(t, "the server does not serve")
	b.besideAnswer.log.want(t, "the server does not serve")
	newServer(t, listenAt(t, address))
	b.answer.want(sdp("offer"))
	b.offer.want(sdp("answer"))
}

func TestServerMayForget(t *testing.T) {
	b := forgotten(t)
	b.answer.answerWith("answer").start()
	b.answer.want(sdp("offer"), candidate("c1"))
	b.offer.want(sdp("answer"))
}

// forgotten returns two bridges whose server has forgotten their session, with an offer and a candidate in it, and that have opened it again.
// The answering program is not up yet.
func forgotten(t *testing.T, change ...func(*Config)) *both {
	t.Helper()
	address := port.Hold(t)
	server := newServer(t, listenAt(t, address))
	b := newBoth(t, server.URL, "k", change...)
	b.offer.post(sdp("offer"), candidate("c1"))
	b.besideAnswer.log.want(t, "the local program is not up yet")
	server.Stop()
	newServer(t, listenAt(t, address))
	b.besideOffer.log.want(t, "opening it again")
	b.besideAnswer.log.want(t, "going on where the last one ended")
	b.offer.start()
	return b
}

func TestAnswerThatFoundNoSessionIsSentToTheNext(t *testing.T) {
	address := port.Hold(t)
	server := newServer(t, listenAt(t, address))
	b := newBoth(t, server.URL, "k")
	b.offer.start()
	b.answer.start()
	b.offer.post(sdp("offer"))
	b.answer.want(sdp("offer"))
	server.Stop()
	b.answer.post(sdp("answer"), candidate("c1"))
	newServer(t, listenAt(t, address))
	b.offer.want(sdp("answer"), candidate("c1"))
	b.answer.want(sdp("offer")) // once
}

func TestUnansweredOfferOutlivesItsSession(t *testing.T) {
	b := newBoth(t, startServer(t, func(l *cache.Limits) { l.TTL, l.Lifetime = time.Second, time.Second }), "k")
	b.offer.post(sdp("offer"), candidate("c1"))
	b.besideOffer.log.want(t, "opening it again")
	b.besideAnswer.log.want(t, "going on where the last one ended")
	b.offer.start()
	b.answer.answerWith("answer").start()
	b.offer.want(sdp("answer"))
	b.answer.want(sdp("offer"), candidate("c1"))
}

func TestSecondSDPOpensANewSession(t *testing.T) {
	b := newBoth(t, startServer(t), "k")
	b.offer.start()
	b.answer.answerWith("answer 1").start()
	b.offer.post(sdp("offer 1"), candidate("c1"))
	b.answer.want(sdp("offer 1"), candidate("c1"))
	b.offer.want(sdp("answer 1"))

	b.answer.stop()
	b.answer.answerWith("answer 2").start()
	b.offer.stop()
	b.offer.start().post(sdp("offer 2"), candidate("c2"))
	b.answer.want(sdp("offer 2"), candidate("c2"))
	b.offer.want(sdp("answer 2"))
	b.besideOffer.log.want(t, "it was started anew: opening a new session")
	b.besideAnswer.log.want(t, "the other side's program has been started anew")
}

func TestBridgeTakesItsKeyOver(t *testing.T) {
	server := startServer(t)
	earlier := newSession(t, server, "k", client.Offer) // as a killed bridge leaves it behind
	if _, err := earlier.Exchange(t.Context(), client.Write{SDP: "offer 1"}, "", 0); err != nil {
		t.Fatal(err)
	}
	b := newBoth(t, server, "k")
	b.besideAnswer.log.want(t, "got from the other side")
	b.offer.start().post(sdp("offer 2"))
	b.besideOffer.log.want(t, "a session of an earlier start of the program is still open; ending it")
	b.besideAnswer.log.want(t, "the session has ended")
	b.answer.answerWith("answer").start()
	b.answer.want(sdp("offer 2"))
	b.offer.want(sdp("answer"))
}

func TestTwoOffersOfOneKeyDoNotFight(t *testing.T) {
	server := startServer(t)
	one := startBridge(t, server, "k", client.Offer, newFake(t).address)
	two := startBridge(t, server, "k", client.Offer, newFake(t).address)
	first, second := newFake(t), newFake(t)
	first.beside(one)
	second.beside(two)
	first.post(sdp("offer 1"))
	one.log.want(t, "opened a session")
	second.post(sdp("offer 2"))
	one.log.want(t, "another program has opened a session with this key")
	if got := two.log.count("opened a session"); got != 1 {
		t.Errorf("the second: got %d sessions opened, want 1", got)
	}
}

func TestSessionEndsWithTheOffersBridge(t *testing.T) {
	server := startServer(t)
	b := newBoth(t, server, "k")
	b.offer.start()
	b.answer.answerWith("answer").start()
	b.offer.post(sdp("offer"))
	b.offer.want(sdp("answer"))
	b.besideOffer.stop()
	b.besideAnswer.log.want(t, "the session has ended; waiting for the other side's next one")
	_, got := newSession(t, server, "k", client.Answer).Messages(t.Context(), "", 0)
	if !errors.Is(got, custerrors.KeyIsExpired) {
		t.Errorf("after the bridge's end: got %v, want %v", got, custerrors.KeyIsExpired)
	}
}

func TestProgramThatGoesBeforeItAnswersGetsEverythingAgain(t *testing.T) {
	b := newBoth(t, startServer(t), "k")
	b.offer.start()
	b.answer.start()
	b.offer.post(sdp("offer"), candidate("c1"))
	b.answer.want(sdp("offer"), candidate("c1"))
	b.answer.stop()
	b.offer.post(candidate("c2"))
	b.besideAnswer.log.want(t, "gone before it answered")
	b.answer.answerWith("answer")
	b.answer.start()
	b.answer.want(sdp("offer"), candidate("c1"), candidate("c2"))
	b.offer.want(sdp("answer"))
}

func TestSecondAnswerIsLeftOut(t *testing.T) {
	b := newBoth(t, startServer(t), "k")
	b.offer.start()
	b.answer.answerWith("answer").start()
	b.offer.post(sdp("offer"))
	b.offer.want(sdp("answer"))
	b.answer.post(sdp("another"))
	b.besideAnswer.log.want(t, "the local program wrote a second sdp")
}

func TestCandidateThatTheServerRefusesIsLeftOut(t *testing.T) {
	b := newBoth(t, startServer(t), "k")
	b.answer.start()
	b.offer.post(candidate("c1"), candidate(strings.Repeat("c", 5000)), candidate("c2"), sdp("offer"))
	b.answer.want(sdp("offer"), candidate("c1"), candidate("c2"))
	b.besideOffer.log.want(t, "the server refuses a candidate")
}

func TestSDPThatTheServerRefusesIsNotTheEnd(t *testing.T) {
	b := newBoth(t, startServer(t), "k")
	b.answer.start()
	b.offer.post(sdp(strings.Repeat("s", 65<<10)))
	b.besideOffer.log.want(t, "the server refuses the local program's sdp")
	b.offer.post(sdp("offer"))
	b.answer.want(sdp("offer"))
}

func TestRunEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	cfg := validConfig()
	cfg.Listen, cfg.Logger = "127.0.0.1:0", logTo(newLines(t, "bridge"))
	if err := Run(ctx, cfg); err != nil {
		t.Errorf("got %v, want no error", err)
	}
}

func TestRunSaysThatItCannotListen(t *testing.T) {
	l := apptest.Listen(t)
	defer l.Close()
	cfg := validConfig()
	cfg.Listen = l.Addr().String()
	if err := Run(t.Context(), cfg); err == nil || !strings.HasPrefix(err.Error(), "listen: ") {
		t.Errorf("got %v, want an error that begins with listen:", err)
	}
}

// newSession returns a session without a bridge.
func newSession(t *testing.T, server, key string, role client.Role) *client.Session {
	t.Helper()
	transport := http.DefaultTransport.(*http.Transport).Clone()
	t.Cleanup(transport.CloseIdleConnections)
	c, err := client.New(server, client.WithHTTPClient(&http.Client{Transport: transport}))
	if err != nil {
		t.Fatal(err)
	}
	s, err := c.Session(key, role)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
