package turn

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"testing"
	"time"

	"signal-server/app/iceserver"
	"signal-server/app/watch/metrics"
	"signal-server/cache"
)

// TestServeTellsOfAListenerThatEnds closes one of two listeners, as nobody is to do: a server that went on without it would look well.
func TestServeTellsOfAListenerThatEnds(t *testing.T) {
	for _, of := range []int{0, 1} {
		secrets, err := iceserver.OpenSecrets("")
		if err != nil {
			t.Fatal(err)
		}
		c := small()
		c.Listen = []string{"127.0.0.1:0", "127.0.0.1:0"}
		s, err := Open(c, Parts{Secrets: secrets, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(s.Close)
		served := make(chan error, 1)
		go func() { served <- s.Serve(func(netip.Addr) (func(), bool) { return func() {}, true }) }()
		s.listeners[of].Close()
		select {
		case err := <-served:
			if !errors.Is(err, net.ErrClosed) {
				t.Errorf("Serve: got %v, want net.ErrClosed", err)
			}
		case <-time.After(soon):
			t.Fatalf("Serve goes on without listener %d", of)
		}
	}
}

// TestURIsOfEachFamily wants clients to be told of the port that the server listens at by that family, also where the other one has another.
func TestURIsOfEachFamily(t *testing.T) {
	c := small()
	c.Listen = []string{"127.0.0.1:0", "[::1]:0"}
	s := serve(t, c, Parts{}).server
	var want []string
	for _, l := range s.listeners {
		at := l.Addr().String()
		want = append(want, "stun:"+at, "turn:"+at+"?transport=udp", "turn:"+at+"?transport=tcp")
	}
	if got := fmt.Sprint(s.URIs()); got != fmt.Sprint(want) {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestTheMostRelays wants the number that an alert goes by to be one that can be reached: there are no more relays than ports.
func TestTheMostRelays(t *testing.T) {
	c := small()
	c.Ports = Ports{50000, 50099}
	got := gauges{}
	serve(t, c, Parts{}).server.Report(got)
	if most := got[allocationsLimit]; most != 100 {
		t.Errorf("got %v, want as many as there are ports", most)
	}
}

// gauges is a metrics.Sink that keeps the values of metrics without labels.
type gauges map[*metrics.Metric]float64

// Value implements metrics.Sink.
func (g gauges) Value(m *metrics.Metric, value float64, _ ...string) { g[m] = value }

// Durations implements metrics.Sink.
func (gauges) Durations(*metrics.Metric, cache.Distribution, ...string) {}
