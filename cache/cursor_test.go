package cache_test

import (
	"testing"

	"pgregory.net/rapid"

	"signal-server/cache"
)

const maxEpoch = 1<<48 - 1

func TestCursor(t *testing.T) {
	for _, epoch := range []uint64{1, 2, 1 << 16, 1 << 47, maxEpoch} {
		for _, n := range []int{0, 1, 255, 256, cache.MaxLog - 1, cache.MaxLog} {
			c := cache.NewCursor(epoch, n)
			if c.Epoch() != epoch || c.Position() != n {
				t.Errorf("NewCursor(%x, %d): got %x, %d back, want the same", epoch, n, c.Epoch(), c.Position())
			}
			if c == 0 {
				t.Errorf("NewCursor(%x, %d): got the zero Cursor, want another", epoch, n)
			}
		}
	}
	if c := cache.Cursor(0); c.Epoch() != 0 || c.Position() != 0 {
		t.Errorf("zero Cursor: got %x, %d, want 0, 0", c.Epoch(), c.Position())
	}
}

// A Cursor is what a client passes back: whatever number that is, it has an epoch and a position within their ranges.
func TestCursorOfAnyNumber(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := cache.Cursor(rapid.Uint64().Draw(t, "cursor"))
		if c.Epoch() > maxEpoch || c.Position() < 0 || c.Position() > cache.MaxLog {
			t.Fatalf("%x: got epoch %x and position %d, want at most %x and %d", uint64(c), c.Epoch(), c.Position(), maxEpoch, cache.MaxLog)
		}
		if got := cache.NewCursor(c.Epoch(), c.Position()); got != c {
			t.Fatalf("%x: got %x from its parts, want the same", uint64(c), uint64(got))
		}
	})
}

func TestNewEpoch(t *testing.T) {
	seen := make(map[uint64]bool)
	for range 1000 {
		epoch := cache.NewEpoch()
		if epoch == 0 || epoch > maxEpoch {
			t.Fatalf("NewEpoch: got %x, want 1 to %x", epoch, maxEpoch)
		}
		if seen[epoch] { // 1,000 of 2^48: once in half a billion runs
			t.Fatalf("NewEpoch: got %x twice, want others", epoch)
		}
		seen[epoch] = true
	}
}
