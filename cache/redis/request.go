package redis

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"math"
	"strings"
	"time"

	"signal-server/cache"
)

// request is what a script is called with. Its strings are parts of one string of its own, because rueidis may write a command after
// the caller has gone.
type request struct {
	session string // KEYS[1], and the channel of its news
	grave   string // KEYS[2], the tombstone
	args    [4]string
	count   int // of args

	moment *moment // when it began
	clock  *clock  // of its server, if the script changes something
	by     int64   // by when it must be carried out, on that clock, in ms

	// what earlier attempts have taught
	whole bool // the server lacks the script
	alone bool // the script names the session and not its tombstone: they may be on two servers
}

const (
	idBytes = 16 // of a key's hash: nobody finds two keys that share them
	idSize  = 22 // and in base64

	// graveMark ends the name of a tombstone, behind the hash tag that keeps it in the session's slot.
	graveMark = "-"
)

// appendName appends the name of the key's session: whatever bytes the key holds, the name is prefix, {, 22 letters, digits, -
// and _, }.
func appendName(dst []byte, prefix string, key cache.Key) []byte {
	var clear [cache.MaxKeyLength * 4]byte
	sum := sha256.Sum256(append(clear[:0], key...))
	dst = append(append(dst, prefix...), '{')
	dst = base64.RawURLEncoding.AppendEncode(dst, sum[:idBytes])
	return append(dst, '}')
}

// header is room for the packed numbers of any script.
type header [64]byte

// newRequest makes a request of the key and the packed numbers. text is empty, and gets room for size bytes more.
func (s *Store) newRequest(sc *script, key cache.Key, packed []byte, size int, text *strings.Builder) request {
	var name [maxPrefix + idSize + 2]byte
	n := appendName(name[:0], s.prefix, key)
	text.Grow(len(n) + len(graveMark) + stampSize + len(packed) + size)
	text.Write(n)
	text.WriteString(graveMark)
	r := request{moment: s.deadlines.moment()}
	if sc.changes {
		r.clock = s.routes.clock(n)
		var b [stampSize]byte
		text.Write(s.stamp(b[:0], &r, r.clock.ahead.Load()))
	}
	text.Write(packed)
	all := text.String()
	end := len(n) + len(graveMark)
	r.session, r.grave = all[:len(n)], all[:end]
	r.args[0], r.count = all[end:], 1
	return r
}

// boundSize is how many bytes are kept of what a token is bound to. All nodes have to come to the same, so it is a hash without a secret of
// this process. It needs none: 128 bits of SHA-256 tell nothing that does not stand beside them in clear, and nobody finds another request
// that shares them.
const boundSize = 16

// appendBound appends what the token is bound to, or nothing without a token.
func appendBound(dst []byte, token cache.Token, route string, body []byte) []byte {
	if token == "" {
		return dst
	}
	var clear [maxRoute + 1 + sha256.Size]byte
	sum := sha256.Sum256(body)
	b := append(append(clear[:0], route...), 0) // no route has a zero
	sum = sha256.Sum256(append(b, sum[:]...))
	return append(dst, sum[:boundSize]...)
}

// maxRoute is for how long a route no memory is needed.
const maxRoute = 64

// newTake makes the request of a take.
func (s *Store) newTake(t *cache.Take) request {
	var packed header
	b := append(packed[:0], byte(t.To), byte(t.Kind))
	b = appendEpoch(binary.LittleEndian.AppendUint16(b, clampLimit(t.Limit)), t.In)
	b = appendBound(b, t.Token, t.Route, nil)
	var text strings.Builder
	r := s.newRequest(scriptTake, t.Key, b, len(t.Token), &text)
	if t.Token != "" {
		begin := text.Len()
		text.WriteString(string(t.Token))
		r.args[1], r.count = text.String()[begin:], 2
	}
	return r
}

// newWrite makes the request of a write.
func (s *Store) newWrite(w *cache.Write) request {
	var packed header
	b := append(packed[:0], byte(w.From), flag(w.Opens))
	b = binary.LittleEndian.AppendUint64(b, uint64(w.After))
	b = binary.LittleEndian.AppendUint16(b, clampLimit(w.Limit))
	b = appendEpoch(b, cache.NewEpoch())
	for _, n := range [...]int64{
		s.clampTTL(w.TTL), s.limits.Lifetime.Milliseconds(), int64(w.Batch.Size()), int64(w.Batch.Candidates()),
		int64(s.limits.Candidates), int64(s.limits.SessionBytes),
	} {
		b = binary.LittleEndian.AppendUint32(b, uint32(min(n, math.MaxUint32)))
	}
	b = appendBound(b, w.Token, w.Route, w.Body)
	frames := w.Batch.Frames()
	var text strings.Builder
	r := s.newRequest(scriptWrite, w.Key, b, len(w.Token)+len(frames), &text)

	begin := text.Len()
	text.WriteString(string(w.Token))
	token := text.Len()
	each(frames, cache.SDP, &text)
	sdp := text.Len()
	each(frames, cache.Candidate, &text)
	all := text.String() // it shares the bytes of r's strings, because there was room
	r.args[1], r.args[2], r.args[3] = all[begin:token], all[token:sdp], all[sdp:]
	r.count = 4
	return r
}

// each writes the frames of that kind to text.
func each(frames []byte, kind cache.Kind, text *strings.Builder) {
	for {
		f, rest, ok := cache.NextFrame(frames)
		if !ok {
			return
		}
		if f.Kind == kind {
			text.Write(frames[:len(frames)-len(rest)])
		}
		frames = rest
	}
}

func flag(b bool) byte {
	if b {
		return 1
	}
	return 0
}

// appendEpoch appends the 6 bytes that an epoch has in a cursor.
func appendEpoch(dst []byte, epoch uint64) []byte {
	dst = binary.LittleEndian.AppendUint32(dst, uint32(epoch))
	return binary.LittleEndian.AppendUint16(dst, uint16(epoch>>32))
}

func clampLimit(n int) uint16 { return uint16(min(n, cache.MaxLog)) }

// clampTTL returns the TTL of a session that asks for ttl, in milliseconds.
func (s *Store) clampTTL(ttl time.Duration) int64 {
	return max(s.limits.SessionTTL(ttl).Milliseconds(), 1)
}
