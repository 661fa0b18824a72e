package pionsignal_test

import (
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"

	"signal-server/app/apptest"
	"signal-server/app/gate/ticket"
	"signal-server/client"
	"signal-server/client/pionsignal"
)

// connect lets both sides connect at the same time.
func connect(t *testing.T, w *world, key string, offers, answers *webrtc.PeerConnection, opts ...pionsignal.Option) {
	t.Helper()
	connectAfter(t, w, key, "", "", offers, answers, opts...)
}

// connectAfter lets both sides connect, each after the other has sent a request that begins with the given text.
func connectAfter(t *testing.T, w *world, key, offerAfter, answerAfter string, offers, answers *webrtc.PeerConnection,
	opts ...pionsignal.Option,
) {
	t.Helper()
	ctx := within(t, 30*time.Second)
	answered := make(chan error, 1)
	go func() {
		if answerAfter != "" {
			w.wire.await(t, answerAfter)
		}
		answered <- pionsignal.Answer(ctx, answers, w.session(key, client.Answer), opts...)
	}()
	if offerAfter != "" {
		w.wire.await(t, offerAfter)
	}
	if err := pionsignal.Offer(ctx, offers, w.session(key, client.Offer), opts...); err != nil {
		t.Errorf("offer: %v", err)
	}
	if err := <-answered; err != nil {
		t.Errorf("answer: %v", err)
	}
	for _, pc := range []*webrtc.PeerConnection{offers, answers} {
		if got, want := pc.ConnectionState(), webrtc.PeerConnectionStateConnected; got != want {
			t.Errorf("got state %v, want %v", got, want)
		}
	}
}

