package cachetest

import (
	"context"
	"strings"
	"sync"
	"time"

	"signal-server/cache"
	"signal-server/custerrors"
)

// model is the contract as plainly as it can be written: maps under one lock, strings, and a clock. Stores are compared with it, and
// the suite tests itself on it. It remembers as much as it may, whatever that costs.
type model struct {
	// set at construction
	limits cache.Limits
	bells  *cache.Bells
	tells  func(cache.News) cache.News // turns what a ring should say into what it says; nil: it says nothing
	sizeOf func(*cache.Batch) int      // what a batch counts
	costOf func(*session) int          // what a session counts for its payer

	mu sync.Mutex
	// guarded by mu
	sessions map[cache.Key]*session
	ended    map[cache.Key]time.Time // the latest end
	stats    cache.Stats             // what is counted; not what there is now
	answers  cache.Durations
}

type session struct {
	epoch   uint64
	payer   cache.Payer
	ttl     time.Duration
	opened  time.Time
	renewed time.Time
	size    int
	logs    map[cache.Role]*sessionLog
	used    map[stamp]use // never without a token
}

type sessionLog struct {
	sdp        *string // nil before it is put
	sdpTaken   bool
	sdpGiven   bool // by a take or a read
	candidates []string
	taken      int
}

func newModel(limits cache.Limits) *model {
	return &model{
		limits: limits, bells: cache.NewBells(), sizeOf: (*cache.Batch).Size, costOf: (*session).cost,
		sessions: make(map[cache.Key]*session), ended: make(map[cache.Key]time.Time),
	}
}

var _ cache.Store = (*model)(nil)

// findLocked returns the live session, renewed, or why there is none.
func (m *model) findLocked(key cache.Key) (*session, error) {
	now := time.Now()
	if s := m.sessions[key]; s != nil {
		live, end := m.peekLocked(key)
		if live {
			s.renewed = now
			return s, nil
		}
		m.endLocked(key, end)
		m.stats.Expired++
	}
	if at, ok := m.ended[key]; ok && now.Sub(at) < cache.Grace {
		return nil, custerrors.KeyIsExpired
	}
	return nil, custerrors.KeyNotFound
}

// peekLocked reports whether the session that is kept for the key lives, and when it ends.
func (m *model) peekLocked(key cache.Key) (live bool, end time.Time) {
	s := m.sessions[key]
	end = s.renewed.Add(s.ttl)
	if last := s.opened.Add(m.limits.Lifetime); last.Before(end) {
		end = last
	}
	return time.Now().Before(end), end
}

func (m *model) endLocked(key cache.Key, at time.Time) {
	delete(m.sessions, key)
	m.ended[cache.Key(strings.Clone(string(key)))] = at
}

// refusal says why the batch does not fit the log.
func (m *model) refusal(s *session, l *sessionLog, b *cache.Batch) error {
	switch {
	case b.HasSDP() && l.sdp != nil:
		return custerrors.SdpAlreadyExist
	case len(l.candidates)+b.Candidates() > m.limits.Candidates:
		return custerrors.QueueIsFull
	case s.size+m.sizeOf(b) > m.limits.SessionBytes:
		return custerrors.BodyIsTooLong
	default:
		return nil
	}
}

func (s *session) add(w cache.Write) {
	l, b := s.logs[w.From], w.Batch
	for f, rest, ok := cache.NextFrame(b.Frames()); ok; f, rest, ok = cache.NextFrame(rest) {
		wire := string(f.Wire)
		if f.Kind == cache.SDP {
			l.sdp = &wire
		} else {
			l.candidates = append(l.candidates, wire)
		}
	}
	s.use(w.From, w.Token, use{route: w.Route, body: string(w.Body)})
}

