package bridge

import (
	"io"
	"net/http"
	"testing"

	"signal-server/client"
	"signal-server/custerrors"
)

// When a bridge is killed, the ticket of its session is lost: the next bridge cannot end that session, and waits until it ends.
func TestASessionWhoseTicketIsLostIsWaitedOut(t *testing.T) {
	opens, shown := 0, ""
	l, log := newLine(t, func(w http.ResponseWriter, r *http.Request) {
		shown = r.Header.Get("X-Offer-Ticket")
		switch {
		case r.Method == http.MethodDelete && shown == "":
			w.WriteHeader(http.StatusForbidden)
			io.WriteString(w, `{"msg":"`+string(custerrors.NotAllowed)+`","data":null}`)
		case r.Method == http.MethodPost && opens == 0:
			opens++
			io.WriteString(w, `{"msg":"`+string(custerrors.SdpAlreadyExist)+`","data":null}`)
		default:
			opens++
			w.Header().Set("X-Offer-Ticket", "t")
			io.WriteString(w, `{"msg":"","data":{"next":"1","messages":[]}}`)
		}
	})
	b := &bridge{line: l, log: logTo(log)}
	s := newScript()
	if err := s.add(sdp("offer")); err != nil {
		t.Fatal(err)
	}
	_, batch, err := b.open(t.Context(), s, 1)
	if err != nil || batch.Next != client.Cursor("1") || opens != 2 {
		t.Errorf("got %+v, %v after %d attempts, want the session opened by the second", batch, err, opens)
	}
	if got := log.count("waiting until it has expired"); got != 1 {
		t.Errorf("got %d warnings, want 1", got)
	}
	if err := b.line.end(t.Context()); err != nil || shown != "t" {
		t.Errorf("got %v with ticket %q, want the session ended with the ticket that came", err, shown)
	}
}

// An answerer that may not read, because another client has answered the session or its token is for another key, says so once and goes on.
func TestAnAnswererThatMayNotReadSaysSo(t *testing.T) {
	asked := make(chan struct{}, 2)
	l, log := newLine(t, func(w http.ResponseWriter, r *http.Request) {
		select {
		case asked <- struct{}{}:
			w.WriteHeader(http.StatusForbidden)
			io.WriteString(w, `{"msg":"`+string(custerrors.NotAllowed)+`","data":null}`)
		default:
			io.WriteString(w, `{"msg":"","data":{"next":"1","messages":[{"type":"sdp","data":"offer"}]}}`)
		}
	})
	b := &bridge{line: l, log: logTo(log)}
	batch, err := b.await(t.Context())
	if err != nil || len(batch.Messages) != 1 || len(asked) != 2 {
		t.Errorf("got %+v, %v after %d refusals, want the offer after 2", batch, err, len(asked))
	}
	if got := log.count("does not let this side read yet"); got != 1 {
		t.Errorf("got it logged %d times, want once", got)
	}
}
