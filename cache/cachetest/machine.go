package cachetest

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"signal-server/cache"
	"signal-server/custerrors"
	"signal-server/test/synctime"
)

// modelChecks compare the store with the model.
var modelChecks = []check{
	{name: "model/any sequence of calls has the model's answers", place: outside, limits: tiny, run: modelSequences},
}

// tiny limits are reached by a few calls.
func tiny(l *cache.Limits) {
	*l = cache.Limits{TTL: 3 * time.Second, Lifetime: 8 * time.Second, Candidates: 6, SessionBytes: 64}
}

// repeats multiplies the 100 sequences that rapid makes by default: each takes a few milliseconds.
const repeats = 3

// modelSequences makes random calls on a few keys, and shrinks a sequence that fails to the shortest one that still fails. In real
// time no sequence sleeps, and sessions outlive it.
func modelSequences(r *rig) {
	if !r.h.Virtual {
		unhurried := usual()
		unhurried.Candidates, unhurried.SessionBytes = r.limits.Candidates, r.limits.SessionBytes
		r = newRig(r.TB, r.t, r.h, unhurried)
	}
	sequences := 0
	for range repeats {
		rapid.Check(r.TB, func(t *rapid.T) {
			sequences++
			m := machine{
				ctx: r.ctx, model: newModel(r.limits), virtual: r.h.Virtual, prefix: fmt.Sprintf("%d:", sequences),
				cursors: []cursors{{}}, epochs: make(map[uint64]uint64),
			}
			r.fresh(func(nodes []cache.Store) {
				m.nodes = nodes
				for range 3 { // 30 calls each, on average
					t.Repeat(m.actions())
				}
			})
			if m.failure != "" { // this is the only place that fails, so that rapid takes all failures for the same one when it shrinks
				t.Fatal(m.failure)
			}
		})
	}
}

// fresh calls f with nodes. In virtual time these are new ones, in a bubble of their own; otherwise they hold what other sequences left.
// If f panics, fresh panics with the same value, which is how rapid abandons a sequence.
func (e *engine) fresh(f func(nodes []cache.Store)) {
	if !e.h.Virtual {
		f(e.nodes)
		return
	}
	var thrown any
	synctest.Test(e.t, func(t *testing.T) {
		defer func() {
			thrown = recover()
			if err, ok := thrown.(runtime.Error); ok { // a bug in the store: its place matters more than the shortest way there
				thrown = fmt.Errorf("%w\n%s", err, debug.Stack())
			}
		}()
		f(newRig(t, t, e.h, e.limits).nodes)
	})
	if thrown != nil {
		panic(thrown)
	}
}

// machine makes each call on the store and on the model.
type machine struct {
	// set at construction
	ctx     context.Context
	nodes   []cache.Store
	model   *model
	prefix  string // of this sequence's keys
	virtual bool

	// state of the sequence
	failure string // the first one; no call is made after it
	calls   int
	cursors []cursors         // what reads returned, and first the zero one
	epochs  map[uint64]uint64 // the store's → the model's
}

// cursors are one place, as the store names it and as the model does.
type cursors struct{ store, model cache.Cursor }

func (m *machine) actions() map[string]func(*rapid.T) {
	actions := map[string]func(*rapid.T){
		"open": m.open, "append": m.append, "append more": m.append, "take": m.take,
		"read": m.read, "read more": m.read, "exchange": m.exchange, "touch or end": m.touchOrEnd,
	}
	if m.virtual {
		actions["sleep"] = m.sleep
	}
	for name, action := range actions {
		actions[name] = func(t *rapid.T) {
			if m.failure == "" {
				action(t)
			}
		}
	}
	return actions
}

func (m *machine) fail(format string, args ...any) {
	if m.failure == "" {
		m.failure = fmt.Sprintf(format, args...)
	}
}

func (m *machine) node() cache.Store {
	m.calls++
	return m.nodes[m.calls%len(m.nodes)]
}

// key draws one of two keys, of which one is a prefix of the other. Most calls are on the same session, so that much happens to it.
func (m *machine) key(t *rapid.T) cache.Key {
	return cache.Key(m.prefix + rapid.SampledFrom([]string{"k", "k", "k", "k\x00"}).Draw(t, "key"))
}

func role(t *rapid.T) cache.Role { return rapid.SampledFrom(cache.Roles[:]).Draw(t, "role") }

func token(t *rapid.T) cache.Token {
	return rapid.SampledFrom([]cache.Token{"", "", "t", "tt", "T"}).Draw(t, "token")
}

