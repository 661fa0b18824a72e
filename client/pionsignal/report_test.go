package pionsignal_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"

	"signal-server/client"
	"signal-server/client/pionsignal"
	"signal-server/custerrors"
)

// counted waits for the reports that are under way and returns what the server has counted, as "offer connected host: 1".
func (w *world) counted() (all []string) {
	w.client.Wait()
	for _, o := range w.server.Calls.Outcomes() {
		if n := o.Took.Count(); n > 0 {
			all = append(all, fmt.Sprintf("%s: %d", strings.TrimSpace(fmt.Sprint(o.Role, " ", o.Result, " ", o.CandidateType)), n))
		}
	}
	return all
}

func (w *world) wantCounted(want ...string) {
	w.t.Helper()
	if got := w.counted(); !slices.Equal(got, want) {
		w.t.Errorf("the server counted %q, want %q", got, want)
	}
}

func TestBothSidesReportThatTheyConnected(t *testing.T) {
	w := newWorld(t)
	var cursor client.Cursor
	var most time.Duration // of both reports of one side together, in whole milliseconds
	for range 2 {          // the offerer's report counts once for each session of the key
		offers, answers := newPC(t), newPC(t)
		channel(t, offers)
		began := time.Now()
		connect(t, w, "key", offers, answers, pionsignal.WithCursor(&cursor))
		most += time.Since(began) + time.Millisecond
		w.client.Wait()
		requests := w.wire.take()
		if reported, ended := slices.Index(requests, "POST /offer/outcome"), slices.Index(requests, "DELETE /session"); reported < 0 || reported > ended {
			t.Errorf("got %q, want the offerer's report before the end of the session", requests)
		}
		if !slices.Contains(requests, "POST /answer/outcome") {
			t.Errorf("got %q, want the answerer's report among them", requests)
		}
		for _, o := range w.server.Calls.Outcomes() {
			if o.Took.Sum > most {
				t.Errorf("%v: got %v, want %v at the most", o.Role, o.Took.Sum, most)
			}
		}
	}
	if got, want := w.counted()[0], "offer connected host: 2"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestReportsCanBeTurnedOff(t *testing.T) {
	w := newWorld(t)
	offers := newPC(t)
	channel(t, offers)
	connect(t, w, "key", offers, newPC(t), pionsignal.WithoutReport())
	w.wantCounted()
}

// Nobody notices a report that hangs, or a server that takes none.
func TestNobodyWaitsForAReport(t *testing.T) {
	w := newWorld(t)
	release := make(chan struct{})
	w.wire.failWhere(func(r *http.Request) error {
		if strings.HasSuffix(r.URL.Path, "/outcome") {
			<-release // even if the request's context has ended
		}
		return nil
	})
	offers := newPC(t)
	channel(t, offers)
	connect(t, w, "key", offers, newPC(t)) // or it never returns
	if got, want := w.wire.take(), "DELETE /session"; !slices.Contains(got, want) {
		t.Errorf("got %q, want %s among them", got, want)
	}
	close(release)

	w = newWorld(t)
	w.wire.failWhere(func(r *http.Request) error {
		if path := strings.TrimSuffix(r.URL.Path, "outcome"); path != r.URL.Path {
			r.URL.Path = path + "unheard-of"
		}
		return nil
	})
	offers = newPC(t)
	channel(t, offers)
	connect(t, w, "key", offers, newPC(t))
	w.wantCounted()
}

func TestFailuresAreReported(t *testing.T) {
	w := newWorld(t)
	offers := newPC(t)
	channel(t, offers)
	ctx := within(t, time.Second)
	wantError(t, pionsignal.Offer(ctx, offers, w.session("nobody comes", client.Offer)), "", context.DeadlineExceeded)
	w.wantCounted("offer failed: 1")

	soon := func(s *webrtc.SettingEngine) {
		s.SetICETimeouts(300*time.Millisecond, 300*time.Millisecond, 100*time.Millisecond)
	}
	deaf := func(s *webrtc.SettingEngine) { s.SetIPFilter(func(net.IP) bool { return false }) }
	offers = newPC(t, soon)
	channel(t, offers)
	ctx = within(t, 20*time.Second)
	answered := make(chan error, 1)
	go func() { answered <- pionsignal.Answer(ctx, newPC(t, soon, deaf), w.session("no path", client.Answer)) }()
	wantError(t, pionsignal.Offer(ctx, offers, w.session("no path", client.Offer)), "", pionsignal.ErrICE)
	wantError(t, <-answered, "", pionsignal.ErrICE)
	w.wantCounted("offer failed: 2", "answer failed: 1")
}

// A side that gives up or closes the connection reports nothing. Neither does one whose role another client has taken, because the
// server would take its report for that client's.
func TestWhatIsNoOutcomeIsNotReported(t *testing.T) {
	for name, c := range map[string]struct {
		before func(w *world)
		during func(cancel context.CancelFunc, pc *webrtc.PeerConnection)
		want   error
	}{
		"cancelled": {during: func(cancel context.CancelFunc, _ *webrtc.PeerConnection) { cancel() }, want: context.Canceled},
		"closed":    {during: func(_ context.CancelFunc, pc *webrtc.PeerConnection) { pc.Close() }, want: pionsignal.ErrClosed},
		"taken": {before: func(w *world) {
			if err := w.session("key", client.Offer).PutSDP(t.Context(), "another's", 0); err != nil {
				t.Error(err)
			}
		}, want: custerrors.SdpAlreadyExist},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			if c.before != nil {
				c.before(w)
			}
			pc := newPC(t)
			channel(t, pc)
			limit := 20 * time.Second
			if c.during == nil {
				limit = time.Second // it waits for the other's end
			}
			ctx, cancel := context.WithCancel(within(t, limit))
			defer cancel()
			done := make(chan struct{})
			go func() {
				defer close(done)
				if c.during != nil {
					w.wire.await(t, "POST /offer/messages")
					c.during(cancel, pc)
				}
			}()
			wantError(t, pionsignal.Offer(ctx, pc, w.session("key", client.Offer)), "", c.want)
			<-done
			w.client.Wait()
			if got := w.wire.take(); slices.Contains(got, "POST /offer/outcome") {
				t.Errorf("got %q, want no report", got)
			}
		})
	}
}
