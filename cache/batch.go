package cache

import "encoding/binary"

// Batch is what a Write brings: at most one sdp and any number of candidates, stored together or not at all. The zero Batch is empty
// and ready to use. Reset empties it and keeps its memory. It is not safe for concurrent use.
//
// It is one flat run of frames, so that building, storing and sending it costs no allocation per message:
//
//	kind (1 byte) | length before escaping (4 bytes, little endian) | length of the wire form (4) | wire form
type Batch struct {
	frames     []byte
	sdp        bool
	candidates int
	size       int
}

const frameHeader = 1 + 4 + 4

// Frame is one message of a Batch. Wire points into the Batch.
type Frame struct {
	Kind Kind
	// Size is the payload's length in bytes before escaping. Whoever makes the frame may bound that; a store counts Wire.
	Size int
	// Wire is the payload in wire form: the inside of a JSON string (RFC 8259, Section 7).
	Wire []byte
}

// Reset empties the batch. It keeps the batch's memory, unless that is more than keep bytes.
func (b *Batch) Reset(keep int) {
	frames := b.frames[:0]
	if cap(frames) > keep {
		frames = nil
	}
	*b = Batch{frames: frames}
}

// Begin starts a frame. The caller appends the frame's wire form to the slice that Begin returns, and hands that to Commit. The slice is
// the batch's own and holds the frames so far. A frame that is not committed is forgotten.
func (b *Batch) Begin(kind Kind) []byte {
	return append(b.frames, byte(kind), 0, 0, 0, 0, 0, 0, 0, 0)
}

// Commit ends the frame that Begin started. frames is what Begin returned, with the wire form behind it: a valid inside of a JSON string.
// size is the payload's length in bytes before escaping. A second sdp is a bug and panics.
func (b *Batch) Commit(frames []byte, size int) {
	header := frames[len(b.frames):]
	switch kind := Kind(header[0]); {
	case kind == Candidate:
		b.candidates++
	case kind == SDP && !b.sdp:
		b.sdp = true
	default:
		panic("BUG: a batch holds candidates and at most one sdp")
	}
	binary.LittleEndian.PutUint32(header[1:], uint32(size))
	binary.LittleEndian.PutUint32(header[5:], uint32(len(header)-frameHeader))
	b.size += len(header) - frameHeader
	b.frames = frames
}

// Add appends a copy of the frame, as Begin and Commit do.
func (b *Batch) Add(f Frame) { b.Commit(append(b.Begin(f.Kind), f.Wire...), f.Size) }

// HasSDP reports whether the batch has an sdp.
func (b *Batch) HasSDP() bool { return b.sdp }

// Candidates returns how many candidates the batch has.
func (b *Batch) Candidates() int { return b.candidates }

// Size returns the bytes of all payloads as they are stored, in wire form. A control character before escaping is six of them.
func (b *Batch) Size() int { return b.size }

// Frames returns the frames, which NextFrame walks. The slice is the batch's own.
func (b *Batch) Frames() []byte { return b.frames }

// NextFrame returns the first frame of frames and those behind it. ok is false when frames is empty or damaged; then the
// frame is zero and rest nil.
func NextFrame(frames []byte) (f Frame, rest []byte, ok bool) {
	if len(frames) < frameHeader {
		return Frame{}, nil, false
	}
	kind := Kind(frames[0])
	size := binary.LittleEndian.Uint32(frames[1:])
	wire := binary.LittleEndian.Uint32(frames[5:])
	rest = frames[frameHeader:]
	if kind != SDP && kind != Candidate || size > maxFrame || uint64(wire) > uint64(len(rest)) {
		return Frame{}, nil, false
	}
	return Frame{Kind: kind, Size: int(size), Wire: rest[:wire:wire]}, rest[wire:], true
}

const maxFrame = 1 << 30 // bytes: more than any limit allows, and safe to hold in an int of 32 bits

// Token tells a repeated write from a new one: an Idempotency-Key, 1 to 64 visible ASCII characters. The empty Token means
// none. Like a Key it may point into a request's buffer.
type Token string
