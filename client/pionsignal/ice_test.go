package pionsignal_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"

	"signal-server/app/apptest"
	"signal-server/app/iceserver"
	"signal-server/app/turn"
	"signal-server/client"
	"signal-server/client/pionsignal"
	"signal-server/test/until"
)

// withTURN runs a TURN server on loopback, of which the server tells.
func withTURN(t *testing.T) func(*apptest.Config) {
	t.Helper()
	secrets, err := iceserver.OpenSecrets("")
	if err != nil {
		t.Fatal(err)
	}
	return withTURNOf(t, secrets, secrets)
}

// withTURNOf is withTURN with secrets of two, which are the same where all is well: by one the server signs credentials, by the other the TURN server
// verifies them.
func withTURNOf(t *testing.T, signs, verifies *iceserver.Secrets) func(*apptest.Config) {
	t.Helper()
	s, err := turn.Open(turn.Config{
		On: true, Listen: []string{"127.0.0.1:0"}, Ports: turn.Ports{First: 49152, Last: 65535}, Realm: "test",
		UserAllocations: 64, ClientAllocations: 64, Allocations: 64,
	}, turn.Parts{Secrets: verifies, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := s.Serve(func(netip.Addr) (func(), bool) { return func() {}, true }); err != nil {
			t.Errorf("Serve: got %v, want nil", err)
		}
	})
	t.Cleanup(func() {
		s.Close()
		serving.Wait()
	})
	list := iceserver.NewList(time.Hour, iceserver.Source{URIs: s.URIs(), Secrets: signs})
	return func(c *apptest.Config) { c.Servers = list }
}

// relayed returns a side that connects by relays only.
func relayed(t *testing.T, opts ...pionsignal.Option) side {
	t.Helper()
	pc := newPCWith(t, webrtc.Configuration{ICETransportPolicy: webrtc.ICETransportPolicyRelay})
	return side{pc, negotiated(t, pc), opts}
}

// TestConnectByRelays has peers that know of no TURN server but by the signaling server.
func TestConnectByRelays(t *testing.T) {
	for _, roles := range [][]pionsignal.Option{nil, {pionsignal.WithRole(client.Offer), pionsignal.WithRole(client.Answer)}} {
		w := newWorld(t, withTURN(t))
		one, other := relayed(t), relayed(t)
		if roles != nil {
			one.opts, other.opts = roles[:1], roles[1:]
		}
		call(t, w, "relays", one, other, func() {})
		if n := count(w.wire.take(), "GET /ice"); n != 1 {
			t.Errorf("GET /ice: got %d, want 1 for both", n)
		}
		pair, err := one.pc.SCTP().Transport().ICETransport().GetSelectedCandidatePair()
		if err != nil || pair.Local.Typ != webrtc.ICECandidateTypeRelay {
			t.Errorf("path: got %v (%v), want one by a relay", pair, err)
		}
	}
}

func count(requests []string, of string) (n int) {
	for _, r := range requests {
		if r == of {
			n++
		}
	}
	return n
}

// TestOwnServersAreKept wants a PeerConnection that has servers to keep them, and one that is to have none to get none.
func TestOwnServersAreKept(t *testing.T) {
	own := []webrtc.ICEServer{{URLs: []string{"stun:127.0.0.1:9"}}}
	for name, tt := range map[string]struct {
		config webrtc.Configuration
		opts   []pionsignal.Option
		want   []webrtc.ICEServer
	}{
		"servers of its own":     {webrtc.Configuration{ICEServers: own}, nil, own},
		"none, by WithoutICE...": {webrtc.Configuration{}, []pionsignal.Option{pionsignal.WithoutICEServers()}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, withTURN(t))
			var sides []side
			for range 2 {
				pc := newPCWith(t, tt.config)
				sides = append(sides, side{pc, negotiated(t, pc), tt.opts})
			}
			call(t, w, "own", sides[0], sides[1], func() {})
			for _, s := range sides {
				got := s.pc.GetConfiguration().ICEServers
				if !slices.EqualFunc(got, tt.want, func(a, b webrtc.ICEServer) bool { return slices.Equal(a.URLs, b.URLs) }) {
					t.Errorf("servers: got %v, want %v", got, tt.want)
				}
			}
			if n := count(w.wire.take(), "GET /ice"); n != 0 {
				t.Errorf("GET /ice: got %d, want none", n)
			}
		})
	}
}

