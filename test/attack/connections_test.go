package attack_test

import (
	"bufio"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"signal-server/test/need"
)

// Addresses of the loopback, beside that of the peers.
const (
	greedy = "127.0.0.2"
	other  = "127.0.0.3"
)

func dialFrom(from, addr string) (net.Conn, error) {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: patience}
	return d.Dial("tcp", addr)
}

// TestOneAddressWantsAllConnections lets one address fill its share with half-sent requests, and try for more as fast as it can. Peers of
// another one connect, and a third one is served.
func TestOneAddressWantsAllConnections(t *testing.T) {
	need.Programs(t, "nice")
	const all, share = 200, 50 // a quarter, unless a setting says otherwise
	s := serve(t, fmt.Sprint("--max-connections=", all), "--max-client-connections=1/4", "--read-timeout=1m")
	p := connecting(t, s.url(), nil)
	var tries string
	before, in := p.during(t, func() {
		said, end := attack(t, "TestGreedyAttacker", s.Addr)
		nextLine(t, said)
		p.take(t)
		tries = nextLine(t, said)
		conn, err := dialFrom(other, s.Addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(patience))
		io.WriteString(conn, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
		if r, err := http.ReadResponse(bufio.NewReader(conn), nil); err != nil || r.StatusCode != http.StatusOK {
			t.Errorf("a third address: got %v, %v, want 200", r, err)
		}
		if got, least := s.metric(t, "signal_connections"), float64(share); got < least || got > least+2*pairs+1 {
			t.Errorf("connections: got %v, want the share of %v and a few of others", got, least)
		}
		end()
	})
	if got := s.metric(t, `signal_connections_turned_away_total{reason="full"}`); got != 0 {
		t.Errorf("turned away for want of room: got %v, want none", got)
	}
	turned := s.metric(t, `signal_connections_turned_away_total{reason="client"}`)
	if turned < all {
		t.Errorf("turned away for the share: got %v, want %d or more", turned, all)
	}
	t.Logf("%s of one address for %d of %d connections, %v turned away: before %v; in it %v; resident %d MB", tries, share, all, turned, before,
		in, s.resident(t)>>20)
}

// TestGreedyAttacker is the attacker's side, in a process of its own.
func TestGreedyAttacker(t *testing.T) {
	addr := os.Getenv(attackVariable)
	if addr == "" {
		t.Skip("the other side of TestOneAddressWantsAllConnections")
	}
	half := func() net.Conn {
		conn, err := dialFrom(greedy, addr)
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(conn, "GET /answer/sdp HTTP/1.1\r\nHo") // when it fails, it was turned away
		return conn
	}
	for range 250 {
		defer half().Close()
	}
	fmt.Println("all are there")
	var tries atomic.Int64
	var attackers sync.WaitGroup
	over := time.Now().Add(5 * time.Second)
	for range 4 {
		attackers.Go(func() {
			for time.Now().Before(over) {
				conn := half()
				conn.SetReadDeadline(time.Now().Add(time.Second))
				io.Copy(io.Discard, conn)
				conn.Close()
				tries.Add(1)
			}
		})
	}
	attackers.Wait()
	fmt.Printf("%d tries\n", tries.Load())
	<-time.After(patience) // the half-sent ones stay until the process is ended
}

// TestFloodOfHellos sends the first message of TLS, always the same, which costs its sender nothing. Over the rate the server does not
// answer it.
func TestFloodOfHellos(t *testing.T) {
	const hellos = 1000
	cert, key := selfSigned(t)
	said := hello(t)
	cost := func(args ...string) (time.Duration, int64) {
		s := serve(t, append(args, "--tls-cert="+cert, "--tls-key="+key)...)
		began := s.cpu(t)
		var answered atomic.Int64
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				for range hellos / 4 {
					conn, err := dialFrom(greedy, s.Addr)
					if err != nil {
						t.Error(err)
						return
					}
					conn.SetDeadline(time.Now().Add(patience))
					conn.Write(said)
					if n, _ := conn.Read(make([]byte, 1)); n > 0 {
						answered.Add(1)
					}
					conn.Close()
				}
			})
		}
		all.Wait()
		return s.cpu(t) - began, answered.Load()
	}
	open, served := cost()
	limited, let := cost("--rate-connections=20/s")
	if served != hellos {
		t.Errorf("without a rate: got %d of %d answered, want all", served, hellos)
	}
	if let < 20 || let > hellos/4 {
		t.Errorf("with 20/s: got %d answered, want 20 at once and few more", let)
	}
	if limited > open/2 {
		t.Errorf("CPU of %d hellos: got %v with a rate, want less than half of the %v without", hellos, limited, open)
	}
	t.Logf("CPU of %d hellos: %v, with --rate-connections=20/s, by which %d were answered, %v", hellos, open, let, limited)
}

// hello returns what a client of TLS says first.
func hello(t *testing.T) []byte {
	t.Helper()
	ours, theirs := net.Pipe()
	defer theirs.Close()
	go func() {
		tls.Client(ours, &tls.Config{ServerName: "localhost"}).Handshake()
		ours.Close()
	}()
	b := make([]byte, 16<<10)
	n, err := theirs.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return b[:n]
}

// selfSigned writes a certificate with a key of RSA, as most are, and the key.
func selfSigned(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}, NotAfter: time.Now().AddDate(1, 0, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, kind string, bytes []byte) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: bytes}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	return write("cert.pem", "CERTIFICATE", der), write("key.pem", "PRIVATE KEY", pkcs8)
}
