package bridge

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"signal-server/client"
	"signal-server/custerrors"
)

// newLine returns an offerer's line to a server that answers as handler does. Its client repeats nothing by itself.
func newLine(t *testing.T, handler http.HandlerFunc) (*line, *lines) {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	c, err := client.New(server.URL, client.WithHTTPClient(server.Client()), client.WithRetry(client.NoRetry))
	if err != nil {
		t.Fatal(err)
	}
	session, err := c.Session("k", client.Offer)
	if err != nil {
		t.Fatal(err)
	}
	log := newLines(t, "line")
	return &line{session: session, log: logTo(log), giveUp: func(err error) { t.Errorf("got %v, want the bridge to go on", err) }}, log
}

func TestLineTellsItsOwnEarlierWriteFromAnother(t *testing.T) {
	for _, test := range []struct {
		failures int
		want     error
	}{
		{0, custerrors.SdpAlreadyExist},
		{2, errPerhapsWritten},
	} {
		failures := test.failures
		l, log := newLine(t, func(w http.ResponseWriter, r *http.Request) {
			if failures > 0 {
				failures--
				w.WriteHeader(http.StatusBadGateway)
				return
			}
			io.WriteString(w, `{"msg":"`+string(custerrors.SdpAlreadyExist)+`","data":null}`)
		})
		if _, err := l.post(t.Context(), []client.Message{sdp("s")}, ""); !errors.Is(err, test.want) {
			t.Errorf("after %d failures: got %v, want %v", test.failures, err, test.want)
		}
		if got, want := log.count("the server does not serve"), min(test.failures, 1); got != want {
			t.Errorf("after %d failures: got %d warnings, want %d", test.failures, got, want)
		}
	}
}

func TestLineSaysWhenTheSessionIsOver(t *testing.T) {
	for _, msg := range []custerrors.Error{custerrors.KeyIsExpired, custerrors.KeyNotFound, custerrors.CursorIsInvalid} {
		l, _ := newLine(t, func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(msg.Status())
			io.WriteString(w, `{"msg":"`+string(msg)+`","data":null}`)
		})
		if _, err := l.read(t.Context(), ""); !errors.Is(err, msg) || !isOver(err) {
			t.Errorf("got %v, want %v, and that it is over", err, msg)
		}
	}
}

func TestAnswerThatComesWithTheOpeningIsDelivered(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body) // so that the context ends when the client leaves
		switch r.Method {
		case http.MethodPost:
			io.WriteString(w, `{"msg":"","data":{"next":"1","messages":[{"type":"sdp","data":"answer"}]}}`)
		case http.MethodGet:
			if got := r.URL.Query().Get("after"); got != "1" {
				t.Errorf("after: got %q, want %q", got, "1")
			}
			<-r.Context().Done()
		default:
			io.WriteString(w, `{"msg":"","data":null}`)
		}
	}))
	t.Cleanup(server.Close)
	f := newFake(t).start()
	f.beside(startBridge(t, server.URL, "k", client.Offer, f.address))
	f.post(sdp("offer"))
	f.want(sdp("answer"))
}
