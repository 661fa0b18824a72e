package call

import (
	"bytes"
	"errors"
	"math"
	"time"

	"signal-server/cache"
	"signal-server/cache/text"
	"signal-server/custerrors"
)

// maxBytesOf returns the limit of one payload of that kind.
func (w *Wire) maxBytesOf(kind cache.Kind) int {
	if kind == cache.SDP {
		return w.config.SDPBytes
	}
	return w.config.CandidateBytes
}

// blank reports whether the payload is empty or white space only.
func blank(payload []byte) bool { return len(bytes.TrimSpace(payload)) == 0 }

// addText adds a payload that came as text.
func (w *Wire) addText(b *cache.Batch, kind cache.Kind, payload []byte) error {
	if len(payload) > w.maxBytesOf(kind) {
		return custerrors.BodyIsTooLong
	}
	if blank(payload) {
		return custerrors.BodyIsEmpty
	}
	frames, ok := text.AppendEscaped(b.Begin(kind), payload)
	if !ok {
		return custerrors.BodyIsNotUTF8
	}
	b.Commit(frames, len(payload))
	return nil
}

// addString adds a payload that came as a JSON string: its inside is what is stored.
func (w *Wire) addString(b *cache.Batch, kind cache.Kind, inside []byte, size int) error {
	if size > w.maxBytesOf(kind) {
		return custerrors.BodyIsTooLong
	}
	if text.Blank(inside) {
		return custerrors.BodyIsEmpty
	}
	b.Add(cache.Frame{Kind: kind, Size: size, Wire: inside})
	return nil
}

// addCandidates adds the candidates of the JSON array that is next.
func (w *Wire) addCandidates(b *cache.Batch, r *text.Reader) error {
	for first := r.Begin('['); r.More(&first, ']'); {
		if b.Candidates() >= w.candidates {
			return custerrors.QueueIsFull // the store would say so, after much reading
		}
		inside, size := r.String()
		if r.Failed() {
			break // the caller's End says why
		}
		if err := w.addString(b, cache.Candidate, inside, size); err != nil {
			return err
		}
	}
	return nil
}

// readCandidates reads the body of POST candidates: a JSON array of strings.
func (w *Wire) readCandidates(b *cache.Batch, body []byte) error {
	if blank(body) {
		return custerrors.BodyIsEmpty
	}
	r := text.NewReader(body)
	if err := w.addCandidates(b, &r); err != nil {
		return err
	}
	if err := r.End(); err != nil {
		return msgOf(err)
	}
	if b.Candidates() == 0 {
		return custerrors.BodyIsEmpty
	}
	return nil
}

// readOffer reads the body of POST /offer/sdp: {"key_ttl":30,"data":"…"}.
func (w *Wire) readOffer(b *cache.Batch, body []byte) (ttl time.Duration, err error) {
	if blank(body) {
		return 0, custerrors.DataIsEmpty
	}
	r := text.NewReader(body)
	var data []byte
	var size int
	var seen members
	for first := r.Begin('{'); r.More(&first, '}'); {
		switch r.Name() {
		case "key_ttl":
			seen.once(&r, memberTTL)
			ttl = readTTL(&r)
		case "data":
			seen.once(&r, memberSDP)
			if !r.Null() {
				data, size = r.String()
			}
		default:
			r.Skip()
		}
	}
	if err := r.End(); err != nil {
		return 0, msgOf(err)
	}
	if err = w.addString(b, cache.SDP, data, size); err == custerrors.BodyIsEmpty {
		err = custerrors.DataIsEmpty
	}
	return ttl, err
}

// readMessages reads the body of POST messages: {"key_ttl":30,"sdp":"…","candidates":["…"]}.
func (w *Wire) readMessages(b *cache.Batch, body []byte) (ttl time.Duration, err error) {
	if blank(body) {
		return 0, custerrors.BodyIsEmpty
	}
	r := text.NewReader(body)
	var seen members
	for first := r.Begin('{'); err == nil && r.More(&first, '}'); {
		switch r.Name() {
		case "key_ttl":
			seen.once(&r, memberTTL)
			ttl = readTTL(&r)
		case "sdp":
			seen.once(&r, memberSDP)
			if r.Null() {
				break
			}
			if inside, size := r.String(); !r.Failed() {
				err = w.addString(b, cache.SDP, inside, size)
			}
		case "candidates":
			seen.once(&r, memberCandidates)
			if !r.Null() {
				err = w.addCandidates(b, &r)
			}
		default:
			r.Skip()
		}
	}
	if err != nil {
		return 0, err
	}
	if err := r.End(); err != nil {
		return 0, msgOf(err)
	}
	if !b.HasSDP() && b.Candidates() == 0 {
		return 0, custerrors.BodyIsEmpty
	}
	return ttl, nil
}

// members are the members of an object that were read.
type members uint8

const (
	memberTTL members = 1 << iota
	memberSDP
	memberCandidates
	memberResult
	memberType
	memberMS
)

// once makes the Reader fail if the member was read before: which of two is meant, nobody knows (RFC 8259, Section 4).
func (m *members) once(r *text.Reader, member members) {
	if *m&member != 0 {
		r.Fail()
	}
	*m |= member
}

// readTTL reads key_ttl, in seconds, the fraction of a nanosecond cut off. Null, and what is too long for a Duration, is 0:
// the store's maximum.
func readTTL(r *text.Reader) time.Duration {
	if r.Null() {
		return 0
	}
	seconds := r.Number()
	if seconds <= 0 || seconds >= math.MaxInt64/float64(time.Second) {
		return 0
	}
	return max(1, time.Duration(seconds*float64(time.Second))) // which is not "the maximum", however short; the store knows the least
}

// msgOf says in the client's terms why a JSON text was not taken.
func msgOf(err error) custerrors.Error {
	if errors.Is(err, text.ErrUTF8) {
		return custerrors.BodyIsNotUTF8
	}
	return custerrors.BodyIsNotJSON
}
