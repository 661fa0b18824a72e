package gate

import (
	"testing"
	"time"

	"signal-server/app/gate/limit"
	"signal-server/cache"
)

// generous are limits that no test reaches.
var generous = limit.Config{
	Requests: limit.Rate{Events: 1 << 30, Per: time.Second}, Opens: limit.Rate{Events: 1 << 30, Per: time.Second},
	WrongKeys: limit.Rate{Events: 1 << 30, Per: time.Second}, Block: time.Minute, Waits: 1 << 20,
}

// loads are gates, and a claim that each of them lets in.
func loads(w *world) map[string]struct {
	parts Parts
	claim Claim
} {
	return map[string]struct {
		parts Parts
		claim Claim
	}{
		"nothing": {Parts{}, Claim{Key: "k", Seat: cache.Offer}},
		"limits":  {Parts{Limiter: limit.New(generous)}, Claim{Key: "k", Seat: cache.Offer, Client: alice}},
		"tickets": {Parts{Tickets: w.tickets}, Claim{Key: "k", Seat: cache.Offer, Tickets: asOffer(w.offer)}},
		"limits, tickets and tokens": {
			Parts{Limiter: limit.New(generous), Tickets: w.tickets, Guard: w.guard},
			Claim{Key: "k", Seat: cache.Offer, Client: alice, Tickets: asOffer(w.offer), Token: w.all},
		},
	}
}

func TestAllocations(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector allocates")
	}
	for name, load := range loads(newWorld(t)) {
		g := New(Config{AllowOrigins: []string{"https://a.example"}, MaxWaits: 1 << 20}, load.parts)
		var p Pass
		for what, f := range map[string]func(){
			"Enter": func() {
				if err := g.Enter(&load.claim, &p); err != nil {
					t.Fatal(err)
				}
			},
			"Opens": func() { g.Opens(&p) },
			"Note":  func() { g.Note(&p, nil) },
			"Hold": func() {
				if h, err := g.Hold(&p); err == nil {
					h.Release()
				}
			},
			"Admits": func() {
				g.Admits([]byte("https://a.example"), []byte("s.example"))
				g.Admits([]byte("https://evil.example"), []byte("evil.example"))
			},
			"Met": func() { g.Met(&p) },
		} {
			if got := testing.AllocsPerRun(100, f); got != 0 {
				t.Errorf("%s: %s: got %v allocations, want none", name, what, got)
			}
		}
	}
}

func BenchmarkEnter(b *testing.B) {
	for name, load := range loads(newWorld(b)) {
		b.Run(name, func(b *testing.B) {
			g := New(Config{AllowOrigins: []string{"*"}}, load.parts)
			var p Pass
			b.ReportAllocs()
			for b.Loop() {
				if err := g.Enter(&load.claim, &p); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
