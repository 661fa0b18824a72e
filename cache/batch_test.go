package cache_test

import (
	"bytes"
	"slices"
	"testing"

	"signal-server/cache"
)

// frameHeader is what a frame has before its payload: kind, and two lengths of 4 bytes.
const frameHeader = 9

// walk returns the frames and what is left behind them.
func walk(frames []byte) (all []cache.Frame, rest []byte) {
	for {
		f, next, ok := cache.NextFrame(frames)
		if !ok {
			return all, frames
		}
		all, frames = append(all, f), next
	}
}

func equalFrames(a, b []cache.Frame) bool {
	return slices.EqualFunc(a, b, func(a, b cache.Frame) bool {
		return a.Kind == b.Kind && a.Size == b.Size && bytes.Equal(a.Wire, b.Wire)
	})
}

func TestBatch(t *testing.T) {
	want := []cache.Frame{
		{Kind: cache.Candidate, Size: 1, Wire: []byte(`\u0000`)},
		{Kind: cache.SDP, Size: 5, Wire: []byte("v=0\\r\\n")},
		{Kind: cache.Candidate, Size: 0, Wire: nil},
		{Kind: cache.Candidate, Size: 70000, Wire: bytes.Repeat([]byte("x"), 70000)},
	}
	var b cache.Batch
	for round := range 3 {
		for i, f := range want {
			wire := bytes.Clone(f.Wire)
			if i%2 == 0 {
				b.Add(cache.Frame{Kind: f.Kind, Size: f.Size, Wire: wire})
				clear(wire) // Add has a copy
			} else {
				_ = append(b.Begin(cache.SDP), "abandoned"...)
				b.Commit(append(b.Begin(f.Kind), wire...), f.Size)
			}
		}
		got, rest := walk(b.Frames())
		if !equalFrames(got, want) || len(rest) != 0 {
			t.Errorf("round %d: got %d frames and %d bytes left, want the %d that were added", round, len(got), len(rest), len(want))
		}
		if !b.HasSDP() || b.Candidates() != 3 || b.Size() != 70013 {
			t.Errorf("got sdp %v, %d candidates, %d bytes, want true, 3, 70013: as they are stored", b.HasSDP(), b.Candidates(), b.Size())
		}
		b.Reset(1 << 20)
		if b.HasSDP() || b.Candidates() != 0 || b.Size() != 0 || len(b.Frames()) != 0 {
			t.Errorf("after Reset: got %+v, want it empty", b)
		}
	}
}

func TestBatchMemory(t *testing.T) {
	var b cache.Batch
	f := cache.Frame{Kind: cache.Candidate, Size: 1000, Wire: bytes.Repeat([]byte("x"), 1000)}
	b.Add(f)
	b.Reset(1 << 20)
	if got := testing.AllocsPerRun(100, func() { b.Add(f); b.Reset(1 << 20) }); got != 0 {
		t.Errorf("Add and a Reset that keeps the memory: got %v allocations, want 0", got)
	}
	b.Reset(cap(b.Frames()))
	if cap(b.Frames()) == 0 {
		t.Error("Reset to keep exactly what it has: got no memory, want it kept")
	}
	b.Reset(cap(b.Frames()) - 1)
	if got := cap(b.Frames()); got != 0 {
		t.Errorf("Reset to keep less than it has: got %d bytes kept, want 0", got)
	}
}

func TestBatchRefusesBugs(t *testing.T) {
	tests := map[string][]cache.Kind{
		"two sdps":        {cache.SDP, cache.SDP},
		"two sdps, apart": {cache.SDP, cache.Candidate, cache.SDP},
		"no kind":         {0},
		"unknown kind":    {cache.Candidate + 1},
	}
	for name, kinds := range tests {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("Add: got no panic, want one")
				}
			}()
			var b cache.Batch
			for _, kind := range kinds {
				b.Add(cache.Frame{Kind: kind})
			}
		})
	}
}

// FuzzNextFrame reads any bytes as frames, and then makes frames of them. What was written is read again, damage is found and not
// passed on, and no length counts that the input cannot hold.
func FuzzNextFrame(f *testing.F) {
	f.Fuzz(func(t *testing.T, data []byte) {
		read(t, data)
		written := write(t, data)
		for _, cut := range []int{len(data) % len(written), len(written) - 1} {
			all, _ := walk(written)
			if got, _ := walk(written[:cut]); len(got) >= len(all) || !equalFrames(got, all[:len(got)]) {
				t.Errorf("frames cut off after %d bytes: got %d of %d frames, want fewer, those at the beginning", cut, len(got), len(all))
			}
		}
	})
}

// read walks bytes that are frames only by chance.
func read(t *testing.T, data []byte) {
	original := bytes.Clone(data)
	all, rest := walk(data)
	var again []byte
	for _, f := range all {
		if cap(f.Wire) != len(f.Wire) {
			t.Errorf("NextFrame: got %d bytes within reach behind a payload, want none", cap(f.Wire)-len(f.Wire))
		}
		var b cache.Batch
		b.Add(f)
		again = append(again, b.Frames()...)
	}
	if !bytes.Equal(append(again, rest...), original) {
		t.Errorf("got %d frames that make other bytes than those they were read from", len(all))
	}
	if len(all)*frameHeader > len(data) {
		t.Errorf("got %d frames of %d bytes, want %d bytes each at least", len(all), len(data), frameHeader)
	}
	if f, next, ok := cache.NextFrame(rest); ok || f.Kind != 0 || f.Size != 0 || f.Wire != nil || next != nil {
		t.Errorf("NextFrame of a damaged rest: got %+v, %v, want nothing", f, next)
	}
}

// write makes a batch with the data as payloads, and returns its frames.
func write(t *testing.T, data []byte) []byte {
	want := []cache.Frame{
		{Kind: cache.SDP, Size: len(data), Wire: data},
		{Kind: cache.Candidate, Size: 0, Wire: data[:len(data)/2]},
		{Kind: cache.Candidate, Size: 1 << 30, Wire: data[len(data)/2:]},
	}
	var b cache.Batch
	for _, f := range want {
		b.Add(f)
	}
	if got, rest := walk(b.Frames()); !equalFrames(got, want) || len(rest) != 0 {
		t.Errorf("got %d frames and %d bytes left, want the %d that were added", len(got), len(rest), len(want))
	}
	if len(b.Frames()) != 3*frameHeader+2*len(data) {
		t.Errorf("frames of %d bytes: got %d, want %d", len(data), len(b.Frames()), 3*frameHeader+2*len(data))
	}
	return b.Frames()
}
