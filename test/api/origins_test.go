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
	s := serve(t, allowing("http://other.example:8080", listed))
	tests := []struct {
		origin, host string
		admitted     bool
		names        string // in Access-Control-Allow-Origin
	}{
		{origin: "", admitted: true},
		{origin: listed, admitted: true, names: listed},
		{origin: "http://other.example:8080", admitted: true, names: "http://other.example:8080"},
		{origin: "http://signal.example", host: "signal.example", admitted: true}, // its own page, for which there is nothing to allow
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
