// Package redis is the store for many machines: sessions in Redis or Valkey, which all nodes share. Two peers of a session may
// reach different nodes, and any node may die.
//
// Each call of the Store is one script, which the server runs in one step, in one round trip. Concurrent calls share their
// trips. A session is one hash, in one slot with its tombstone and the channel of its news:
//
//	key ─SHA-256, 128 bits─▶ signal:{id}     m   packed: epoch, end, ttl, counts      (expires with the session)
//	                                         s1  the offer's sdp       c11 c12 …  its candidates, a chunk for each write
//	                                         s2  the answer's sdp      c21 c22 …  its candidates
//	                                         t1… t2…  idempotency tokens, by role: what each is bound to, and has taken
//	                         signal:{id}-    the tombstone, cache.Grace longer
//	                         signal:{id}     the channel: who has news, and which: see heard
//
// A payload is stored as its frame, as in cache.Batch, so that a node only puts a form around it. The server's clock counts, and its
// key expiry ends sessions. Keys of clients are not stored.
//
// While somebody waits for a session on this node, the node is subscribed to the session's channel, over one connection for each
// server. News may be missed while a server fails. When the subscription is whole again, every bell that may have missed some is
// rung.
//
// A call ends within the timeout of the URL, whatever the servers do. Nothing is done later than that: see clock. It does not look at its
// Context: a server that shuts down ends the Contexts of requests under way, although these should be finished.
//
// It knows no HTTP, knows roles only by number, and writes nothing to a log.
package redis

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/alecthomas/units"
	"github.com/redis/rueidis"

	"signal-server/cache"
	"signal-server/custerrors"
)

// Store implements cache.Store. Open makes one.
type Store struct {
	// set at construction
	options
	limits    cache.Limits
	client    rueidis.Client
	deadlines *deadlines
	routes    *routes
	news      *news
	accounts  *accounts
	stopping  chan struct{} // closed by Close
	stopped   sync.WaitGroup

	// atomic
	inFlight atomic.Int64          // calls that wait for an answer
	health   atomic.Pointer[error] // what Ready says
	counts   counts
}

var _ cache.Store = (*Store)(nil)

// Open connects to the servers that the URL names, see parseURL, and checks that they are fit: their version, that they never evict, and
// that this user may do what a store does. It returns when that is known. If a server does not answer, that takes the URL's timeout.
func Open(ctx context.Context, url string, limits cache.Limits) (*Store, error) {
	o, err := parseURL(url)
	if err := errors.Join(err, validate(limits)); err != nil {
		return nil, err
	}
	client, err := rueidis.NewClient(o.client)
	if err != nil {
		return nil, fmt.Errorf("redis at %s: %w", o.where, err)
	}
	s := &Store{
		options:   o,
		limits:    limits,
		client:    client,
		deadlines: newDeadlines(o.timeout),
		stopping:  make(chan struct{}),
	}
	s.routes = newRoutes(client)
	s.news = newNews(client, s.routes, s.deadlines)
	if err := s.check(ctx); err != nil {
		s.Close()
		return nil, fmt.Errorf("redis at %s: %w", o.where, err)
	}
	s.counts = counts{} // the check's own session does not count
	if limits.ClientMemory != (cache.Share{}) {
		s.accounts = newAccounts(limits, s.memory(s.deadlines.context()))
	}
	s.stopped.Go(s.watch)
	return s, nil
}

func validate(l cache.Limits) error {
	var errs []error
	if l.TTL < time.Millisecond || l.Lifetime < time.Millisecond {
		errs = append(errs, fmt.Errorf("TTL %v and lifetime %v must be a millisecond or more", l.TTL, l.Lifetime))
	}
	if max(l.TTL, l.Lifetime).Milliseconds() > math.MaxUint32 {
		errs = append(errs, fmt.Errorf("TTL %v and lifetime %v must be 49 days or less", l.TTL, l.Lifetime))
	}
	if l.Candidates < 1 || l.Candidates >= cache.MaxLog {
		errs = append(errs, fmt.Errorf("candidates is %d, must be 1 to %d", l.Candidates, cache.MaxLog-1))
	}
	if l.SessionBytes < 1 || l.SessionBytes > cache.MaxSessionBytes {
		errs = append(errs, fmt.Errorf("session bytes is %v, must be 1B to %v", units.Base2Bytes(l.SessionBytes), units.Base2Bytes(cache.MaxSessionBytes)))
	}
	return errors.Join(errs...)
}

