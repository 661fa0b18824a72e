package certificate_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"signal-server/app/certificate"
	"signal-server/test/synctime"
)

// exchanges lets the client come, and checks whether it resumes, and by what keys are exchanged.
func exchanges(t *testing.T, what string, source certificate.Source, client *tls.Config, resumed bool, by tls.CurveID) {
	t.Helper()
	state, err := connect(source, client)
	if err != nil {
		t.Fatalf("%s: got %v, want a connection", what, err)
	}
	if state.DidResume != resumed || state.CurveID != by {
		t.Errorf("%s: got it resumed: %v, by %v, want %v, by %v", what, state.DidResume, state.CurveID, resumed, by)
	}
}

// TestWhoResumesIsSparedAnExchange checks that a client which resumes exchanges a key by X25519 alone where the session began with
// a post-quantum exchange, and only there.
func TestWhoResumesIsSparedAnExchange(t *testing.T) {
	const quantum, plain = tls.X25519MLKEM768, tls.X25519
	p := certify(t, 1, 90*day)
	for what, text := range map[string]string{"random": "", "secrets": old} {
		source := open(t, resumable(t, p, text), new(journal))
		c := client(tls.VersionTLS13)
		exchanges(t, what+": anew", source, c, false, quantum)
		first := remembering(c)
		for range 3 {
			exchanges(t, what+": resumed, again and again", source, c, true, plain)
		}

		without := remembering(first)
		without.CurvePreferences = []tls.CurveID{quantum}
		exchanges(t, what+": of a client that has no share of X25519", source, without, true, quantum)

		narrow := client(tls.VersionTLS13)
		narrow.CurvePreferences = []tls.CurveID{plain}
		exchanges(t, what+": of a client that can only X25519", source, narrow, false, plain)
		exchanges(t, what+": resumed by a client that can only X25519", source, narrow, true, plain)
		narrow.CurvePreferences = nil
		exchanges(t, what+": resumed by a client that has learnt more", source, narrow, true, quantum)
		exchanges(t, what+": whose session then descends from a post-quantum exchange", source, narrow, true, plain)

		stranger := open(t, resumable(t, p, young), new(journal))
		exchanges(t, what+": with a ticket that is none here", stranger, remembering(first), false, quantum)
		other := open(t, resumable(t, certify(t, 2, 90*day), text), new(journal))
		exchanges(t, what+": with a ticket of another certificate", other, remembering(first), false, quantum)
	}
}

// TestWhoIsLateIsNotSpared comes back when a ticket is about to end, and after it has.
func TestWhoIsLateIsNotSpared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source, c := open(t, resumable(t, certify(t, 1, 90*day), old), new(journal)), client(tls.VersionTLS13)
		exchanges(t, "anew", source, c, false, tls.X25519MLKEM768)
		synctime.Pass(certificate.SpareFor - time.Second)
		exchanges(t, "in time", source, remembering(c), true, tls.X25519)
		synctime.Pass(2 * time.Second)
		exchanges(t, "late", source, remembering(c), true, tls.X25519MLKEM768)
		synctime.Pass(2 * time.Hour)
		exchanges(t, "too late", source, remembering(c), false, tls.X25519MLKEM768)
	})
}

// told is the side of a server that reads what a client says at first, and says nothing.
type told struct {
	net.Conn
	hello bytes.Buffer
}

func (c *told) Write(p []byte) (int, error) { return c.hello.Write(p) }
func (c *told) Read([]byte) (int, error)    { return 0, io.EOF }
func (c *told) SetDeadline(time.Time) error { return nil }
func (c *told) Close() error                { return nil }

// hello returns the first message of a client.
func hello(client *tls.Config) []byte {
	c := new(told)
	client.InsecureSkipVerify = true
	tls.Client(c, client).Handshake() // it fails: nobody answers
	return c.hello.Bytes()
}

