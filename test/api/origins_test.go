package api_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"signal-server/custerrors"
)

const listed = "https://app.example"

func allowing(origins ...string) func(*options) {
	return func(o *options) { o.config.Gate.AllowOrigins = origins }
}

func TestOrigins(t *testing.T) {
	s := serve(t, allowing("http://other.example:8080", listed), func(o *options) { o.config.Gate.OwnNames = []string{"signal.example"} })
	tests := []struct {
		origin, host string
		admitted     bool
		names        string // in Access-Control-Allow-Origin
	}{
		{origin: "", admitted: true},
		{origin: listed, admitted: true, names: listed},
		{origin: "http://other.example:8080", admitted: true, names: "http://other.example:8080"},
		{origin: "http://signal.example", host: "signal.example", admitted: true}, // its own page, for which there is nothing to allow
		{origin: "https://signal.example:8443", host: "backend", admitted: true},
		{origin: "http://localhost:8080", host: "localhost:8080", admitted: true},
		{origin: "http://127.0.0.1:8080", host: "127.0.0.1:8080", admitted: true},
		{origin: "http://localhost:3000", host: "localhost:8080"},
		{origin: "http://evil.example:8080", host: "evil.example:8080"}, // DNS rebinding
		{origin: "http://app.example"},
		{origin: "https://app.example:8443"},
		{origin: "https://app.example.evil.example"},
		{origin: "https://evil.example"},
		{origin: "HTTPS://APP.EXAMPLE"},
		{origin: "null"},
		{origin: "*"},
		{origin: " "},
	}
	for _, tt := range tests {
		for _, line := range []string{"GET /answer/sdp", "GET /healthz", "GET /client/signal.js", "GET /nowhere", "OPTIONS /offer/sdp"} {
			header := [][2]string{{"Origin", tt.origin}}
			if tt.origin == "" {
				header = nil
			}
			a, err := s.try(t.Context(), request{line: line, key: "k", header: header, host: tt.host})
			what := fmt.Sprintf("%s from %q", line, tt.origin)
			if err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			if refused := a.status == 403; refused == tt.admitted {
				t.Errorf("%s: got status %d, want 403: %t", what, a.status, !tt.admitted)
			}
			if got := a.header.Values("Access-Control-Allow-Origin"); strings.Join(got, ";") != tt.names {
				t.Errorf("%s: Access-Control-Allow-Origin: got %q, want %q", what, got, tt.names)
			}
			if got := a.header.Get("Vary"); got != "Origin" {
				t.Errorf("%s: Vary: got %q, want Origin", what, got)
			}
			if !tt.admitted && !strings.Contains(a.body, string(custerrors.NotAllowed)) {
				t.Errorf("%s: got %s, want %s", what, a.body, custerrors.NotAllowed)
			}
		}
	}
}

// TestOriginsOfWaiting asks for answers that the server writes when the request's memory is gone.
func TestOriginsOfWaiting(t *testing.T) {
	for _, tt := range []struct{ allow, origin, want string }{
		{listed, listed, listed},
		{listed, "", ""},
		{"*", listed, "*"},
	} {
		s := serve(t, allowing(tt.allow))
		for _, path := range []string{"/answer/sdp?wait=0.2&key=k", "/answer/events?key=k"} {
			header := ""
			if tt.origin != "" {
				header = "Origin: " + tt.origin + "\r\n"
			}
			conn, err := net.Dial("tcp", s.addr)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			conn.SetDeadline(time.Now().Add(10 * time.Second))
			fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: x\r\n%s\r\n", path, header)
			response, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatalf("%s: %v", path, err)
			}
			if got := response.Header.Get("Access-Control-Allow-Origin"); got != tt.want {
				t.Errorf("%s from %q, %s allowed: got %q, want %q", path, tt.origin, tt.allow, got, tt.want)
			}
			conn.Close()
		}
	}
}

// TestImagesOfOtherPages asks as browsers do for what pages show. With a list, the API answers no page of another site that names no origin;
// pages, static files and links to them are for everybody.
func TestImagesOfOtherPages(t *testing.T) {
	const no = custerrors.NotAllowed
	for _, allow := range []string{"*", listed} {
		s := serve(t, allowing(allow))
		s.ask(t, "", "POST /offer/sdp", "k", open("o"))
		for _, row := range []struct {
			what, site, mode, origin string
			any, list                custerrors.Error // what the API says
		}{
			{"a program", "", "", "", "", ""},
			{"the person at the browser", "none", "navigate", "", "", ""},
			{"an own page", "same-origin", "cors", "", "", ""},
			{"a page of a listed origin", "cross-site", "cors", listed, "", ""},
			{"a page of a listed origin, over EventSource", "same-site", "cors", listed, "", ""},
			{"a link of another page", "cross-site", "navigate", "", "", no},
			{"an image of another page", "cross-site", "no-cors", "", no, no},
			{"an image of a neighbour", "same-site", "no-cors", "", no, no},
			{"an image of an own page", "same-origin", "no-cors", "", no, no},
			{"an image of a listed page", "cross-site", "no-cors", listed, no, no},
		} {
			var header [][2]string
			for _, h := range [][2]string{{"Sec-Fetch-Site", row.site}, {"Sec-Fetch-Mode", row.mode}, {"Origin", row.origin}} {
				if h[1] != "" {
					header = append(header, h)
				}
			}
			want := row.any
			if allow == listed {
				want = row.list
			}
			for _, line := range []string{"GET /answer/messages?key=k", "GET /answer/messages?key=k&wait=1"} {
				if a, err := s.try(t.Context(), request{line: line, header: header}); err != nil || a.msg != want || (want == no) != (a.status == 403) {
					t.Errorf("%s, %s, %s allowed: got %d %q, %v, want %q", line, row.what, allow, a.status, a.msg, err, want)
				}
			}
			for _, line := range []string{"GET /client/signal.js", "GET /swagger/index.html", "GET /"} {
				if a, err := s.try(t.Context(), request{line: line, header: header}); err != nil || a.status != 200 {
					t.Errorf("%s, %s, %s allowed: got %d, %v, want 200", line, row.what, allow, a.status, err)
				}
			}
		}
	}
}

// TestBeacons posts as navigator.sendBeacon does, without waiting to be allowed to read the answer.
func TestBeacons(t *testing.T) {
	for _, allow := range []string{"*", listed} {
		s := serve(t, allowing(allow))
		s.ask(t, "", "POST /offer/sdp", "k", open("o"))
		got := s.ask(t, "", "POST /offer/outcome?key=k", "k", connected,
			[2]string{"Origin", listed}, [2]string{"Sec-Fetch-Site", "cross-site"}, [2]string{"Sec-Fetch-Mode", "no-cors"})
		if got != "" {
			t.Errorf("%s allowed: got %q, want it taken", allow, got)
		}
	}
}