// Write implements cache.Store.
//
// hot: a handshake is mostly this.
func (s *Store) Write(_ context.Context, dst []byte, w cache.Write) ([]byte, cache.Cursor, error) {
	r := s.newWrite(&w)
	bill, paid := s.accounts.charge(&r, &w)
	if !paid {
		if !w.Opens || w.Token == "" {
			return dst, w.After, custerrors.TooManyRequests
		}
		w.Opens = false // it may repeat what has opened its session, which is paid for: then it opens nothing, and is answered as before
		r = s.newWrite(&w)
	}
	answer, err := s.do(scriptWrite, r)
	switch {
	case err != nil && paid:
		s.accounts.cancel(&bill)
		return dst, w.After, err
	case err == custerrors.KeyNotFound, err == custerrors.KeyIsExpired: // it repeats nothing
		return dst, w.After, custerrors.TooManyRequests
	case err != nil:
		return dst, w.After, err
	}
	s.counts.wrote(&w)
	next := w.After
	if w.Limit > 0 {
		dst, next, err = s.answer(dst, answer, w.From, w.After, w.Form)
	} else if code, badly := answer.ToInt64(); badly != nil || code < epochs {
		err = errDamaged
	} else {
		next = cache.NewCursor(uint64(code-epochs), w.After.Position())
	}
	if paid {
		s.accounts.settle(&bill, next.Epoch())
	}
	return dst, next, err
}

// Take implements cache.Store.
//
// hot: an empty poll and a take come here.
func (s *Store) Take(_ context.Context, dst []byte, t cache.Take) ([]byte, error) {
	answer, err := s.do(scriptTake, s.newTake(&t))
	if err != nil {
		return dst, err
	}
	runs, err := answer.ToArray()
	if err != nil {
		return dst, errDamaged
	}
	if t.Kind == cache.SDP && t.Limit > 0 {
		s.counts.gave(t.To)
	}
	return appendFrames(dst, runs, t.Form)
}

// Read implements cache.Store.
//
// hot: a cursor read comes here.
func (s *Store) Read(_ context.Context, dst []byte, key cache.Key, to cache.Role, after cache.Cursor, limit int,
	form *cache.Form,
) ([]byte, cache.Cursor, error) {
	var packed header
	b := binary.LittleEndian.AppendUint64(append(packed[:0], byte(to)), uint64(after))
	b = binary.LittleEndian.AppendUint16(b, clampLimit(limit))
	var text strings.Builder
	answer, err := s.do(scriptRead, s.newRequest(scriptRead, key, b, 0, &text))
	if err != nil {
		return dst, after, err
	}
	return s.answer(dst, answer, to, after, form)
}

// answer is appendAnswer, and counts an sdp that role to was given.
func (s *Store) answer(dst []byte, answer rueidis.RedisMessage, to cache.Role, after cache.Cursor, form *cache.Form,
) ([]byte, cache.Cursor, error) {
	out, next, err := appendAnswer(dst, answer, after, form)
	if err == nil && after.Position() == 0 && len(out) > len(dst) {
		s.counts.gave(to)
	}
	return out, next, err
}

// Touch implements cache.Store.
func (s *Store) Touch(_ context.Context, key cache.Key) (cache.Lease, error) {
	var text strings.Builder
	answer, err := s.do(scriptTouch, s.newRequest(scriptTouch, key, nil, 0, &text))
	if err != nil {
		return cache.Lease{}, err
	}
	var b [15]byte
	if text, _ := answer.ToString(); copy(b[:], text) < len(b) {
		return cache.Lease{}, errDamaged
	}
	return cache.Lease{
		Epoch:    uint64(binary.LittleEndian.Uint32(b[:])) | uint64(binary.LittleEndian.Uint16(b[4:]))<<32,
		TTL:      time.Duration(binary.LittleEndian.Uint32(b[6:])) * time.Millisecond,
		Left:     time.Duration(binary.LittleEndian.Uint32(b[10:])) * time.Millisecond,
		Answered: b[14] != 0,
	}, nil
}

