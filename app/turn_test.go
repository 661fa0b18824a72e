package app

import (
	"strings"
	"testing"
)

// TestMistakesOfRelays wants each mistake to be told, and all at once.
func TestMistakesOfRelays(t *testing.T) {
	on := func(change func(*settings)) func(*settings) {
		return func(s *settings) {
			s.Turn.On = true
			change(s)
		}
	}
	for name, tt := range map[string]struct {
		change func(*settings)
		want   []string
	}{
		"nothing":        {func(*settings) {}, nil},
		"on":             {on(func(*settings) {}), nil},
		"not on":         {func(s *settings) { s.Turn.Host = "a"; s.Turn.DenyPeers = []string{"10.0.0.0/8"} }, []string{"--turn-host is of no use without --turn", "--turn-deny-peers is of no use"}},
		"no certificate": {on(func(s *settings) { s.Turn.TLSListen = []string{":5349"} }), []string{"--turn-tls-listen needs a certificate: --tls-cert or --acme-domain", "--turn-tls-listen needs --turn-host"}},
		"a name for it": {on(func(s *settings) {
			s.Turn.TLSListen, s.Turn.Host, s.Certificate.CertFile, s.Certificate.KeyFile = []string{":5349"}, "turn.example.org", "c", "k"
		}), nil},
		"nowhere":        {on(func(s *settings) { s.Turn.Listen = nil }), []string{"--turn-listen is empty"}},
		"a name":         {on(func(s *settings) { s.Turn.Listen = []string{"localhost:3478"} }), []string{`--turn-listen has "localhost:3478", must be :port or address:port`}},
		"two addresses":  {on(func(s *settings) { s.Turn.Addresses = []string{"192.0.2.1", "192.0.2.2"} }), []string{"--turn-address has two addresses of one family"}},
		"no address":     {on(func(s *settings) { s.Turn.Addresses = []string{"0.0.0.0"} }), []string{`--turn-address has "0.0.0.0"`}},
		"no network":     {on(func(s *settings) { s.Turn.AllowPeers = []string{"10.0.0.0/33", "private"} }), []string{`--turn-allow-peers has ["10.0.0.0/33"]`}},
		"no number":      {on(func(s *settings) { s.Turn.Allocations = 0 }), []string{"--turn-allocations is 0"}},
		"a small rate":   {on(func(s *settings) { s.Turn.Rate = 1 }), []string{"--turn-rate is 1B/s, must be 4KiB/s or more, or off"}},
		"no realm":       {on(func(s *settings) { s.Turn.Realm = "" }), []string{"--turn-realm"}},
		"no URI":         {on(func(s *settings) { s.Turn.URIs = []string{"http://a"} }), []string{`--turn-uris has "http://a"`}},
		"no ICE servers": {func(s *settings) { s.ICE.URIs = []string{"turn:a"}; s.ICE.TTL = 1 }, []string{"--ice-servers has a TURN server, which needs --ice-secret-file, or --ice-user and --ice-password-file", "--ice-ttl is 1ns, must be 1m0s to 24h0m0s"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := mistakes(t, tt.change)
			if tt.want == nil && got != "" || strings.Count(got, "\n")+1 != max(len(tt.want), 1) {
				t.Errorf("got %s, want %q", got, tt.want)
			}
			for _, want := range tt.want {
				if !strings.Contains(got, want) {
					t.Errorf("got %s, want %q", got, want)
				}
			}
		})
	}
}
