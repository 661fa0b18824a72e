package nat_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"signal-server/test/need"
	"signal-server/test/process"
)

// apart is a server and two peers in rooms of their own. A peer reaches the server at its public address, and nothing else.
type apart struct {
	server *room
	peers  [2]*room
	nat    *room // that of the router; nil: there is none
}

// Addresses of these rooms. The networks are for tests of networks (RFC 2544), and for documentation (RFC 5737).
const (
	public  = "198.18.0.10"
	public6 = "2001:db8::10"
	outside = "192.0.2.10" // the public one of a server behind a router that translates addresses
	private = "10.77.0.5"  // which has this one itself
)

// newApart makes rooms where the server has its public address.
func newApart(t testing.TB) apart { return newApartAt(t, public+"/32") }

// newApart6 is newApart in IPv6 alone.
func newApart6(t testing.TB) apart { return newApartAt(t, public6+"/128") }

func newApartAt(t testing.TB, address string) apart {
	t.Helper()
	a := apart{server: newRoom(t), peers: [2]*room{newRoom(t), newRoom(t)}}
	a.server.ip(t, "address add "+address+" dev lo")
	a.connect(t, a.server, address)
	return a
}

// newBehindNAT makes rooms where a router translates the server's address one to one, as clouds do: packets to the public one lead to the server
// where they come from outside, and from there only. Sent by the server itself they come to nothing.
func newBehindNAT(t testing.TB) apart {
	t.Helper()
	need.Programs(t, "nft")
	a := apart{server: newRoom(t), peers: [2]*room{newRoom(t), newRoom(t)}, nat: newRoom(t)}
	cable(t, a.server, "net", private+"/24", a.nat, "server", "10.77.0.1/24")
	a.server.ip(t, "route add default via 10.77.0.1")
	a.connect(t, a.nat, outside+"/32")
	a.nat.translate(t, outside, private)
	return a
}

// translate makes the room that of a router. What comes in by peer* for the one address goes to the other, and what goes out there from that is as from the one.
func (in *room) translate(t testing.TB, outside, private string) {
	t.Helper()
	in.do(func() {
		if err := os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0); err != nil {
			t.Fatal(err)
		}
	})
	in.run(t, `table ip nat {
		chain in { type nat hook prerouting priority dstnat; iifname "peer*" ip daddr `+outside+` dnat to `+private+`; }
		chain out { type nat hook postrouting priority srcnat; oifname "peer*" ip saddr `+private+` snat to `+outside+`; }
	}`, "nft", "-f", "-")
}

// connect lays a cable from each peer to that room, and tells the peer the way to the address. It checks that the peers do not reach each other.
func (a apart) connect(t testing.TB, to *room, address string) {
	t.Helper()
	form, length := "198.18.%d.%d", "/24"
	if strings.Contains(address, ":") {
		form, length = "2001:db8:%d::%d", "/64"
	}
	for i, peer := range a.peers {
		at := func(end int) string { return fmt.Sprintf(form, i+1, end) }
		cable(t, peer, "net", at(2)+length, to, fmt.Sprint("peer", i), at(1)+length)
		peer.ip(t, "route add "+address+" via "+at(1))
	}
	conn, err := a.peers[0].dialContext(t.Context(), "udp", net.JoinHostPort(fmt.Sprintf(form, 2, 2), "9"))
	if !errors.Is(err, syscall.ENETUNREACH) {
		t.Fatalf("from one peer to the other: got %v, %v, want no way", conn, err)
	}
}

// connection is one that two peers have, and what it goes by.
type connection struct {
	list  string // --turn-uris; "": what the server finds out
	flags []string
	cert  *certificate
	wants string // a series that says what the peers speak to the server
}

