package cache

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"
)

// rung takes a ring, if there is one.
func rung(b Chime) bool {
	select {
	case <-b:
		return true
	default:
		return false
	}
}

func TestChime(t *testing.T) {
	b := NewChime()
	if rung(b) {
		t.Error("new chime: got a ring, want silence")
	}
	for range 3 {
		b.Ring(News{}) // never blocks
	}
	if !rung(b) || rung(b) {
		t.Error("rung three times: got no ring, or more than one; want one that is remembered")
	}
}

// TestBellTells wants the sleeper to hear what a ring says. After two rings that it has not heard, it has to look.
func TestChimeTells(t *testing.T) {
	b := NewChime()
	told := News{At: NewCursor(7, 3), Frames: []byte("frames")}
	b.Ring(told)
	if got := <-b; got.At != told.At || string(got.Frames) != "frames" {
		t.Errorf("rung once: got %v, want %v", got, told)
	}
	for range 3 {
		b.Ring(told)
	}
	if got := <-b; got.At != 0 || got.Frames != nil {
		t.Errorf("rung three times: got %v, want to be told to look", got)
	}
	if rung(b) {
		t.Error("after that: got a ring, want silence")
	}
}

func TestBells(t *testing.T) {
	b := NewBells()
	one, two, answer, other := NewChime(), NewChime(), NewChime(), NewChime()
	b.Ring("key", Offer, News{}) // nobody
	hang := func(key Key, to Role, bell Chime, want bool) {
		t.Helper()
		if got := b.Hang(key, to, bell); got != want {
			t.Errorf("Hang: got first %v, want %v", got, want)
		}
	}
	unhang := func(key Key, to Role, bell Chime, want bool) {
		t.Helper()
		if got := b.Unhang(key, to, bell); got != want {
			t.Errorf("Unhang: got last %v, want %v", got, want)
		}
	}
	ring := func(key Key, to Role, want ...bool) {
		t.Helper()
		b.Ring(key, to, News{})
		for i, bell := range []Chime{one, two, answer, other} {
			if got := rung(bell); got != want[i] {
				t.Errorf("Ring %q for %v, bell %d: got a ring %v, want %v", key, to, i, got, want[i])
			}
		}
	}
	hang("key", Offer, one, true)
	hang("key", Offer, two, false)
	hang("key", Answer, answer, true)
	hang("key2", Offer, other, true)
	ring("key", Offer, true, true, false, false)
	ring("key", Answer, false, false, true, false)
	ring("key2", Offer, false, false, false, true)
	ring("key2", Answer, false, false, false, false)
	ring("ke", Offer, false, false, false, false)

	unhang("key", Answer, one, false) // hangs elsewhere
	unhang("never", Offer, one, false)
	unhang("key", Offer, one, false)
	unhang("key", Offer, one, false) // it does not hang any more; two was not the last one
	ring("key", Offer, false, true, false, false)
	hang("key", Offer, one, false)
	ring("key", Offer, true, true, false, false)
	unhang("key", Offer, two, false)
	unhang("key", Offer, one, true)
	ring("key", Offer, false, false, false, false)
	unhang("key", Answer, answer, true)
	unhang("key2", Offer, other, true)
	wantEmpty(t, b)
}

func wantEmpty(t *testing.T, b *Bells) {
	t.Helper()
	if got := b.hung.Load(); got != 0 {
		t.Errorf("all unhung: got %d bells counted, want 0", got)
	}
	for i := range b.shards {
		if got := len(b.shards[i].rows); got != 0 {
			t.Errorf("all unhung: got %d hooks left in shard %d, want 0", got, i)
		}
	}
}

// A key points into a request's buffer, which serves the next request while the bells still hang. Hanging a second bell, and taking
// one off, also write to the entry of the key.
func TestBellsKeepTheirOwnKey(t *testing.T) {
	b := NewBells()
	buffer := []byte("some key")
	call := func(f func(key Key)) {
		copy(buffer, "some key")
		f(Key(unsafe.String(&buffer[0], len(buffer))))
		copy(buffer, "########")
	}
	bells := []Chime{NewChime(), NewChime(), NewChime()}
	for i, bell := range bells {
		call(func(key Key) { b.Hang(key, Offer, bell) })
		b.Ring("some key", Offer, News{})
		for j, bell := range bells[:i+1] {
			if !rung(bell) {
				t.Errorf("%d bells hung by a key that changed later, bell %d: got no ring, want one", i+1, j)
			}
		}
	}
	for i, bell := range bells {
		call(func(key Key) { b.Unhang(key, Offer, bell) })
		b.Ring("some key", Offer, News{})
		for j, bell := range bells[i+1:] {
			if !rung(bell) {
				t.Errorf("%d bells unhung by a key that changed later, bell %d: got no ring, want one", i+1, i+1+j)
			}
		}
	}
	wantEmpty(t, b)
}

func TestBellsAtOnce(t *testing.T) {
	b := NewBells()
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			key := Key(fmt.Sprintf("key %d", i%3)) // some share a hook
			for range 500 {
				bell := NewChime()
				b.Hang(key, Offer, bell)
				b.Ring(key, Offer, News{})
				select { // not at once, because another ring may just be replacing this one
				case <-bell:
				case <-time.After(10 * time.Second):
					t.Errorf("Ring after Hang: got no ring, want one")
				}
				b.Unhang(key, Offer, bell)
			}
		})
	}
	group.Wait()
	wantEmpty(t, b)
}

func TestBellsAllocations(t *testing.T) {
	b, bell := NewBells(), NewChime()
	key := Key(strings.Repeat("k", MaxKeyLength))
	if got := testing.AllocsPerRun(100, func() { b.Ring(key, Offer, News{}) }); got != 0 {
		t.Errorf("Ring where nobody waits: got %v allocations, want 0", got)
	}
	b.Hang(key, Offer, bell)
	if got := testing.AllocsPerRun(100, func() { b.Ring(key, Offer, News{}) }); got != 0 {
		t.Errorf("Ring: got %v allocations, want 0", got)
	}
	b.Unhang(key, Offer, bell)
}

func BenchmarkBellsRing(b *testing.B) {
	for _, hung := range []int{0, 1} {
		b.Run(fmt.Sprintf("hung=%d", hung), func(b *testing.B) {
			board := NewBells()
			if hung > 0 {
				board.Hang("key", Offer, NewChime())
			}
			b.ReportAllocs()
			for b.Loop() {
				board.Ring("key", Offer, News{})
			}
		})
	}
}
