package memory

import (
	"encoding/binary"
	"hash/maphash"

	"signal-server/cache"
	"signal-server/custerrors"
)

// stamp is a token and what it is bound to, as hashes under seeds that are private to the process. The zero stamp is of no token.
type stamp struct{ token, bound uint64 }

// stamp hashes a token, and the route and body that it is bound to.
func (s *Store) stamp(token cache.Token, route string, body []byte) stamp {
	if token == "" {
		return stamp{}
	}
	var h maphash.Hash
	h.SetSeed(s.tokens)
	h.WriteString(route)
	h.WriteByte(0) // no route has one
	h.Write(body)
	return stamp{maphash.String(s.tokens, string(token)) | 1, h.Sum64()}
}

// receipt remembers what a request with a token has done: its stamp, and which messages it has got, by their places in the log that it
// took from. It is an entry of the ring, in a list of the role that asked. What was taken stays in its log, so that a place is enough.
type receipt struct {
	stamp
	first, behind uint16 // the places that a cursor has; behind is 0 if it was a write
}

// receiptBytes is what a receipt takes in the ring.
const (
	receiptPayload = 8 + 8 + 2 + 2
	receiptBytes   = headerBytes + receiptPayload + queueBytes
)

// bytes is what a receipt with this stamp takes in the ring: nothing without a token.
func (st stamp) bytes() int {
	if st.token == 0 {
		return 0
	}
	return receiptBytes
}

// receiptLocked returns the receipt of the stamp's token in the log of the role that used it; the zero receipt if there is none. The
// error is custerrors.IdempotencyKeyIsReused if the token was bound to something else.
func (s *stripe) receiptLocked(l *log, st stamp) (receipt, error) {
	if st.token == 0 {
		return receipt{}, nil
	}
	for p := l.receipts.first; p != 0; {
		e := entry(s.ring.get(p))
		b := e.payload()
		if binary.LittleEndian.Uint64(b) == st.token {
			if binary.LittleEndian.Uint64(b[8:]) != st.bound {
				return receipt{}, custerrors.IdempotencyKeyIsReused
			}
			return receipt{st, binary.LittleEndian.Uint16(b[16:]), binary.LittleEndian.Uint16(b[18:])}, nil
		}
		p = e.next()
	}
	return receipt{}, nil
}

// appliedLocked reports whether a write with this stamp is in the log.
func (s *stripe) appliedLocked(l *log, st stamp) (bool, error) {
	was, err := s.receiptLocked(l, st)
	if err == nil && was.behind != 0 {
		err = custerrors.IdempotencyKeyIsReused
	}
	return was.token != 0, err
}

// keepLocked stores the receipt, for which there is room, in the log of the role that used its token. It stores none without a token.
func (s *stripe) keepLocked(r *record, of cache.Role, was receipt) {
	if was.token == 0 {
		return
	}
	var b [receiptPayload]byte
	binary.LittleEndian.PutUint64(b[:], was.token)
	binary.LittleEndian.PutUint64(b[8:], was.bound)
	binary.LittleEndian.PutUint16(b[16:], was.first)
	binary.LittleEndian.PutUint16(b[18:], was.behind)
	s.linkLocked(r, &r.log(of).receipts, roleFlag(of)|flagReceipt, b[:])
}
