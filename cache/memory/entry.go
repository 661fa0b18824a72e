package memory

import (
	"encoding/binary"

	"signal-server/cache"
)

// An entry of the ring is one fragment of one message, or a receipt; most messages are one fragment. The header:
//
//	offset  bytes
//	     0      4  slot of the session's record
//	     4      4  generation of that slot: with another one in the record, the entry is dead
//	     8      8  position of the next entry of the same list, 0 at its end
//	    16      1  flags
//
// and then the payload's bytes in wire form, or what the receipt holds. A list is the sdp, the candidates or the receipts of one log.
const (
	offSlot       = 0
	offGeneration = 4
	offNext       = 8
	offFlags      = 16
	headerBytes   = 17

	// maxFragment bounds an entry, so that the unused end of a chunk stays small beside the chunk, and one step of cleaning stays short.
	maxFragment = 8 << 10
	maxEntry    = headerBytes + maxFragment

	// queueBytes is what the BytesQueue puts before each entry: its length as an uvarint.
	queueBytes = 2
)

const (
	flagAnswer    = 1 << iota // in the log of answer, else of offer
	flagSDP                   // an sdp, else a candidate
	flagContinues             // the next entry of the list goes on with the same message
	flagReceipt               // a receipt, and no message
)

type entry []byte

func (e entry) slot() uint32       { return binary.LittleEndian.Uint32(e[offSlot:]) }
func (e entry) generation() uint32 { return binary.LittleEndian.Uint32(e[offGeneration:]) }
func (e entry) next() position     { return position(binary.LittleEndian.Uint64(e[offNext:])) }
func (e entry) setNext(p position) { binary.LittleEndian.PutUint64(e[offNext:], uint64(p)) }
func (e entry) is(flag byte) bool  { return e[offFlags]&flag != 0 }
func (e entry) same(o entry) bool  { return &e[0] == &o[0] }
func (e entry) bytes() int         { return len(e) + queueBytes }

func (e entry) role() cache.Role {
	if e.is(flagAnswer) {
		return cache.Answer
	}
	return cache.Offer
}

// list returns the list that the entry is in.
func (e entry) list(l *log) *list {
	switch {
	case e.is(flagReceipt):
		return &l.receipts
	case e.is(flagSDP):
		return &l.sdp
	default:
		return &l.trickle
	}
}

func (e entry) payload() []byte { return e[headerBytes:] }

func roleFlag(role cache.Role) byte {
	if role == cache.Answer {
		return flagAnswer
	}
	return 0
}

// appendEntry appends a whole entry without successor to dst.
func appendEntry(dst []byte, slot, generation uint32, flags byte, payload []byte) entry {
	dst = binary.LittleEndian.AppendUint32(dst, slot)
	dst = binary.LittleEndian.AppendUint32(dst, generation)
	dst = binary.LittleEndian.AppendUint64(dst, 0)
	dst = append(dst, flags)
	return append(dst, payload...)
}

// entryBytes returns what a batch takes in the ring.
func entryBytes(b *cache.Batch) (n int) {
	for frames := b.Frames(); ; {
		f, rest, ok := cache.NextFrame(frames)
		if !ok {
			return n
		}
		fragments := max(1, (len(f.Wire)+maxFragment-1)/maxFragment)
		n += len(f.Wire) + fragments*(headerBytes+queueBytes)
		frames = rest
	}
}