// asks draws a token and what it is bound to.
func asks(t *rapid.T, w cache.Write) cache.Write {
	w.Token, w.Route = token(t), route(t)
	w.Body = []byte(rapid.SampledFrom([]string{"", "", "", "body"}).Draw(t, "body"))
	return w
}

func route(t *rapid.T) string {
	return rapid.SampledFrom([]string{"/a", "/a", "/a", "/b"}).Draw(t, "route")
}

// batch draws one that may break any limit.
func (m *machine) batch(t *rapid.T, sdp bool) *cache.Batch {
	var frames []cache.Frame
	frame := func(kind cache.Kind) {
		m.calls++ // so that each payload differs
		f := cache.Frame{Kind: kind, Size: rapid.SampledFrom([]int{1, 4, 12, 30}).Draw(t, "size")}
		f.Wire = fmt.Appendf(nil, `%d%s`, m.calls, rapid.SampledFrom([]string{"", `\u0000`, `\"`, strings.Repeat("x", 9000)}).Draw(t, "wire"))
		frames = append(frames, f)
	}
	if sdp {
		frame(cache.SDP)
	}
	least := 1 - len(frames)
	for range rapid.IntRange(least, 4).Draw(t, "candidates") {
		frame(cache.Candidate)
	}
	return batch(frames...)
}

// same compares errors. Where the contract leaves a choice, also names other errors that are allowed.
func (m *machine) same(what string, key cache.Key, got, want error, also ...error) {
	if at, ok := m.model.ended[key]; ok && time.Since(at) == cache.Grace { // at that very moment either is right
		also = append(also, custerrors.KeyIsExpired, custerrors.KeyNotFound)
	}
	if got != want && (want == nil || !slices.Contains(also, got)) {
		m.fail("%s: got %s, want %s", what, said(got), said(want))
	}
}

// ttl draws one where time is virtual.
func (m *machine) ttl(t *rapid.T) time.Duration {
	if !m.virtual {
		return 0
	}
	return rapid.SampledFrom([]time.Duration{0, -1, time.Second, time.Hour}).Draw(t, "ttl")
}

func (m *machine) open(t *rapid.T) {
	key, from, ttl := m.key(t), role(t), m.ttl(t)
	m.write(cursors{}, asks(t, cache.Write{Key: key, From: from, Opens: true, TTL: ttl, Batch: m.batch(t, true)}))
}

func (m *machine) append(t *rapid.T) {
	key, from := m.key(t), role(t)
	m.write(cursors{}, asks(t, cache.Write{Key: key, From: from, Batch: m.batch(t, rapid.Bool().Draw(t, "sdp"))}))
}

func (m *machine) take(t *rapid.T) {
	key, to := m.key(t), role(t)
	kind := rapid.SampledFrom([]cache.Kind{cache.SDP, cache.Candidate}).Draw(t, "kind")
	limit := rapid.IntRange(0, 4).Draw(t, "limit")
	in := cursors{}
	if rapid.Bool().Draw(t, "of a session") {
		in = m.place(t)
	}
	take := cache.Take{Key: key, To: to, Kind: kind, Limit: limit, Form: &plain, Token: token(t), Route: route(t)}
	take.In = in.store.Epoch()
	got, err := m.node().Take(m.ctx, dst(), take)
	take.In = in.model.Epoch()
	want, wantErr := m.model.Take(m.ctx, dst(), take)
	m.same("Take", key, err, wantErr, m.alsoOf(in, wantErr)...)
	if string(got) != string(want) {
		m.fail("Take: got %.200q, want %.200q", got, want)
	}
}

// place draws a cursor that some read returned, or one that lies behind it.
func (m *machine) place(t *rapid.T) cursors {
	c := m.cursors[rapid.IntRange(0, len(m.cursors)-1).Draw(t, "cursor")]
	if c.store != 0 {
		shift := cache.Cursor(rapid.SampledFrom([]int{0, 0, 0, 1, 5}).Draw(t, "beyond"))
		c = cursors{c.store + shift, c.model + shift}
	}
	return c
}

func (m *machine) read(t *rapid.T) {
	key, to, after := m.key(t), role(t), m.place(t)
	limit := rapid.IntRange(1, 4).Draw(t, "limit")
	got, next, err := m.node().Read(m.ctx, dst(), key, to, after.store, limit, &plain)
	want, wantNext, wantErr := m.model.Read(m.ctx, dst(), key, to, after.model, limit, &plain)
	also := m.alsoOf(after, wantErr)
	if wantErr == custerrors.CursorIsInvalid && m.heldBack(key, to, after.model) {
		also = append(also, custerrors.SdpNoValues)
	}
	m.same("Read", key, err, wantErr, also...)
	m.sameReading("Read", got, want, next, wantNext, err)
}

