package api_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"signal-server/app/gate/limit"
	"signal-server/app/link"
	"signal-server/custerrors"
)

// share makes that many connections the share of one client.
func share(n int) func(*options) {
	return func(o *options) { o.config.Link.MaxClientConnections = link.Share{Number: n} }
}

// dialFrom connects from an address of the loopback.
func (s *server) dialFrom(t *testing.T, from string) (net.Conn, *bufio.Reader) {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	conn, err := d.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(30 * time.Second))
	return conn, bufio.NewReader(conn)
}

const askOnce = "GET /answer/sdp HTTP/1.1\r\nHost: x\r\nkey: k\r\n\r\n"

// wantTooMany checks that a connection is told that its client has too many, and when to come back, and is closed.
func wantTooMany(t *testing.T, conn net.Conn, br *bufio.Reader, least int) {
	t.Helper()
	io.WriteString(conn, askOnce)
	a := readAnswer(t, br, "GET")
	if least == 1 {
		a.check(t, "one too many") // which knows short pauses only
	}
	a.expect(t, "one too many", custerrors.TooManyRequests, "")
	if a.status != custerrors.TooManyRequests.Status() || a.header.Get("Connection") != "close" {
		t.Errorf("one too many: got %d and Connection: %q, want 429 and close", a.status, a.header.Get("Connection"))
	}
	if seconds, err := strconv.Atoi(a.header.Get("Retry-After")); err != nil || seconds < least || seconds > 2*least+3 {
		t.Errorf("one too many: got Retry-After %q, want %d or a little more", a.header.Get("Retry-After"), least)
	}
	if got := a.header.Get("Access-Control-Expose-Headers"); got != "Retry-After" {
		t.Errorf("one too many: got %q exposed, want Retry-After", got)
	}
	wantEnd(t, br)
}

// TestOneClientCannotTakeAllConnections fills the connections with half-sent requests of one address, up to its share.
func TestOneClientCannotTakeAllConnections(t *testing.T) {
	s := serve(t, func(o *options) { o.config.Link.MaxConnections = 20 }) // of which a quarter, unless anybody says otherwise
	before := scraped(t, s.app)
	for range 5 {
		conn, _ := s.dialFrom(t, "127.0.0.1")
		io.WriteString(conn, "GET /answer/sdp HTTP/1.1\r\nHo")
	}
	s.eventually(t, "signal_connections", 5)
	for range 15 {
		conn, br := s.dialFrom(t, "127.0.0.1")
		wantTooMany(t, conn, br, 1)
	}
	for i := range 3 {
		conn, br := s.dialFrom(t, fmt.Sprintf("127.0.0.%d", i+2))
		io.WriteString(conn, askOnce)
		readAnswer(t, br, "GET").expect(t, "another client", notFound, "")
	}
	grown(t, s.app, "a client that wants all", before, "signal_connections_turned_away_total", map[string]float64{`reason="client"`: 15})
	if got := scraped(t, s.app)["signal_client_connections_limit"]; got != 5 {
		t.Errorf("signal_client_connections_limit: got %v, want 5", got)
	}
}

// TestWhoIsNotOneClient connects more often than one client may: behind a trusted proxy, and without a limit.
func TestWhoIsNotOneClient(t *testing.T) {
	proxies, err := limit.ParseProxies([]string{"127.0.0.2"})
	if err != nil {
		t.Fatal(err)
	}
	trusting := func(o *options) { o.config.Proxies = proxies }
	for name, test := range map[string]struct {
		from    string
		changes []func(*options)
	}{
		"a trusted proxy": {"127.0.0.2", []func(*options){share(1), trusting, rated}},
		"no limit":        {"127.0.0.1", []func(*options){share(0)}},
	} {
		s := serve(t, test.changes...)
		for range 3 {
			conn, br := s.dialFrom(t, test.from)
			io.WriteString(conn, askOnce)
			readAnswer(t, br, "GET").expect(t, name, notFound, "")
		}
	}
}

// TestAUnixSocketIsNotOneClient opens more connections there than one client may have.
func TestAUnixSocketIsNotOneClient(t *testing.T) {
	if transportOf(t) != overUnix {
		t.Skip("runs below TestOver")
	}
	s := serve(t, share(1), rated)
	for range 3 {
		conn, br := s.dial(t)
		io.WriteString(conn, askOnce)
		readAnswer(t, br, "GET").expect(t, "one of a Unix socket", notFound, "")
	}
}

