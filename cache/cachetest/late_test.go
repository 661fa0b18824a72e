package cachetest

import (
	"testing"

	"signal-server/cache"
)

// TestRingsThatComeLate wants wantTrue to pass over rings of an earlier session, and of the opening, and still to want the one that tells the news.
func TestRingsThatComeLate(t *testing.T) {
	for _, tt := range []struct {
		name string
		true bool // the ring that tells the news comes, too
		want int  // failures
	}{
		{"before the true one", true, 0},
		{"in place of it", false, 1},
	} {
		late := check{run: func(r *rig) {
			r.open("k", sdp("o"), cand("1"))
			beginning := cache.NewCursor(r.epoch("k"), 0)
			rings := []cache.News{
				{At: beginning ^ 1<<16, Frames: batch(sdp("p"), cand("1")).Frames()},
				{At: beginning},
			}
			if tt.true {
				rings = append(rings, cache.News{At: beginning, Frames: batch(sdp("o"), cand("1")).Frames()})
			}
			bell := make(cache.Chime, len(rings)) // as if each came once the one before is heard
			for _, n := range rings {
				bell <- n
			}
			wantTrue(r, "Write that opens", "k", cache.Answer, bell, 0)
		}}
		if got := late.failures(t, modelHarness()); len(got) != tt.want {
			t.Errorf("%s: got %q, want %d failures", tt.name, got, tt.want)
		}
	}
}