func TestConnectInFourRequestsAndTwoReports(t *testing.T) {
	for _, c := range []struct{ name, offerAfter, answerAfter string }{
		{"answerer first", "GET /answer/messages", ""},
		{"offerer first", "", "POST /offer/messages"},
		{"together", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			offers, answers := newPC(t), newPC(t)
			dc := channel(t, offers)
			echo(answers)
			begin := time.Now()
			connectAfter(t, w, "key", c.offerAfter, c.answerAfter, offers, answers, pionsignal.WithBatchDelay(5*time.Second))
			took := time.Since(begin)
			talk(t, dc)

			w.client.Wait()
			got := w.wire.take()
			t.Logf("%d requests, %v: %s", len(got), took.Round(time.Millisecond), strings.Join(got, ", "))
			want := []string{
				"DELETE /session", "GET /answer/messages?wait", "GET /ice", // of the two, which are one process
				"POST /answer/messages", "POST /answer/outcome",
				"POST /offer/messages?wait", "POST /offer/outcome",
			}
			slices.Sort(got)
			if !slices.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

// Without a batch delay every candidate goes by itself, and then the end of candidates. Still all arrive, in order.
func TestConnectByTrickle(t *testing.T) {
	w := newWorld(t)
	offers, answers := newPC(t), newPC(t)
	dc := channel(t, offers)
	echo(answers)
	connect(t, w, "key", offers, answers, pionsignal.WithBatchDelay(0))
	talk(t, dc)
	t.Logf("requests: %s", strings.Join(w.wire.take(), ", "))
}

// If a STUN server does not answer, gathering takes 5 s. Nobody waits for that, and the key is free again at once.
func TestConnectWhileGathering(t *testing.T) {
	silent, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	config := webrtc.Configuration{ICEServers: []webrtc.ICEServer{{URLs: []string{"stun:" + silent.LocalAddr().String()}}}}
	w := newWorld(t)
	var cursor client.Cursor
	for range 2 {
		offers, answers := newPCWith(t, config), newPCWith(t, config)
		dc := channel(t, offers)
		echo(answers)
		begin := time.Now()
		connect(t, w, "key", offers, answers, pionsignal.WithCursor(&cursor))
		if got, most := time.Since(begin), 4*time.Second; got > most {
			t.Errorf("connected after %v, want %v at most", got, most)
		}
		talk(t, dc)
		t.Logf("requests: %s", strings.Join(w.wire.take(), ", "))
	}
}

// One key serves one handshake after the other at once.
func TestConnectAgainWithTheSameKey(t *testing.T) {
	w := newWorld(t)
	var cursor client.Cursor
	for range 3 {
		offers, answers := newPC(t), newPC(t)
		dc := channel(t, offers)
		echo(answers)
		connect(t, w, "key", offers, answers, pionsignal.WithCursor(&cursor))
		talk(t, dc)
	}
}

// That works with role tickets too, whether candidates go together or trickle.
func TestConnectWithTickets(t *testing.T) {
	w := newWorld(t, func(c *apptest.Config) { c.Tickets = ticket.New() })
	var cursor client.Cursor
	for _, delay := range []time.Duration{5 * time.Second, 0} {
		offers, answers := newPC(t), newPC(t)
		dc := channel(t, offers)
		echo(answers)
		connect(t, w, "key", offers, answers, pionsignal.WithCursor(&cursor), pionsignal.WithBatchDelay(delay))
		talk(t, dc)
	}
	w.wantCounted("offer connected host: 2", "answer connected host: 2")
}

// An answerer that answers one offer after the other need not keep its Session, which has the ticket: it waits while the session before
// is still open.
func TestAnswerersWithoutTheTicketWait(t *testing.T) {
	w := newWorld(t, func(c *apptest.Config) { c.Tickets = ticket.New() })
	var cursor client.Cursor
	for range 6 { // connect makes new Sessions, and Answer has often returned before the session has ended
		offers, answers := newPC(t), newPC(t)
		channel(t, offers)
		connect(t, w, "key", offers, answers, pionsignal.WithCursor(&cursor))
	}
	w.client.Wait()
	offer, before := w.session("key", client.Offer), w.session("key", client.Answer)
	if err := offer.PutSDP(t.Context(), "of the session before", 0); err != nil {
		t.Fatal(err)
	}
	if err := before.PutSDP(t.Context(), "its answer", 0); err != nil {
		t.Fatal(err)
	}
	w.wire.take()
	answered := make(chan error, 1)
	ctx := within(t, 20*time.Second)
	go func() {
		answered <- pionsignal.Answer(ctx, newPC(t), w.session("key", client.Answer), pionsignal.WithCursor(&cursor))
	}()
	w.wire.await(t, "POST /answer/messages") // it has been refused, and asks why
	if err := offer.End(t.Context()); err != nil {
		t.Fatal(err)
	}
	offers := newPC(t)
	channel(t, offers)
	if err := pionsignal.Offer(ctx, offers, w.session("key", client.Offer)); err != nil {
		t.Error(err)
	}
	if err := <-answered; err != nil {
		t.Error(err)
	}
}

// The callbacks that a program has set on its PeerConnection still work.
func TestTheCallersHandlersStay(t *testing.T) {
	w := newWorld(t)
	offers, answers := newPC(t), newPC(t)
	channel(t, offers)
	connected := make(chan struct{}, 2)
	for _, pc := range []*webrtc.PeerConnection{offers, answers} {
		pc.OnConnectionStateChange(func(s webrtc.PeerConnectionState) {
			if s == webrtc.PeerConnectionStateConnected {
				connected <- struct{}{}
			}
		})
	}
	connect(t, w, "key", offers, answers)
	for range 2 {
		select {
		case <-connected:
		case <-time.After(10 * time.Second):
			t.Fatal("OnConnectionStateChange was not called")
		}
	}
}

// DefaultBatchDelay was chosen by the time that host candidates take.
func BenchmarkGathering(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		pc := newPC(b)
		if _, err := pc.CreateDataChannel("data", nil); err != nil {
			b.Fatal(err)
		}
		offer, err := pc.CreateOffer(nil)
		if err != nil {
			b.Fatal(err)
		}
		gathered := webrtc.GatheringCompletePromise(pc)
		b.StartTimer()
		if err := pc.SetLocalDescription(offer); err != nil {
			b.Fatal(err)
		}
		<-gathered
	}
}