func (m *machine) exchange(t *rapid.T) {
	key, from, after, ttl := m.key(t), role(t), m.place(t), m.ttl(t)
	b := m.batch(t, rapid.Bool().Draw(t, "sdp"))
	opens := b.HasSDP() && rapid.Bool().Draw(t, "opens")
	if m.heldBack(key, from, after.model) {
		return // the contract leaves open whether the cursor lies behind the end, and so whether anything is written
	}
	limit := rapid.IntRange(0, 4).Draw(t, "limit")
	m.write(after, asks(t, cache.Write{Key: key, From: from, Opens: opens, TTL: ttl, Batch: b, Limit: limit, Form: &plain}))
}

// write makes the Write after that place.
func (m *machine) write(after cursors, w cache.Write) {
	w.After = after.store
	got, next, err := m.node().Write(m.ctx, dst(), w)
	w.After = after.model
	want, wantNext, wantErr := m.model.Write(m.ctx, dst(), w)
	m.same("Write", w.Key, err, wantErr, m.alsoOf(after, wantErr)...)
	m.sameReading("Write", got, want, next, wantNext, err)
}

// alsoOf returns what else a store may say of a cursor whose session it does not remember: the cursor tells that there was one.
func (m *machine) alsoOf(after cursors, want error) []error {
	if want == custerrors.KeyNotFound && after.store != 0 {
		return []error{custerrors.KeyIsExpired}
	}
	return nil
}

func (m *machine) sameReading(what string, got, want []byte, next, wantNext cache.Cursor, err error) {
	if string(got) != string(want) {
		m.fail("%s: got %.200q, want %.200q", what, got, want)
	}
	if err == nil || err == custerrors.SdpNoValues || err == custerrors.CandidateNoValues {
		m.sameCursor(what, next, wantNext)
	}
}

// heldBack reports whether the cursor lies among candidates that are held back until their sdp is there. No reader has been there.
func (m *machine) heldBack(key cache.Key, to cache.Role, after cache.Cursor) bool {
	s := m.model.sessions[key]
	return s != nil && s.logs[to.Other()].sdp == nil && after.Position() <= len(s.logs[to.Other()].candidates)
}

// sameCursor compares places, notes which epochs of the store and of the model belong together, and keeps the cursors for later.
func (m *machine) sameCursor(what string, got, want cache.Cursor) {
	if got.Position() != want.Position() {
		m.fail("%s: got a cursor behind %d messages, want %d", what, got.Position(), want.Position())
	}
	if got == 0 {
		return // the zero cursor is right in any session
	}
	epoch, known := m.epochs[got.Epoch()]
	if !known {
		for _, other := range m.epochs {
			if other == want.Epoch() {
				m.fail("%s: got epoch %x, want the one that this session had before", what, got.Epoch())
			}
		}
		m.epochs[got.Epoch()] = want.Epoch()
	} else if epoch != want.Epoch() {
		m.fail("%s: got epoch %x of another session, want a new one", what, got.Epoch())
	}
	if c := (cursors{got, want}); !slices.Contains(m.cursors, c) {
		m.cursors = append(m.cursors, c)
	}
}

func (m *machine) touchOrEnd(t *rapid.T) {
	key := m.key(t)
	if rapid.IntRange(0, 7).Draw(t, "end") == 7 {
		m.same("End", key, m.node().End(m.ctx, key), m.model.End(m.ctx, key))
		return
	}
	got, err := m.node().Touch(m.ctx, key)
	want, wantErr := m.model.Touch(m.ctx, key)
	m.same("Touch", key, err, wantErr)
	if err == nil {
		m.sameCursor("Touch", cache.NewCursor(got.Epoch, 0), cache.NewCursor(want.Epoch, 0))
	}
	if err == nil && got.Answered != want.Answered {
		m.fail("Touch: got %+v, want it answered: %v", got, want.Answered)
	}
	if err == nil && m.virtual && (got.Left != want.Left || got.TTL != want.TTL && got.TTL != min(want.TTL, want.Left)) {
		m.fail("Touch: got %+v, want %+v", got, want)
	}
}

// sleep lets time pass: little as a rule, and sometimes a TTL, a lifetime or the grace, or a little less.
func (m *machine) sleep(t *rapid.T) {
	synctime.Pass(rapid.SampledFrom([]time.Duration{
		ms, ms, ms, ms, 100 * ms, 100 * ms, 500 * ms, 500 * ms, time.Second - ms, time.Second, 3*time.Second - ms, 3 * time.Second,
		8 * time.Second, cache.Grace - 8*time.Second, cache.Grace - ms, cache.Grace,
	}).Draw(t, "sleep"))
}
