package cachetest

import (
	"context"
	"strings"

	"signal-server/cache"
	"signal-server/custerrors"
)

// This file is what the model knows of tokens, and its Take.

type stamp struct {
	by    cache.Role
	token cache.Token
}

// use is what a request with a token was, and what it got if it was a take.
type use struct {
	route, body   string
	took          cache.Kind // none: it was a write
	first, behind int        // of the candidates
}

// use notes what the token was used for, if there is one.
func (s *session) use(by cache.Role, token cache.Token, u use) {
	if token != "" {
		u.route = strings.Clone(u.route)
		s.used[stamp{by, cache.Token(strings.Clone(string(token)))}] = u
	}
}

// applied reports whether this write was made before, or says what else its token was used for.
func (s *session) applied(w cache.Write) (bool, error) {
	u, ok := s.used[stamp{w.From, w.Token}]
	if ok && (u.took != 0 || u.route != w.Route || u.body != string(w.Body)) {
		return false, custerrors.IdempotencyKeyIsReused
	}
	return ok, nil
}

func (m *model) Take(_ context.Context, dst []byte, t cache.Take) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s, err := m.findLocked(t.Key)
	if err != nil {
		return dst, err
	}
	if t.In != 0 && t.In != s.epoch {
		return dst, custerrors.KeyIsExpired
	}
	l := s.logs[t.To.Other()]
	u, again := s.used[stamp{t.To, t.Token}]
	switch {
	case again && (u.took == 0 || u.route != t.Route):
		return dst, custerrors.IdempotencyKeyIsReused
	case again && t.Limit == 0:
		return dst, nil
	case again:
	case t.Kind == cache.SDP && (l.sdp == nil || l.sdpTaken):
		return dst, custerrors.SdpNoValues
	case t.Limit == 0 && (t.Kind == cache.SDP || l.taken < len(l.candidates)):
		return dst, nil
	case t.Kind == cache.SDP:
		l.sdpTaken = true
		m.giveLocked(s, l)
		u = use{took: cache.SDP}
	case l.taken == len(l.candidates):
		return dst, custerrors.CandidateNoValues
	default:
		u = use{took: cache.Candidate, first: l.taken, behind: l.taken + min(t.Limit, len(l.candidates)-l.taken)}
		l.taken = u.behind
	}
	u.route = t.Route
	s.use(t.To, t.Token, u)
	return l.take(dst, u, t.Form), nil
}

// take appends what the use of a token got, or is to get.
func (l *sessionLog) take(dst []byte, u use, form *cache.Form) []byte {
	if u.took == cache.SDP {
		return form.End(append(form.Begin(dst, cache.SDP, true), *l.sdp...))
	}
	for i := u.first; i < u.behind; i++ {
		dst = form.End(append(form.Begin(dst, cache.Candidate, i == u.first), l.candidates[i]...))
	}
	return dst
}
