package attack_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"signal-server/client"
	"signal-server/custerrors"
	"signal-server/test/handshake"
)

// peers are normal clients that connect, pair after pair, while something else happens.
type peers struct {
	client *client.Client
	stop   context.CancelFunc
	done   sync.WaitGroup

	// startsOver makes a pair take another key and begin again whenever its handshake fails, as applications do. Without it a pair does
	// so only when the server says that the session is gone.
	startsOver bool

	mu sync.Mutex
	// guarded by mu
	took      []time.Duration
	restarted int
	failed    []error
}

// pairs is how many handshakes of normal peers run at once.
const pairs = 4

// connecting starts normal peers against the server at url. extra goes into every request.
func connecting(t testing.TB, url string, extra http.Header) *peers {
	t.Helper()
	return connect(t, url, extra, pairs, false)
}

func connect(t testing.TB, url string, extra http.Header, pairs int, startsOver bool) *peers {
	t.Helper()
	return connectOver(t, url, &http.Transport{}, extra, pairs, startsOver)
}

// connectingFrom is connecting by peers at that address of the loopback.
func connectingFrom(t testing.TB, url, address string) *peers {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}
	return connectOver(t, url, &http.Transport{DialContext: d.DialContext}, nil, pairs, false)
}

func connectOver(t testing.TB, url string, transport *http.Transport, extra http.Header, pairs int, startsOver bool) *peers {
	t.Helper()
	transport.MaxIdleConnsPerHost = 2 * pairs
	c, err := client.New(url, client.WithHTTPClient(&http.Client{Transport: adding{transport, extra}}))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	p := &peers{client: c, stop: stop, startsOver: startsOver}
	for range pairs {
		p.done.Go(func() {
			for ctx.Err() == nil {
				p.connect()
			}
		})
	}
	t.Cleanup(func() {
		stop()
		p.done.Wait()
		transport.CloseIdleConnections()
	})
	return p
}

// adding adds a header to every request.
type adding struct {
	http.RoundTripper
	header http.Header
}

func (a adding) RoundTrip(r *http.Request) (*http.Response, error) {
	if len(a.header) > 0 {
		r = r.Clone(r.Context())
		for name, values := range a.header {
			r.Header[name] = values
		}
	}
	return a.RoundTripper.RoundTrip(r)
}

// connect makes one handshake. It starts over, as an application does, when the server has lost the session.
func (p *peers) connect() {
	began := time.Now()
	for {
		err := p.handshake(rand.Text())
		gone := errors.Is(err, custerrors.KeyNotFound) || errors.Is(err, custerrors.KeyIsExpired)
		var altered handshake.AlteredError
		again := (gone || p.startsOver && err != nil && !errors.As(err, &altered)) && time.Since(began) < patience
		p.mu.Lock()
		switch {
		case err == nil:
			p.took = append(p.took, time.Since(began))
		case again:
			p.restarted++
		default:
			p.failed = append(p.failed, err)
		}
		p.mu.Unlock()
		if !again {
			return
		}
	}
}

func (p *peers) handshake(key string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	session, err := handshake.Meet(ctx, p.client, key)
	if err != nil {
		return err
	}
	session.End(ctx) // both peers have what they need; if this request is lost, the session ends when its time is over
	return nil
}

// figures are of the handshakes of some time.
type figures struct {
	handshakes, restarted int
	p50, p99, most        time.Duration
}

func (f figures) String() string {
	return fmt.Sprintf("%d handshakes, p50 %v, p99 %v", f.handshakes, f.p50.Round(10*time.Microsecond), f.p99.Round(10*time.Microsecond))
}

// take returns the figures since the last take, and fails the test if a handshake failed.
func (p *peers) take(t testing.TB) (f figures) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, err := range p.failed[:min(3, len(p.failed))] {
		t.Errorf("one of %d handshakes that failed: %v", len(p.failed), err)
	}
	if f.handshakes, f.restarted = len(p.took), p.restarted; f.handshakes > 0 {
		slices.Sort(p.took)
		f.p50, f.p99, f.most = p.took[len(p.took)/2], p.took[len(p.took)*99/100], p.took[len(p.took)-1]
	}
	p.took, p.failed, p.restarted = nil, nil, 0
	return f
}

// during runs the attack while normal peers connect, and returns their figures before it and in it. Some must complete in it.
func (p *peers) during(t testing.TB, attack func()) (before, in figures) {
	t.Helper()
	p.settle()
	before = p.take(t)
	attack()
	in = p.take(t)
	if in.handshakes == 0 {
		t.Error("no handshake of normal peers completed in the attack")
	}
	return before, in
}

// completed returns how many handshakes have completed since the last take.
func (p *peers) completed() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.took)
}

// settle lets the peers run for two seconds, or until as many handshakes have completed as figures need.
func (p *peers) settle() {
	again, over := time.NewTicker(20*time.Millisecond), time.After(2*time.Second)
	defer again.Stop()
	for p.completed() < 2000 {
		select {
		case <-again.C:
		case <-over:
			return
		}
	}
}
