package nat_test

import (
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/pion/stun/v4"

	"signal-server/app/iceserver"
)

// TestFamiliesThatAreListenedAt has a server listen at all addresses of the machine, of one family or of both. It answers at these alone, over UDP and TCP, and
// tells clients of these families alone.
func TestFamiliesThatAreListenedAt(t *testing.T) {
	t.Parallel()
	const relays, relays6 = "9.9.8.1", "2600:8::1"
	v4, v6 := []string{relays, "9.9.7.1"}, []string{relays6, "2600:7::1"}
	both := slices.Concat(v4, v6)
	for listen, tt := range map[string]struct{ at, told []string }{
		":3478":                             {both, []string{relays, relays6}},
		"[::]:3478":                         {both, []string{relays, relays6}},
		"0.0.0.0:3478":                      {v4, []string{relays}},
		"[" + relays6 + "]:3478":            {v6[:1], []string{relays6}},
		"0.0.0.0:3478,[" + v6[1] + "]:3478": {append(v4[:2:2], v6[1]), []string{relays, relays6}},
	} {
		t.Run(listen, func(t *testing.T) {
			t.Parallel()
			at, outside := newRoom(t), newRoom(t)
			cable(t, at, "net", relays+"/24", outside, "net", "9.9.8.2/24")
			at.ip(t, "address add "+relays6+"/64 dev net nodad", "address add "+v4[1]+"/24 dev net", "address add "+v6[1]+"/64 dev net nodad")
			outside.ip(t, "address add 2600:8::2/64 dev net nodad", "route add "+v4[1]+" via "+relays, "route add "+v6[1]+" via "+relays6)
			s := serve(t, at, "--turn", "--turn-listen="+listen, "--turn-address="+relays+","+relays6)
			for _, address := range both {
				want, server := slices.Contains(tt.at, address), net.JoinHostPort(address, "3478")
				if code, _ := newRaw(t, outside, server, iceserver.Credential{}).Ask(stun.MethodBinding); (code == 0) != want {
					t.Errorf("%s over UDP: got %d, want an answer: %v", address, code, want)
				}
				conn, err := outside.dialContext(t.Context(), "tcp", server)
				if (err == nil) != want {
					t.Errorf("%s over TCP: got %v, want a connection: %v", address, err, want)
				}
				if err == nil {
					conn.Close()
				}
			}
			if got := s.hosts(t); !slices.Equal(got, tt.told) {
				t.Errorf("GET /ice tells of %v, want %v", got, tt.told)
			}
		})
	}
}

// TestAnAddressOfTwoInterfaces has two interfaces have the same address, as those of PPP do at a server of many lines. The server listens there once.
func TestAnAddressOfTwoInterfaces(t *testing.T) {
	t.Parallel()
	const both = "9.9.8.1"
	at, outside, other := newRoom(t), newRoom(t), newRoom(t)
	cable(t, at, "one", both+"/24", outside, "net", "9.9.8.2/24")
	cable(t, at, "two", both+"/32", other, "net", "9.9.7.2/24")
	s := serve(t, at, "--turn")
	if code, _ := newRaw(t, outside, net.JoinHostPort(both, "3478"), iceserver.Credential{}).Ask(stun.MethodBinding); code != 0 {
		t.Errorf("%s: got %d, want an answer", both, code)
	}
	if got := s.hosts(t); !slices.Equal(got, []string{both}) {
		t.Errorf("GET /ice tells of %v, want %s", got, both)
	}
}

// hosts returns which hosts clients are told of, each once, in order.
func (s *server) hosts(t testing.TB) (all []string) {
	t.Helper()
	_, answer := s.ice(t)
	for _, one := range answer.Data.ICEServers {
		for _, uri := range one.URLs {
			_, rest, _ := strings.Cut(uri, ":")
			at, _, _ := strings.Cut(rest, "?")
			host, _, err := net.SplitHostPort(at)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Contains(all, host) {
				all = append(all, host)
			}
		}
	}
	return all
}
