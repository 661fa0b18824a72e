package wire

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"signal-server/custerrors"
)

func hostOf(bodiesBytes int) *Host { return &Host{config: Config{BodiesBytes: bodiesBytes}} }

func TestBodyGrowsAsBytesCome(t *testing.T) {
	const limit = 256 << 10
	h, b := hostOf(limit), body{}
	text := strings.Repeat("x", limit)
	for _, n := range []int{0, 1, firstBody, firstBody + 1, smallBody, smallBody + 1, 100_000, limit - 1, limit} {
		err := b.readFrom(iotest.DataErrReader(io.MultiReader(strings.NewReader(text[:n]), iotest.ErrReader(io.ErrUnexpectedEOF))), limit, h)
		if n < limit && err != io.ErrUnexpectedEOF {
			t.Errorf("%d bytes: got %v, want the reader's error", n, err)
		}
		if got := len(b.read); got != n {
			t.Errorf("%d bytes: got %d read", n, got)
		}
		if got, most := cap(b.read), max(2*n, firstBody); got > most {
			t.Errorf("%d bytes: got memory of %d, want %d at the most", n, got, most)
		}
		if got, _, _ := h.Bodies(); n > smallBody && (got < int64(n) || got > int64(2*n)) || n < smallBody && got != 0 {
			t.Errorf("%d bytes: got %d charged, want none of a small one, and no more than twice of others", n, got)
		}
		b.end(h)
		if got, _, _ := h.Bodies(); got != 0 || cap(b.read) > keepBody {
			t.Errorf("%d bytes: got %d charged at the end, and memory of %d, want 0, and %d at the most", n, got, cap(b.read), keepBody)
		}
		b = body{}
	}
}

func TestBodyBounds(t *testing.T) {
	for _, tt := range []struct {
		what             string
		n, limit, budget int
		want             error
	}{
		{"nothing", 0, 0, 0, nil},
		{"as long as told", 10, 10, 0, nil},
		{"shorter than the limit", 9, 10, 0, nil},
		{"longer", 11, 10, 0, custerrors.BodyIsTooLong},
		{"small, without a budget", smallBody, smallBody + 1, 0, nil},
		{"as large as the budget", 8000, 8000, 8000, nil},
		{"larger than the budget", 8001, 8001, 8000, custerrors.ServerIsOverloaded},
		{"that does not come", smallBody - 1, 1 << 20, 0, nil},
	} {
		h, b := hostOf(tt.budget), body{}
		if err := b.readFrom(iotest.DataErrReader(strings.NewReader(strings.Repeat("x", tt.n))), tt.limit, h); err != tt.want {
			t.Errorf("%s: got %v, want %v", tt.what, err, tt.want)
		}
		b.end(h)
		if got, _, _ := h.Bodies(); got != 0 {
			t.Errorf("%s: got %d charged at the end, want 0", tt.what, got)
		}
	}
}

func TestBodiesShareTheBudget(t *testing.T) {
	h := hostOf(16 << 10)
	var first, second body
	read := func(b *body, n int) error {
		return b.readFrom(iotest.DataErrReader(strings.NewReader(strings.Repeat("x", n))), n, h)
	}
	if err := read(&first, 10<<10); err != nil {
		t.Errorf("the first: got %v, want nil", err)
	}
	if err := read(&second, 10<<10); err != custerrors.ServerIsOverloaded {
		t.Errorf("the second: got %v, want ServerIsOverloaded", err)
	}
	second.end(h)
	first.end(h)
	if err := read(&second, 10<<10); err != nil {
		t.Errorf("the second, alone: got %v, want nil", err)
	}
}

func TestReadingABodyAllocatesNothing(t *testing.T) {
	for _, n := range []int{150, 3000, keepBody - 1} {
		h, b := hostOf(1<<20), body{}
		source := bytes.NewReader(make([]byte, n))
		allocs := testing.AllocsPerRun(100, func() {
			source.Seek(0, io.SeekStart)
			if err := b.readFrom(source, n+1, h); err != nil {
				t.Fatal(err)
			}
			b.end(h)
		})
		if allocs != 0 {
			t.Errorf("%d bytes: got %v allocations, want 0", n, allocs)
		}
	}
}