// TestOffers reads messages of clients, and others, and one cut short anywhere.
func TestOffers(t *testing.T) {
	source := open(t, resumable(t, certify(t, 1, 90*day), ""), new(journal))
	c := client(tls.VersionTLS13)
	if _, err := connect(source, c); err != nil {
		t.Fatal(err)
	}
	resumes := hello(remembering(c))
	other := client(tls.VersionTLS13)
	other.CurvePreferences = []tls.CurveID{tls.CurveP256}
	for name, tt := range map[string]struct {
		stream        []byte
		tickets       int
		x25519, fresh bool
	}{
		"anew":             {hello(client(tls.VersionTLS13)), 0, true, true},
		"resuming":         {resumes, 1, true, true},
		"more behind it":   {append(bytes.Clone(resumes), 1, 2, 3), 1, true, true},
		"TLS 1.2":          {hello(client(tls.VersionTLS12)), 0, false, false},
		"without X25519":   {hello(other), 0, false, true},
		"nothing":          {nil, 0, false, false},
		"no TLS":           {[]byte("GET / HTTP/1.1\r\n\r\n"), 0, false, false},
		"another record":   {append([]byte{23}, resumes[1:]...), 0, false, false},
		"another message":  {append(append(bytes.Clone(resumes[:5]), 2), resumes[6:]...), 0, false, false},
		"its last byte":    {resumes[:len(resumes)-1], 0, false, false},
		"a record too few": {resumes[:5], 0, false, false},
	} {
		tickets, x25519, fresh := certificate.ParseOffer(tt.stream)
		if len(tickets) != tt.tickets || x25519 != tt.x25519 || fresh != tt.fresh {
			t.Errorf("%s: got %d tickets, X25519: %v, fresh: %v, want %d, %v, %v", name, len(tickets), x25519, fresh, tt.tickets, tt.x25519, tt.fresh)
		}
	}
	for n := range resumes {
		if tickets, x25519, fresh := certificate.ParseOffer(resumes[:n]); len(tickets) > 0 || x25519 || fresh {
			t.Errorf("the first %d bytes: got an offer, want none", n)
		}
	}
}

// FuzzOffer reads anything as a client's first message. What it finds is a part of that.
func FuzzOffer(f *testing.F) {
	f.Add([]byte(nil))
	f.Add(hello(client(tls.VersionTLS13)))
	f.Add(hello(client(tls.VersionTLS12)))
	f.Fuzz(func(t *testing.T, stream []byte) {
		tickets, _, _ := certificate.ParseOffer(stream)
		for _, ticket := range tickets {
			if !bytes.Contains(stream, ticket) {
				t.Errorf("got the ticket %x, which is not there", ticket)
			}
		}
	})
}

// TestHeardKeepsTheBeginning checks what a connection keeps of what comes over it: until it is taken, and no more than a record.
func TestHeardKeepsTheBeginning(t *testing.T) {
	ours, theirs := net.Pipe()
	defer ours.Close()
	conn, take := certificate.Heard(theirs)
	defer conn.Close()
	sent := bytes.Repeat([]byte("0123456789abcdef"), certificate.MaxHello/16+1)
	go ours.Write(append(bytes.Clone(sent), sent...))
	got := make([]byte, len(sent))
	if _, err := io.ReadFull(conn, got); err != nil || !bytes.Equal(got, sent) {
		t.Errorf("read: got %d bytes, %v, want what was sent", len(got), err)
	}
	if kept := take(); !bytes.Equal(kept, sent[:certificate.MaxHello]) {
		t.Errorf("kept: got %d bytes, want the first %d", len(kept), certificate.MaxHello)
	}
	if _, err := io.ReadFull(conn, got); err != nil || !bytes.Equal(got, sent) {
		t.Errorf("read afterwards: got %d bytes, %v, want what was sent", len(got), err)
	}
	if kept := take(); len(kept) > 0 {
		t.Errorf("kept afterwards: got %d bytes, want none", len(kept))
	}
}

// TestListen checks that the system's connection can be reached below TLS, and that an error of the listener below comes through.
func TestListen(t *testing.T) {
	source := open(t, resumable(t, certify(t, 1, 90*day), ""), new(journal))
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := certificate.Listen(tcp, source)
	client, err := net.Dial("tcp", tcp.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	below := conn.(*tls.Conn).NetConn()
	if _, err := below.(interface {
		SyscallConn() (raw syscall.RawConn, err error)
	}).SyscallConn(); err != nil {
		t.Errorf("SyscallConn: got %v, want none", err)
	}
	if got, ok := below.(interface{ NetConn() net.Conn }).NetConn().(*net.TCPConn); !ok {
		t.Errorf("NetConn: got %T, want the system's", got)
	}
	l.Close()
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("closed: got %v, want %v", err, net.ErrClosed)
	}
}
