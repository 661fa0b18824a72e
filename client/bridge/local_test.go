package bridge

import (
	"bytes"
	"io"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"signal-server/client"
)

func TestLocalServerRefusesWhatIsWrong(t *testing.T) {
	for name, test := range map[string]struct {
		method, path, body string
		want               int
	}{
		"get":           {"GET", "/sdp", "", 405},
		"put":           {"PUT", "/candidate", "c", 405},
		"unknown path":  {"POST", "/other", "c", 404},
		"root":          {"GET", "/", "", 404},
		"empty":         {"POST", "/candidate", "", 400},
		"blank":         {"POST", "/sdp", " \r\n\t", 400},
		"not text":      {"POST", "/candidate", "\xff\xfe", 400},
		"over the size": {"POST", "/sdp", strings.Repeat("s", maxBody+1), 413},
	} {
		out := newOutbox()
		w := postLocally(out, test.method, test.path, test.body)
		if w.Code != test.want {
			t.Errorf("%s: got status %d, want %d", name, w.Code, test.want)
		}
		if strings.TrimSpace(w.Body.String()) == "" {
			t.Errorf("%s: got no text, want the reason", name)
		}
		if s, _ := out.current(); s.begun() || len(s.messages) > 0 {
			t.Errorf("%s: got it taken, want it refused", name)
		}
	}
}

func TestLocalServerTakesBodiesAsTheyAre(t *testing.T) {
	out := newOutbox()
	bodies := []client.Message{
		sdp(strings.Repeat("s", maxBody)),
		candidate("candidate:1 1 udp 1 192.0.2.1 9 typ host\n"), candidate(" {} "),
	}
	for _, m := range bodies {
		if got := postLocally(out, "POST", "/"+string(m.Kind), m.Data).Code; got != 200 {
			t.Errorf("%s: got status %d, want 200", m.Kind, got)
		}
	}
	s, _ := out.current()
	if got, _ := s.after(0); !slices.Equal(got, bodies) {
		t.Errorf("got other messages than were posted")
	}
}

func TestLocalServerBoundsWhatWaits(t *testing.T) {
	out := newOutbox()
	for range maxMessages {
		if got := postLocally(out, "POST", "/candidate", "c").Code; got != 200 {
			t.Fatalf("got status %d, want 200", got)
		}
	}
	if got := postLocally(out, "POST", "/candidate", "c").Code; got != 503 {
		t.Errorf("one more: got status %d, want 503", got)
	}
}

func TestLocalServerLogsNoPayload(t *testing.T) {
	const secret = "ice-pwd:secret"
	var logged bytes.Buffer
	handler := newLocalServer(newOutbox(), logTo(&logged)).Handler
	for _, path := range []string{"/sdp", "/candidate", "/" + secret} {
		handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("POST", path, strings.NewReader(secret)))
	}
	if logged.Len() == 0 || strings.Contains(logged.String(), secret) {
		t.Errorf("got log %q, want one without %q", &logged, secret)
	}
}

func postLocally(out *outbox, method, path, body string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json; charset=utf-8")
	newLocalServer(out, logTo(io.Discard)).Handler.ServeHTTP(w, r)
	return w
}