// End implements cache.Store.
func (s *Store) End(_ context.Context, key cache.Key) error {
	var text strings.Builder
	r := s.newRequest(scriptEnd, key, nil, 0, &text)
	_, err := s.do(scriptEnd, r)
	if err == nil {
		s.counts.ended.Add(1)
	}
	if err == nil || err == custerrors.KeyIsExpired || err == custerrors.KeyNotFound {
		s.accounts.end(&r)
	}
	return err
}

// Hang implements cache.Store. It returns when this node is subscribed to the session's news, or after the timeout with an error.
// A ring can be missed while a server fails over. When the subscription is whole again, the bell is rung.
func (s *Store) Hang(_ context.Context, key cache.Key, to cache.Role, bell cache.Bell) error {
	return s.unavailable(s.news.hang(s.channel(key), to, bell))
}

// Unhang implements cache.Store.
func (s *Store) Unhang(key cache.Key, to cache.Role, bell cache.Bell) {
	s.news.unhang(s.channel(key), to, bell)
}

func (s *Store) channel(key cache.Key) string {
	var name [maxPrefix + idSize + 2]byte
	return string(appendName(name[:0], s.prefix, key))
}

// Gave implements cache.Store.
func (s *Store) Gave(to cache.Role) { s.counts.gave(to) }

// Tells implements cache.Store: a look is a script and a round trip, and costs several times what news do.
func (s *Store) Tells() bool { return true }

// Ready implements cache.Store. It does not ask a server, but says what was seen within the last second.
func (s *Store) Ready(context.Context) error {
	if err := s.health.Load(); err != nil {
		return *err
	}
	return nil
}

// Close implements cache.Store.
func (s *Store) Close() error {
	close(s.stopping)
	s.stopped.Wait()
	s.news.close()
	s.deadlines.close()
	s.client.Close()
	return nil
}

// errDamaged says that a script returned something that it should not: somebody else's data stands under this program's names.
var errDamaged = errors.New("redis: the answer of a script is damaged")

// appendAnswer appends what answer.lua returned: a cursor alone, or a cursor and runs of frames.
func appendAnswer(dst []byte, answer rueidis.RedisMessage, after cache.Cursor, form *cache.Form) ([]byte, cache.Cursor, error) {
	var runs []rueidis.RedisMessage
	if answer.IsArray() {
		runs, _ = answer.ToArray()
		answer, runs = runs[0], runs[1:]
	}
	var b [8]byte
	if text, _ := answer.ToString(); copy(b[:], text) < len(b) {
		return dst, after, errDamaged
	}
	next := cache.Cursor(binary.LittleEndian.Uint64(b[:]))
	if len(runs) > 0 {
		out, err := appendFrames(dst, runs, form)
		return out, next, err
	}
	if next.Position() == 0 {
		return dst, next, custerrors.SdpNoValues
	}
	return dst, next, custerrors.CandidateNoValues
}

// appendFrames appends the payloads of the frames in that form. On an error it appends nothing.
func appendFrames(dst []byte, runs []rueidis.RedisMessage, form *cache.Form) ([]byte, error) {
	out, first := dst, true
	for i := range runs {
		frames, err := runs[i].ToString()
		if err != nil {
			return dst, errDamaged
		}
		for rest := unsafeBytes(frames); len(rest) > 0; first = false {
			f, behind, ok := cache.NextFrame(rest)
			if !ok {
				return dst, errDamaged
			}
			out = form.End(append(form.Begin(out, f.Kind, first), f.Wire...))
			rest = behind
		}
	}
	return out, nil
}
