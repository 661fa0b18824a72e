package app

import (
	"bytes"
	"log/slog"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"

	"signal-server/app/flag"
	"signal-server/app/link"
)

// addressed is a listener that has an address, and nothing else.
type addressed struct {
	net.Listener
	addr net.Addr
}

func (a addressed) Addr() net.Addr { return a.addr }

func TestServersForStrangers(t *testing.T) {
	secret := write(t, strings.Repeat("x", 32), 0o600)
	everywhere := &net.TCPAddr{IP: net.IPv6unspecified, Port: 8080}
	for _, tt := range []struct {
		args []string
		at   net.Addr
		warn bool
	}{
		{nil, everywhere, true},
		{nil, &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 80}, true},
		{nil, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80}, false},
		{nil, &net.TCPAddr{IP: net.IPv6loopback, Port: 80}, false},
		{nil, &net.UnixAddr{Net: "unix", Name: "/run/signal"}, false},
		{[]string{"--rate-requests=50/s"}, everywhere, false},
		{[]string{"--max-client-waits=3"}, everywhere, false},
		{[]string{"--auth-jwt-secret-file=" + secret}, everywhere, false},
	} {
		s, flags := read(t, tt.args...)
		var log bytes.Buffer
		logger := slog.New(slog.NewJSONHandler(&log, nil))
		var wrong flag.Mistakes
		p := s.open(t.Context(), logger, &wrong, flag.NamesOf(flags))
		defer p.guard.Close()
		if len(wrong) > 0 {
			t.Fatalf("%v: got %v, want it to be taken", tt.args, wrong)
		}
		log.Reset()
		s.warnOfStrangers(logger, p, addressed{addr: tt.at})
		if got := log.String(); (got != "") != tt.warn || tt.warn && (strings.Count(got, "\n") != 1 || !strings.Contains(got, "--rate-requests") || !strings.Contains(got, `"address":"`+tt.at.String()+`"`)) {
			t.Errorf("%v at %v: got %q, want a line with that address: %v", tt.args, tt.at, got, tt.warn)
		}
	}
}

func TestRelaysForStrangers(t *testing.T) {
	secret := write(t, strings.Repeat("x", 32), 0o600)
	const private, open = "private address only", "anybody who reaches GET /ice"
	const name, descriptors = "by which clients reach TURN over TLS", "the descriptors that connections need"
	secure := func(more ...string) []string {
		return append(more, "--turn", "--turn-address=8.8.8.8", "--turn-listen=", "--turn-tls-listen=127.0.0.1:0", "--auth-jwt-secret-file="+secret,
			"--acme-domain=turn.example.org", "--acme-cache="+t.TempDir())
	}
	for _, tt := range []struct {
		args []string
		want []string
	}{
		{nil, nil},
		{[]string{"--turn", "--turn-listen=127.0.0.1:0"}, []string{private, open}},
		{[]string{"--turn", "--turn-listen=127.0.0.1:0", "--turn-address=127.0.0.1"}, []string{open}},
		{[]string{"--turn", "--turn-listen=127.0.0.1:0", "--turn-address=8.8.8.8", "--allow-origins=https://example.org"}, nil},
		{[]string{"--turn", "--turn-listen=127.0.0.1:0", "--auth-jwt-secret-file=" + secret}, []string{private}},
		{secure(), nil},
		{secure("--turn-host=Turn.example.org"), nil},
		{secure("--turn-host=relay.example.org"), []string{name}},
		{secure("--turn-host=relay.example.org", "--turn-uris=turns:relay.example.org"), nil},
		{secure("--turn-allocations=" + strconv.Itoa(link.Descriptors())), []string{descriptors}},
	} {
		s, flags := read(t, tt.args...)
		var log bytes.Buffer
		logger := slog.New(slog.NewJSONHandler(&log, nil))
		var wrong flag.Mistakes
		p := s.open(t.Context(), logger, &wrong, flag.NamesOf(flags))
		defer p.guard.Close()
		relay, err := s.openTurn(p, logger)
		if err != nil || len(wrong) > 0 {
			t.Fatalf("%v: got %v, %v, want it to be taken", tt.args, wrong, err)
		}
		if relay != nil {
			defer relay.Close()
		}
		log.Reset()
		s.warnOfRelays(logger, p, relay)
		got := log.String()
		if strings.Count(got, "\n") != len(tt.want) {
			t.Errorf("%v: got %q, want %q", tt.args, got, tt.want)
		}
		for _, want := range tt.want {
			if !strings.Contains(got, want) {
				t.Errorf("%v: got %q, want %q", tt.args, got, want)
			}
		}
	}
}

func TestFilesThatOthersMayChange(t *testing.T) {
	for _, tt := range []struct {
		setting string
		mode    os.FileMode
		want    string // "": silence
	}{
		{"store-file", 0o600, ""},
		{"store-file", 0o440, ""},
		{"store-file", 0o644, "a secret can be read"},
		{"store-file", 0o666, "a secret can be read"},
		{"store-file", 0o620, "a secret can be read"},
		{"tls-key", 0o604, "a secret can be read"},
		{"tls-resumption-secret-file", 0o604, "a secret can be read"},
		{"auth-jwt-secret-file", 0o604, "a secret can be read"},
		{"role-tickets-secret-file", 0o604, "a secret can be read"},
		{"access-log-salt-file", 0o604, "a secret can be read"},
		{"auth-tokens-file", 0o644, ""}, // it holds hashes of random tokens
		{"auth-tokens-file", 0o664, "can be changed by others"},
		{"auth-jwks-file", 0o646, "can be changed by others"},
		{"tls-cert", 0o644, ""},
		{"env-file", 0o644, ""},
		{"env-file", 0o664, "can be changed by others"},
	} {
		path := write(t, "# x", tt.mode)
		_, flags := read(t, "--"+tt.setting+"="+path)
		var log bytes.Buffer
		warnOfModes(slog.New(slog.NewTextHandler(&log, nil)), flags)
		if got := log.String(); (got != "") != (tt.want != "") || !strings.Contains(got, tt.want) ||
			tt.want != "" && (!strings.Contains(got, "setting=--"+tt.setting) || !strings.Contains(got, path)) {
			t.Errorf("--%s of mode %o: got %q, want %q", tt.setting, tt.mode, got, tt.want)
		}
	}
	_, flags := read(t, "--store-file=/dev/null", "--tls-key=/nowhere")
	var log bytes.Buffer
	if warnOfModes(slog.New(slog.NewTextHandler(&log, nil)), flags); log.Len() > 0 {
		t.Errorf("got %s, want silence of what is no file", log.String())
	}
}