// TestNoServersHoldUpNothing lets GET /ice fail.
func TestNoServersHoldUpNothing(t *testing.T) {
	w := newWorld(t)
	w.wire.failWhere(func(r *http.Request) error {
		if strings.HasSuffix(r.URL.Path, "/ice") {
			return errors.New("no way to /ice")
		}
		return nil
	})
	call(t, w, "without", newSide(t), newSide(t), func() {})
	if n := count(w.wire.take(), "GET /ice"); n != 1 {
		t.Errorf("GET /ice: got %d, want 1 for both", n)
	}
}

// TestTokensThatDifferCostNoOtherList has each side sign a token for each request.
func TestTokensThatDifferCostNoOtherList(t *testing.T) {
	w := newWorld(t, withTURN(t))
	var sides []side
	for range 2 {
		fresh := pionsignal.WithTokenFunc(func(context.Context) (string, error) { return rand.Text(), nil })
		sides = append(sides, relayed(t, fresh))
	}
	call(t, w, "tokens", sides[0], sides[1], func() {})
	if n := count(w.wire.take(), "GET /ice"); n != 2 {
		t.Errorf("GET /ice: got %d, want 1 of each side", n)
	}
}

// TestServersThatRefuseAreForgotten gives credentials that the TURN server does not take, as after a restart that has changed its secret. The connection fails,
// by itself or because the caller's time is up, and the next one asks for others, although those first ones were good for an hour.
func TestServersThatRefuseAreForgotten(t *testing.T) {
	soon := func(s *webrtc.SettingEngine) {
		s.SetICETimeouts(300*time.Millisecond, 300*time.Millisecond, 100*time.Millisecond)
	}
	for name, tt := range map[string]struct {
		settings []func(*webrtc.SettingEngine)
		isTimeUp bool
		want     error
	}{
		"ICE fails":      {[]func(*webrtc.SettingEngine){soon}, false, pionsignal.ErrICE},
		"the time is up": {nil, true, context.DeadlineExceeded},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "secret")
			sign := func(by string) {
				if err := os.WriteFile(file, []byte(strings.Repeat(by, 32)), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			open := func() *iceserver.Secrets {
				secrets, err := iceserver.OpenSecrets(file)
				if err != nil {
					t.Fatal(err)
				}
				return secrets
			}
			sign("1")
			signs := open()
			sign("2")
			w := newWorld(t, withTURNOf(t, signs, open()))

			ctx := timed{make(chan struct{})}
			var both sync.WaitGroup
			var refused []side
			for range 2 {
				pc := newPCWith(t, webrtc.Configuration{ICETransportPolicy: webrtc.ICETransportPolicyRelay}, tt.settings...)
				refused = append(refused, side{pc, negotiated(t, pc), nil})
			}
			for _, s := range refused {
				both.Go(func() {
					if err := s.connect(ctx, w, "refused"); !errors.Is(err, tt.want) {
						t.Errorf("with credentials that nobody takes: got %v, want %v", err, tt.want)
					}
				})
			}
			if tt.isTimeUp {
				until.Nil(t, 20*time.Second, func() error {
					for i, s := range refused {
						if s.pc.RemoteDescription() == nil {
							return fmt.Errorf("side %d has no description of the other", i)
						}
					}
					return nil
				})
				close(ctx.up)
			}
			both.Wait()
			if n := count(w.wire.take(), "GET /ice"); n != 1 {
				t.Errorf("GET /ice: got %d, want 1 for both", n)
			}
			if err := signs.Reload(); err != nil {
				t.Fatal(err)
			}
			call(t, w, "taken", relayed(t), relayed(t), func() {})
			if n := count(w.wire.take(), "GET /ice"); n != 1 {
				t.Errorf("GET /ice, then: got %d, want 1 for both", n)
			}
		})
	}
}

// timed is a context whose time is up when the test says so.
type timed struct{ up chan struct{} }

func (timed) Deadline() (time.Time, bool) { return time.Time{}, false }
func (t timed) Done() <-chan struct{}     { return t.up }
func (timed) Value(any) any               { return nil }

func (t timed) Err() error {
	select {
	case <-t.up:
		return context.DeadlineExceeded
	default:
		return nil
	}
}