func (m *model) Write(_ context.Context, dst []byte, w cache.Write) ([]byte, cache.Cursor, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if w.After != 0 {
		if _, _, err := m.placeLocked(w.Key, w.From, w.After); err != nil {
			return dst, w.After, err
		}
	}
	put := m.appendLocked
	if w.Opens {
		put = m.openLocked
	}
	if err := put(w); err != nil {
		return dst, w.After, err
	}
	return m.readLocked(dst, w.Key, w.From, w.After, w.Limit, w.Form)
}

func (m *model) openLocked(w cache.Write) error {
	if s, _ := m.findLocked(w.Key); s != nil {
		applied, err := s.applied(w)
		if err == nil && !applied {
			err = custerrors.SdpAlreadyExist
		}
		return err
	}
	now := time.Now()
	s := &session{
		epoch: cache.NewEpoch(), ttl: w.TTL, opened: now, renewed: now, used: make(map[stamp]use),
		logs: map[cache.Role]*sessionLog{cache.Offer: {}, cache.Answer: {}},
	}
	switch {
	case w.TTL <= 0 || w.TTL > m.limits.TTL:
		s.ttl = m.limits.TTL
	case w.TTL < cache.MinTTL:
		s.ttl = min(cache.MinTTL, m.limits.TTL)
	}
	if err := m.refusal(s, s.logs[w.From], w.Batch); err != nil {
		return err
	}
	s.payer = w.Payer
	if err := m.chargeLocked(s, m.costOf(s)+m.sizeOf(w.Batch)); err != nil {
		return err
	}
	m.addLocked(s, w)
	m.stats.Opened++
	m.sessions[cache.Key(strings.Clone(string(w.Key)))] = s
	m.tell(w.Key, w.From, cache.News{At: cache.NewCursor(s.epoch, 0)})
	m.tell(w.Key, w.From.Other(), s.news(w.From, w.Batch))
	return nil
}

func (m *model) appendLocked(w cache.Write) error {
	s, err := m.findLocked(w.Key)
	if err != nil {
		return err
	}
	if applied, err := s.applied(w); applied || err != nil {
		return err
	}
	if err := m.refusal(s, s.logs[w.From], w.Batch); err != nil {
		return err
	}
	if err := m.chargeLocked(s, m.sizeOf(w.Batch)); err != nil {
		return err
	}
	m.addLocked(s, w)
	m.tell(w.Key, w.From.Other(), s.news(w.From, w.Batch))
	return nil
}

// addLocked adds the batch, and counts the session as answered if that is the answer's sdp.
func (m *model) addLocked(s *session, w cache.Write) {
	s.add(w)
	s.size += m.sizeOf(w.Batch)
	if w.From == cache.Answer && w.Batch.HasSDP() {
		m.stats.Answered++
		m.answers.Observe(time.Since(s.opened))
	}
}

func (m *model) Read(_ context.Context, dst []byte, key cache.Key, to cache.Role, after cache.Cursor, limit int,
	form *cache.Form,
) ([]byte, cache.Cursor, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.readLocked(dst, key, to, after, limit, form)
}

// placeLocked returns the live session and all that role to can read in it, or why role to cannot read by the cursor.
func (m *model) placeLocked(key cache.Key, to cache.Role, after cache.Cursor) (*session, []string, error) {
	s, err := m.findLocked(key)
	if err != nil {
		return nil, nil, err
	}
	var messages []string
	if l := s.logs[to.Other()]; l.sdp != nil {
		messages = append([]string{*l.sdp}, l.candidates...)
	}
	if after != 0 && after.Epoch() != s.epoch {
		return nil, nil, custerrors.KeyIsExpired
	}
	if after.Position() > len(messages) {
		return nil, nil, custerrors.CursorIsInvalid
	}
	return s, messages, nil
}