// rated lets one client make one connection in a minute.
func rated(o *options) { o.config.Clients.Connections = limit.Rate{Events: 1, Per: time.Minute} }

func TestRateOfConnections(t *testing.T) {
	s := serve(t, rated)
	before := scraped(t, s.app)
	conn, br := s.dialFrom(t, "127.0.0.1")
	for range 3 {
		io.WriteString(conn, askOnce)
		readAnswer(t, br, "GET").expect(t, "the first connection", notFound, "")
	}
	second, br := s.dialFrom(t, "127.0.0.1")
	wantTooMany(t, second, br, 59)
	other, br := s.dialFrom(t, "127.0.0.2")
	io.WriteString(other, askOnce)
	readAnswer(t, br, "GET").expect(t, "another client", notFound, "")
	grown(t, s.app, "two connections of one, one of another", before, "signal_connections_turned_away_total", map[string]float64{`reason="rate"`: 1})
}

// TestTooManyOverTLS says nothing to a client that has too many connections, nor does it shake its hand.
func TestTooManyOverTLS(t *testing.T) {
	if transportOf(t) != overTLS {
		t.Skip("runs below TestOver")
	}
	s := serve(t, share(1))
	s.dial(t)
	conn, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(30 * time.Second))
	io.WriteString(conn, "\x16\x03\x01\x00\xa5\x01")
	if got, err := io.ReadAll(conn); len(got) > 0 || err != nil && !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("got %q, %v, want the end of the connection and nothing before", got, err)
	}
	s.eventually(t, `signal_connections_turned_away_total{reason="client"}`, 1)
}

func TestMetricsOfConnections(t *testing.T) {
	s := serve(t, share(0), func(o *options) { o.config.Link.MaxConnections = 1 })
	before := scraped(t, s.app)
	s.do(t, request{line: "GET /healthz"}) // its connection stays
	_, br := s.dial(t)
	br.ReadByte() // returns when a connection that is turned away ends, or says something before
	s.eventually(t, `signal_connections_turned_away_total{reason="full"}`, 1)
	grown(t, s.app, "two connections", before, "signal_connections_accepted_total", map[string]float64{"": 1})
	after := scraped(t, s.app)
	if after["signal_connections"] != 1 || after["signal_connections_limit"] != 1 || after["signal_accept_errors_total"] != 0 {
		t.Errorf("got %v open of %v, %v errors, want 1 of 1 and none", after["signal_connections"], after["signal_connections_limit"],
			after["signal_accept_errors_total"])
	}
}

// starved is a listener whose Accept fails so many times, for want of descriptors and of places in epoll sets.
type starved struct {
	net.Listener
	times atomic.Int64
}

func (s *starved) Accept() (net.Conn, error) {
	switch left := s.times.Add(-1); {
	case left >= 1:
		return nil, &net.OpError{Op: "accept", Err: os.NewSyscallError("accept4", syscall.EMFILE)}
	case left == 0:
		return nil, &net.OpError{Op: "accept", Err: os.NewSyscallError("epoll_ctl", syscall.ENOSPC)}
	}
	return s.Listener.Accept()
}

// TestMetricsOfAcceptErrors lets accept fail for want of what the system lends. Each failure counts, nobody is turned away, and afterwards all is as
// before.
func TestMetricsOfAcceptErrors(t *testing.T) {
	const times = 3
	s := serve(t, func(o *options) {
		o.listener = func(l net.Listener) net.Listener {
			short := &starved{Listener: l}
			short.times.Store(times)
			return short
		}
	})
	s.do(t, request{line: "GET /healthz"})
	for series, want := range map[string]float64{
		"signal_accept_errors_total": times, "signal_connections_accepted_total": 1, `signal_connections_turned_away_total{reason="full"}`: 0,
	} {
		if got := scraped(t, s.app)[series]; got != want {
			t.Errorf("%s: got %v, want %v", series, got, want)
		}
	}
	if got := s.log.String(); strings.Count(got, "could not be accepted") != 1 {
		t.Errorf("the log: got %q, want one line of it", got)
	}
}
