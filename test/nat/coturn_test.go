package nat_test

import (
	"context"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/pion/stun/v4"

	"signal-server/test/need"
	"signal-server/test/port"
	"signal-server/test/process"
	"signal-server/test/until"
)

// TestClientOfCoturn has coturn's own client send packets from relay to relay of this server.
func TestClientOfCoturn(t *testing.T) {
	t.Parallel()
	need.Programs(t, "turnutils_uclient")
	const name = "turn.example.org"
	cert := newCertificate(t, []string{name}, net.IPv4(127, 0, 0, 1))
	s := serve(t, nil, "--turn", "--turn-listen=127.0.0.1:0", "--turn-secret-file="+write(t, "secret", secret+"\n"), "--turn-tls-listen=127.0.0.1:0",
		"--turn-host="+name, "--tls-cert="+cert.cert, "--tls-key="+cert.key)
	s.trust = cert.trusted(t, "127.0.0.1")
	at := s.relays(t)
	for of, one := range map[string]struct{ server, flags string }{
		"UDP":              {at.udp, ""},
		"UDP, indications": {at.udp, "-s"},
		"TCP":              {at.tcp, "-t"},
		"TCP, indications": {at.tcp, "-t -s"},
		"TLS":              {at.tls, "-t -S"},
		"TLS, indications": {at.tls, "-t -S -s"}, // it verifies no certificate, with -E neither
	} {
		t.Run(of, func(t *testing.T) {
			t.Parallel()
			// Two clients, with a relay each, send 50 packets of 800 bytes to each other, one in 5 ms. -c: its RTP and RTCP are not to have neighbouring ports,
			// since a reservation is known on the socket only on which it was made.
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			args := append(strings.Fields(one.flags), "-c", "-y", "-W", secret, "-u", "alice", "-n", "50", "-m", "2", "-l", "800", "-z", "5", "-p", port.Of(one.server), "127.0.0.1")
			out, err := exec.CommandContext(ctx, "turnutils_uclient", args...).CombinedOutput()
			if err != nil {
				t.Fatalf("turnutils_uclient %v: %v\n%s", args, err, out)
			}
			for pattern, want := range map[string]string{`tot_send_msgs=(\d+), tot_recv_msgs=(\d+)`: "100 100", `Total lost packets (\d+) .*, total send dropped (\d+)`: "0 0"} {
				found := regexp.MustCompile(pattern).FindAllStringSubmatch(string(out), -1)
				if len(found) == 0 {
					t.Fatalf("got no %s in\n%s", pattern, out)
				}
				if got := strings.Join(found[len(found)-1][1:], " "); got != want {
					t.Errorf("%s: got %s, want %s, in\n%s", pattern, got, want, out)
				}
			}
		})
	}
}

// TestCoturnTakesOurCredentials has clients relay by coturn with what GET /ice of this server gives them.
func TestCoturnTakesOurCredentials(t *testing.T) {
	t.Parallel()
	need.Programs(t, "turnserver")
	address := port.Hold(t)
	startCoturn(t, nil, nil, []string{address}, "-n", "--no-cli", "--listening-ip=127.0.0.1", "--relay-ip=127.0.0.1", "--listening-port="+port.Of(address),
		"--use-auth-secret", "--static-auth-secret="+secret, "--realm=r", "--allow-loopback-peers", "--no-tls", "--no-dtls")
	s := serve(t, nil, "--ice-servers=stun:"+address+",turn:"+address+"?transport=udp", "--ice-secret-file="+write(t, "secret", secret+"\n"))
	at := s.relays(t)
	if at.udp != address {
		t.Fatalf("GET /ice: got %v, want the TURN server %s", at, address)
	}
	a, b := client(t, nil, at.udp, at.credential), client(t, nil, at.udp, at.credential)
	exchange(t, allocate(t, a), allocate(t, b))

	wrong := at.credential
	wrong.Password = "wrong"
	if _, err := client(t, nil, at.udp, wrong).Allocate(); err == nil || !strings.Contains(fmt.Sprint(err), "401") {
		t.Errorf("with a wrong password: got %v, want 401", err)
	}
}

// startCoturn starts coturn in the room, and returns when it answers at these addresses over UDP, and takes connections, for who asks from another room. Files that
// it would share with others are its own.
func startCoturn(t testing.TB, in, from *room, addresses []string, args ...string) {
	t.Helper()
	dir := t.TempDir()
	args = append(args, "--pidfile="+filepath.Join(dir, "pid"), "--userdb="+filepath.Join(dir, "db"), "--log-file=stdout")
	coturn := process.Launch(t, in.do, exec.Command("turnserver", args...), func(string) {})
	until.Nil(t, patience, func() error {
		select {
		case err := <-coturn.Ended:
			t.Fatalf("turnserver: %v", err)
		default:
		}
		for _, address := range addresses {
			if err := answers(t, from, address); err != nil {
				return err
			}
		}
		return nil
	})
}

// answers reports whether a server takes connections at the address and, unless they are for TLS, answers over UDP.
func answers(t testing.TB, from *room, address string) error {
	conn, err := from.dialContext(t.Context(), "tcp", address)
	if err != nil {
		return err
	}
	conn.Close()
	if port.Of(address) == "5349" {
		return nil
	}
	if conn, err = from.dialContext(t.Context(), "udp", address); err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.Write(stun.MustBuild(stun.TransactionID, stun.BindingRequest).Raw); err != nil {
		return err
	}
	conn.SetReadDeadline(time.Now().Add(patience / 60))
	_, err = conn.Read(make([]byte, 2000))
	return err
}
