package cache

import "encoding/binary"

// Batch is one write: at most one sdp and any number of candidates, stored together or not at all. The zero Batch is empty
// and ready to use; Reset makes it so again and keeps its memory. It is not safe for concurrent use.
//
// It is one flat run of frames, so that building, storing and sending it costs no allocation per message:
//
//	kind (1 byte) | length before escaping (uvarint) | length of the wire form (uvarint) | wire form
type Batch struct {
	frames     []byte
	sdp        bool
	candidates int
	size       int
}

// Frame is one message of a Batch. Wire points into the Batch.
type Frame struct {
	Kind Kind
	// Size is the payload's length in bytes before escaping: what limits count.
	Size int
	// Wire is the payload in wire form: the inside of a JSON string (RFC 8259, Section 7).
	Wire []byte
}

// Reset empties the batch. Memory over keep bytes is given back to the collector.
func (b *Batch) Reset(keep int) {
	frames := b.frames[:0]
	if cap(frames) > keep {
		frames = nil
	}
	*b = Batch{frames: frames}
}

// Add appends a copy of the frame. The caller has checked that Wire is a valid inside of a JSON string, and adds at most one
// sdp: a second one is a bug and panics.
func (b *Batch) Add(f Frame) {
	switch {
	case f.Kind == Candidate:
		b.candidates++
	case f.Kind == SDP && !b.sdp:
		b.sdp = true
	default:
		panic("BUG: a batch holds candidates and at most one sdp")
	}
	b.size += f.Size
	b.frames = append(b.frames, byte(f.Kind))
	b.frames = binary.AppendUvarint(b.frames, uint64(f.Size))
	b.frames = binary.AppendUvarint(b.frames, uint64(len(f.Wire)))
	b.frames = append(b.frames, f.Wire...)
}

// HasSDP reports whether the batch has an sdp.
func (b *Batch) HasSDP() bool { return b.sdp }

// Candidates returns how many candidates the batch has.
func (b *Batch) Candidates() int { return b.candidates }

// Size returns the bytes of all payloads before escaping.
func (b *Batch) Size() int { return b.size }

// Frames returns the frames, to be walked with NextFrame. The slice is the batch's own.
func (b *Batch) Frames() []byte { return b.frames }

// NextFrame returns the first frame of frames and those behind it. ok is false when frames is empty or damaged; then the
// frame is zero and rest nil.
func NextFrame(frames []byte) (f Frame, rest []byte, ok bool) {
	if len(frames) == 0 || Kind(frames[0]) != SDP && Kind(frames[0]) != Candidate {
		return Frame{}, nil, false
	}
	kind, rest := Kind(frames[0]), frames[1:]
	size, n := binary.Uvarint(rest)
	if n <= 0 || size > maxFrame {
		return Frame{}, nil, false
	}
	rest = rest[n:]
	wire, n := binary.Uvarint(rest)
	if n <= 0 || wire > uint64(len(rest)-n) {
		return Frame{}, nil, false
	}
	rest = rest[n:]
	return Frame{Kind: kind, Size: int(size), Wire: rest[:wire:wire]}, rest[wire:], true
}

const maxFrame = 1 << 30 // bytes: more than any limit allows, and safe to hold in an int of 32 bits

// Token tells a repeated write from a new one: an Idempotency-Key, 1 to 64 visible ASCII characters. The empty Token means
// none. Like a Key it may point into a request's buffer.
type Token string
