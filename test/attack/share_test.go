package attack_test

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"signal-server/custerrors"
)

// TestFloodOfOneAddress lets one address open sessions without content as fast as it can, and lets them live. It gets its share of the memory;
// peers of another address open sessions and complete them throughout.
func TestFloodOfOneAddress(t *testing.T) {
	const memory = 32 << 20
	s := serve(t, fmt.Sprint("--memory=", memory), "--max-client-memory=1/8")
	p := connectingFrom(t, s.url(), "127.0.0.2")
	opening := openings{status: 429, msg: custerrors.TooManyRequests}
	var held atomic.Int64
	flood := func() {
		over := time.Now().Add(4 * time.Second) // twice what is set aside for
		var all sync.WaitGroup
		for i := range 4 {
			a := dial(t, s.Addr)
			all.Go(func() {
				for n := 0; time.Now().Before(over) && opening.ask(t, a, fmt.Sprintf("/offer/sdp?key=%d-%d", i, n), `{"data":"x"}`); n++ {
				}
			})
		}
		all.Wait()
		held.Store(int64(s.metric(t, "signal_store_bytes")))
	}
	before, in := p.during(t, flood)
	opening.wantBoth(t)
	if most := int64(memory / 8); held.Load() > most { // with what the peers hold; three quarters of it are the client's share
		t.Errorf("got %d bytes held or set aside, want %d at most", held.Load(), most)
	}
	if ready := s.metric(t, "signal_ready"); ready != 1 {
		t.Error("the server takes no new sessions, want it to")
	}
	if n := strings.Count(s.Log.String(), "level=WARN"); n != 1 || !strings.Contains(s.Log.String(), "client=127.0.0.1") {
		t.Errorf("the log: got %d warnings, want one, of 127.0.0.1:\n%.1000s", n, s.Log)
	}
	if got, limit := s.resident(t), 100<<20; got > limit {
		t.Errorf("resident: got %d MB, want %d at most", got>>20, limit>>20)
	}
	t.Logf("a flood from one address into %d MiB: %d opened, %d refused, %d bytes held; peers before %v; in it %v; resident %d MB", memory>>20,
		opening.opened.Load(), opening.refused.Load(), held.Load(), before, in, s.resident(t)>>20)
}
