package nat_test

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/pion/stun/v4"
	"github.com/pion/turn/v5"

	"signal-server/test/port"
	"signal-server/test/until"
)

// TestBadConnections opens connections that never become anything, over TCP and TLS. The server gives back what they held, with no help of theirs, and
// relays for others meanwhile.
func TestBadConnections(t *testing.T) {
	t.Parallel()
	cert := newCertificate(t, []string{"turn.example.org"}, net.IPv4(127, 0, 0, 1))
	s := serve(t, nil, "--turn", "--turn-listen=127.0.0.1:0", "--turn-tls-listen=127.0.0.1:0", "--turn-host=turn.example.org", "--tls-cert="+cert.cert, "--tls-key="+cert.key)
	s.trust = cert.trusted(t, "127.0.0.1")
	at := s.relays(t)
	for _, address := range []*string{&at.udp, &at.tcp, &at.tls} {
		*address = "127.0.0.1:" + port.Of(*address) // of a name that nobody has
	}
	until.True(t, patience, "the server is idle", func() bool { return s.Descriptors(t) < 20 })
	before := s.Descriptors(t)

	header := stun.MustBuild(stun.TransactionID, stun.BindingRequest).Raw[:10]
	kinds := []struct {
		tls  bool   // it has shaken hands
		at   string // where
		says []byte
	}{
		{false, at.tcp, nil},
		{false, at.tcp, header},
		{false, at.tcp, []byte("GET / HTTP/1.1\r\n\r\n")},
		{false, at.tcp, hello(t)},
		{false, at.tls, nil},
		{false, at.tls, header},
		{false, at.tls, []byte("GET / HTTP/1.1\r\n\r\n")},
		{false, at.tls, hello(t)},
		{true, at.tls, nil},
		{true, at.tls, header},
		{true, at.tls, []byte("GET / HTTP/1.1\r\n\r\n")},
		{true, at.tls, hello(t)},
	}
	const n = 300
	ended := make(chan error, n)
	for i := range n {
		kind := kinds[i%len(kinds)]
		conn, err := net.Dial("tcp", kind.at)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		if kind.tls {
			over := tls.Client(conn, s.trust)
			if err := over.HandshakeContext(t.Context()); err != nil {
				t.Fatal(err)
			}
			conn = over
		}
		if _, err := conn.Write(kind.says); err != nil {
			t.Fatal(err)
		}
		go func() {
			conn.SetReadDeadline(time.Now().Add(patience / 3)) // twice what a server waits
			_, err := io.Copy(io.Discard, conn)
			if !errors.Is(err, os.ErrDeadlineExceeded) {
				err = nil // however the server has ended it
			}
			ended <- err
		}()
	}
	silent := n / 3 // of half of them more might come
	if got := s.Descriptors(t); got < before+silent {
		t.Errorf("got %d descriptors and %d before, want %d more at the least: nothing is tested", got, before, silent)
	}
	good := tlsTo(t, at.tls, s.trust)
	a, b := allocate(t, clientOver(t, turn.NewSTUNConn(good), at.tls, at.credential)), allocate(t, client(t, nil, at.udp, at.credential))
	exchange(t, a, b)

	for range n {
		if err := <-ended; err != nil {
			t.Fatalf("a connection: got %v, want it ended by the server", err)
		}
	}
	exchange(t, a, b) // still
	a.Close()
	b.Close()
	good.Close()
	until.Nil(t, patience, func() error {
		if got := s.Descriptors(t); got > before {
			return fmt.Errorf("got %d descriptors, want %d as before", got, before)
		}
		return nil
	})
	for _, transport := range []string{"tcp", "tls"} {
		s.wantMetric(t, `signal_turn_connections{transport="`+transport+`"}`, 0)
	}
}

// hello is the first half of what a client of TLS says first.
func hello(t testing.TB) []byte {
	t.Helper()
	client, server := net.Pipe()
	defer client.Close()
	defer server.Close()
	go tls.Client(client, &tls.Config{ServerName: "turn.example.org", MinVersion: tls.VersionTLS12}).HandshakeContext(t.Context())
	half := make([]byte, 100)
	if _, err := io.ReadFull(server, half); err != nil {
		t.Fatal(err)
	}
	return half
}

func tlsTo(t testing.TB, address string, config *tls.Config) net.Conn {
	t.Helper()
	conn, err := tls.Dial("tcp", address, config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}
