package cache

import (
	"math"
	"testing"
)

func TestSetAside(t *testing.T) {
	const full = 264 << 10
	for first, want := range map[int]int{
		0: 10 << 10, 2000: 10 << 10, 3 << 10: 10 << 10, 3<<10 + 1: 10<<10 + 2, 100 << 10: 204 << 10, 200 << 10: full, full: full,
	} {
		if got := SetAside(first, full); got != want {
			t.Errorf("for a first write of %d bytes: got %d, want %d", first, got, want)
		}
	}
	if got := SetAside(100, 1000); got != 1000 {
		t.Errorf("for a session of 1000 bytes at the most: got %d, want no more", got)
	}
	if got := SetAside(0, math.MaxInt); got != 10<<10 {
		t.Errorf("for nothing yet: got %d, want 10 KiB", got)
	}
}

func TestSettled(t *testing.T) {
	for held, want := range map[int]int{0: 0, 20: 80, 2559: 10236, 2560: 10 << 10, 1 << 20: 10 << 10} {
		if got := Settled(10<<10, held); got != want {
			t.Errorf("of 10 KiB for a session of %d bytes: got %d, want %d", held, got, want)
		}
	}
}