func (m *model) readLocked(dst []byte, key cache.Key, to cache.Role, after cache.Cursor, limit int, form *cache.Form,
) ([]byte, cache.Cursor, error) {
	s, messages, err := m.placeLocked(key, to, after)
	if err != nil {
		return dst, after, err
	}
	begin := after.Position()
	switch {
	case limit == 0:
		return dst, cache.NewCursor(s.epoch, begin), nil
	case len(messages) == 0:
		return dst, cache.NewCursor(s.epoch, 0), custerrors.SdpNoValues
	case begin == len(messages):
		return dst, after, custerrors.CandidateNoValues
	}
	if begin == 0 {
		m.giveLocked(s, s.logs[to.Other()])
	}
	end := begin + min(limit, len(messages)-begin)
	for i := begin; i < end; i++ {
		kind := cache.Candidate
		if i == 0 {
			kind = cache.SDP
		}
		dst = form.End(append(form.Begin(dst, kind, i == begin), messages[i]...))
	}
	return dst, cache.NewCursor(s.epoch, end), nil
}

func (m *model) Touch(_ context.Context, key cache.Key) (cache.Lease, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s, err := m.findLocked(key)
	if err != nil {
		return cache.Lease{}, err
	}
	return cache.Lease{
		Epoch: s.epoch, TTL: s.ttl, Left: m.limits.Lifetime - time.Since(s.opened), Answered: s.logs[cache.Answer].sdp != nil,
	}, nil
}

func (m *model) End(_ context.Context, key cache.Key) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, err := m.findLocked(key); err != nil {
		return err
	}
	m.endLocked(key, time.Now())
	m.stats.Ended++
	for _, role := range cache.Roles {
		m.bells.Ring(key, role, cache.News{})
	}
	return nil
}

// giveLocked notes that the log's sdp was given to the other role. The second one completes the session.
func (m *model) giveLocked(s *session, l *sessionLog) {
	before := l.sdpGiven
	l.sdpGiven = true
	if !before && s.logs[cache.Offer].sdpGiven && s.logs[cache.Answer].sdpGiven {
		m.stats.Completed++
	}
}

// Stats counts a payload's bytes as what a session holds.
func (m *model) Stats() cache.Stats {
	m.mu.Lock()
	defer m.mu.Unlock()
	stats := m.stats
	stats.Live, stats.Budget = int64(len(m.sessions)), 1<<62
	for _, s := range m.sessions {
		stats.Held += int64(s.size)
	}
	stats.Answering = m.answers.Distribution()
	return stats
}

// tell rings the bells. It is called with mu held: a bell never blocks, and a reader that wakes up finds the news when mu is free.
func (m *model) tell(key cache.Key, to cache.Role, n cache.News) {
	if m.tells == nil {
		n = cache.News{}
	} else if n.At != 0 {
		n = m.tells(n)
	}
	m.bells.Ring(key, to, n)
}

// news returns what a ring says now that role from has added the batch: what has become readable by that.
func (s *session) news(from cache.Role, b *cache.Batch) cache.News {
	l := s.logs[from]
	before := len(l.candidates) - b.Candidates()
	if l.sdp == nil || b.HasSDP() && before > 0 { // its candidates are held back, or others were until now
		return cache.News{}
	}
	var sdp, candidates cache.Batch
	for f, rest, ok := cache.NextFrame(b.Frames()); ok; f, rest, ok = cache.NextFrame(rest) {
		if f.Kind == cache.SDP {
			sdp.Add(f)
		} else {
			candidates.Add(f)
		}
	}
	n := cache.News{At: cache.NewCursor(s.epoch, 1+before), Frames: append(sdp.Frames(), candidates.Frames()...)}
	if b.HasSDP() {
		n.At = cache.NewCursor(s.epoch, 0)
	}
	return n
}

func (m *model) Gave(cache.Role) {}

func (m *model) Tells() bool { return m.tells != nil }

func (m *model) Hang(_ context.Context, key cache.Key, to cache.Role, bell cache.Bell) error {
	m.bells.Hang(key, to, bell)
	return nil
}

func (m *model) Unhang(key cache.Key, to cache.Role, bell cache.Bell) { m.bells.Unhang(key, to, bell) }
func (m *model) Ready(context.Context) error                          { return nil }
func (m *model) Close() error                                         { return nil }
