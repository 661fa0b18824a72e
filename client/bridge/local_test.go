package bridge

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"signal-server/client"
)

// here is where the bridge of these tests listens.
const here = "localhost:50000"

// TestLocalServerRefusesPages posts an sdp as browsers do for pages, and as programs do.
func TestLocalServerRefusesPages(t *testing.T) {
	lan := &net.TCPAddr{IP: net.ParseIP("192.168.1.5"), Port: 50000}
	type header = map[string]string
	for name, test := range map[string]struct {
		listen, host string
		local        *net.TCPAddr // where the connection came to
		header       header
		taken        bool
	}{
		"a program":                         {here, "localhost:50000", nil, nil, true},
		"a program, by capitals":            {here, "LocalHost:50000", nil, nil, true},
		"a program, by address":             {here, "127.0.0.1:50000", nil, nil, true},
		"a program, by another address":     {here, "127.8.8.8:50000", nil, nil, true},
		"a program, by IPv6":                {here, "[::1]:50000", nil, nil, true},
		"a program, without a port":         {here, "localhost", nil, nil, true},
		"the address bar, or a tool":        {here, "localhost:50000", nil, header{"Sec-Fetch-Site": "none"}, true},
		"a page that the bridge could have": {here, "localhost:50000", nil, header{"Sec-Fetch-Site": "same-origin"}, true},
		"a page":                            {here, "localhost:50000", nil, header{"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}, false},
		"a page of an old browser":          {here, "localhost:50000", nil, header{"Origin": "https://evil.example"}, false},
		"a sandboxed page":                  {here, "localhost:50000", nil, header{"Origin": "null"}, false},
		"a page on another local port":      {here, "localhost:50000", nil, header{"Origin": "http://localhost:3000", "Sec-Fetch-Site": "same-site"}, false},
		"a page without an origin":          {here, "localhost:50000", nil, header{"Sec-Fetch-Site": "cross-site"}, false},
		"a page by DNS rebinding":           {here, "evil.example:50000", nil, nil, false},
		"a page of localhost.evil.example":  {here, "localhost.evil.example:50000", nil, nil, false},
		"a program that names no host":      {here, "", nil, nil, false},
		"an address of another machine":     {here, "192.168.1.6:50000", lan, nil, false},
		"the host that it listens on":       {"box.lan:50000", "box.lan:50000", lan, nil, true},
		"the address that it listens on":    {"192.168.1.5:50000", "192.168.1.5:50000", nil, nil, true},
		"everywhere, by this address":       {":50000", "192.168.1.5:50000", lan, nil, true},
		"everywhere, by another address":    {":50000", "192.168.1.6:50000", lan, nil, false},
		"everywhere, by a name":             {":50000", "evil.example:50000", lan, nil, false},
		"everywhere, without a host":        {":50000", ":50000", lan, nil, false},
	} {
		out := newOutbox()
		w := httptest.NewRecorder()
		r := httptest.NewRequest("POST", "/sdp", strings.NewReader("v=0"))
		r.Host = test.host
		for name, value := range test.header {
			r.Header.Set(name, value)
		}
		if test.local != nil {
			r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, test.local))
		}
		newLocalServer(out, test.listen, logTo(io.Discard)).Handler.ServeHTTP(w, r)
		s, _ := out.current()
		if got := s.begun(); got != test.taken || (w.Code == 200) != test.taken {
			t.Errorf("%s: got %d %q, taken %v, want it taken: %v", name, w.Code, w.Body, got, test.taken)
		}
		if !test.taken && (w.Code != 403 || strings.TrimSpace(w.Body.String()) == "") {
			t.Errorf("%s: got %d %q, want 403 and the reason", name, w.Code, w.Body)
		}
	}
}

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
	handler := newLocalServer(newOutbox(), here, logTo(&logged)).Handler
	for _, path := range []string{"/sdp", "/candidate", "/" + secret} {
		for _, host := range []string{here, secret} {
			r := httptest.NewRequest("POST", path, strings.NewReader(secret))
			r.Host = host
			handler.ServeHTTP(httptest.NewRecorder(), r)
		}
	}
	if logged.Len() == 0 || strings.Contains(logged.String(), secret) {
		t.Errorf("got log %q, want one without %q", &logged, secret)
	}
}

func postLocally(out *outbox, method, path, body string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	r := httptest.NewRequest(method, "http://"+here+path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json; charset=utf-8")
	newLocalServer(out, here, logTo(io.Discard)).Handler.ServeHTTP(w, r)
	return w
}