// connections are the ways to a server at an address; {} in a URI stands for it.
func connections(t testing.TB, address string) map[string]connection {
	cert := newCertificate(t, nil, net.ParseIP(address))
	return map[string]connection{
		"as announced": {wants: `signal_turn_connections{transport="tcp"}`},
		"UDP":          {list: "turn:{}:3478?transport=udp"},
		"TCP":          {list: "turn:{}:3478?transport=tcp", wants: `signal_turn_connections{transport="tcp"}`},
		"TLS": {
			list:  "turns:{}:5349?transport=tcp",
			flags: []string{"--turn-tls-listen=:5349", "--turn-host=" + address, "--tls-cert=" + cert.cert, "--tls-key=" + cert.key},
			wants: `signal_turn_connections{transport="tls"}`, cert: &cert,
		},
	}
}

// serve serves in these rooms at the public address, and returns the URL that peers know it by.
func (a apart) serve(t testing.TB, address string, by connection) (s *server, url string) {
	t.Helper()
	args := []string{"--turn", "--turn-address=" + address, "--listen=:8080"}
	if by.list != "" {
		args = append(args, "--turn-uris="+strings.ReplaceAll(by.list, "{}", host(address)))
	}
	scheme := "http://"
	if len(by.flags) > 0 {
		scheme = "https://"
	}
	return serve(t, a.server, append(args, by.flags...)...), scheme + host(address) + ":8080"
}

// host is an address as it stands in a URL.
func host(address string) string { return strings.TrimSuffix(net.JoinHostPort(address, ""), ":") }

// places are where the server may be.
var places = map[string]struct {
	address string // of relays
	rooms   func(testing.TB) apart
}{
	"public": {public, newApart},
	"IPv6":   {public6, newApart6},
	"NAT":    {outside, newBehindNAT},
}

// TestPeersApart connects two programs by Pion that reach nothing but the server.
func TestPeersApart(t *testing.T) {
	t.Parallel()
	for place, where := range places {
		for way, by := range connections(t, where.address) {
			t.Run(place+", "+way, func(t *testing.T) {
				t.Parallel()
				a := where.rooms(t)
				s, url := a.serve(t, where.address, by)
				var done [2]chan string
				for i, in := range a.peers {
					done[i] = startPeer(t, in, url, by.cert)
				}
				for i, got := range done {
					select {
					case line := <-got:
						if want := doneLine; line != want {
							t.Errorf("peer %d: got %q, want %q", i, line, want)
						}
					case <-time.After(patience):
						t.Fatalf("peer %d is not done", i)
					}
				}
				s.wantRelayed(t, by)
			})
		}
	}
}

// wantRelayed checks that two peers are connected by relays of the server, in this way.
func (s *server) wantRelayed(t testing.TB, by connection) {
	t.Helper()
	if got := s.metric(t, `signal_turn_bytes_total{direction="to_peer"}`); got < 2*relayed {
		t.Errorf("the server has relayed %v bytes, want %d or more", got, 2*relayed)
	}
	for _, series := range []string{`signal_turn_connections{transport="tcp"}`, `signal_turn_connections{transport="tls"}`} {
		if got := s.metric(t, series); (got >= 2) != (series == by.wants) {
			t.Errorf("%s: got %v, want two or more of %s only", series, got, by.wants)
		}
	}
}

// startPeer runs a peer in the room. The channel gets doneLine once it has all of the other one's data, or why not.
func startPeer(t testing.TB, in *room, url string, trusted *certificate) (done chan string) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), peerVariable+"="+url)
	if trusted != nil {
		cmd.Env = append(cmd.Env, "SSL_CERT_FILE="+trusted.cert) // in place of the system's
	}
	stdin, err := cmd.StdinPipe() // the peer ends with it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stdin.Close() })
	done = make(chan string, 1)
	p := process.Launch(t, in.do, cmd, func(line string) {
		if line == doneLine {
			done <- line
		}
	})
	go func() {
		err := <-p.Ended
		select {
		case done <- fmt.Sprint("ended: ", err):
		default:
		}
	}()
	return done
}
