package bridge

import (
	"context"
	"errors"
	"testing"

	"signal-server/client"
)

// deliverAll delivers the messages to the program by a courier.
func deliverAll(t *testing.T, f *fake, messages ...client.Message) error {
	t.Helper()
	s := newScript()
	for _, m := range messages {
		if err := s.add(m); err != nil {
			t.Fatal(err)
		}
	}
	over := make(chan struct{})
	close(over)
	return newCourier(f.address, logTo(newLines(t, "courier"))).deliver(t.Context(), s, 0, over, func(client.Message) {})
}

func TestCourierTriesAgainWhatIsRefused(t *testing.T) {
	f := newFake(t).start()
	refusals := 2
	f.refuse(func(m client.Message) int {
		if refusals > 0 {
			refusals--
			return 503
		}
		return 200
	})
	if err := deliverAll(t, f, sdp("s"), candidate("c1"), candidate("c2")); err != nil {
		t.Errorf("got %v, want no error", err)
	}
	f.want(sdp("s"), candidate("c1"), candidate("c2"))
}

func TestCourierSkipsACandidateThatIsRefused(t *testing.T) {
	f := newFake(t).start()
	f.refuse(func(m client.Message) int {
		if m.Data == "bad" {
			return 400
		}
		return 200
	})
	if err := deliverAll(t, f, sdp("s"), candidate("bad"), candidate("good")); err != nil {
		t.Errorf("got %v, want no error", err)
	}
	f.want(sdp("s"), candidate("good"))
}

func TestCourierDeliversNothingAfterAnSDPThatIsRefused(t *testing.T) {
	f := newFake(t).start()
	f.refuse(func(m client.Message) int {
		if m.Kind == client.SDP {
			return 302 // redirects are not followed
		}
		return 200
	})
	if err := deliverAll(t, f, sdp("s"), candidate("c")); !errors.Is(err, errUnwanted) {
		t.Errorf("got %v, want %v", err, errUnwanted)
	}
	f.want()
}

func TestCourierKeepsNoCandidateForTheNextProgram(t *testing.T) {
	f := newFake(t).start()
	if err := deliverAll(t, f, sdp("s")); err != nil {
		t.Fatal(err)
	}
	f.stop()
	s := newScript()
	s.add(sdp("s"))
	s.add(candidate("c"))
	err := newCourier(f.address, logTo(newLines(t, "courier"))).deliver(t.Context(), s, 1, nil, func(client.Message) {})
	if !errors.Is(err, errGone) {
		t.Errorf("got %v, want %v", err, errGone)
	}
}

func TestCourierStopsWaitingForAProgramWithItsContext(t *testing.T) {
	f := newFake(t)
	ctx, cancel := context.WithCancel(t.Context())
	log := newLines(t, "courier")
	s := newScript()
	s.add(sdp("s"))
	ended := make(chan error, 1)
	go func() { ended <- newCourier(f.address, logTo(log)).deliver(ctx, s, 0, nil, func(client.Message) {}) }()
	log.want(t, "not up yet")
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
}
