package cachetest

import (
	"time"

	"signal-server/cache"
	"signal-server/custerrors"
)

// What a session of the model counts for its payer.
const (
	modelEach     = 1 << 10 // bytes beside its payloads
	modelAside    = 2 << 10 // bytes that are set aside for payloads
	modelAsideFor = 2 * time.Second
)

func (s *session) cost() int {
	if time.Since(s.opened) < modelAsideFor {
		return modelEach + max(s.size, modelAside)
	}
	return modelEach + s.size
}

// chargeLocked returns custerrors.TooManyRequests if the payer of the session may not have so many bytes more.
func (m *model) chargeLocked(s *session, more int) error {
	if s.payer == (cache.Payer{}) || m.limits.ClientMemory == (cache.Share{}) {
		return nil
	}
	held := 0
	for key, other := range m.sessions {
		if live, _ := m.peekLocked(key); live && other.payer == s.payer {
			held += m.costOf(other)
		}
	}
	if held+more > max(int(m.limits.ClientMemory.Of(0)), cache.FullSessions*(m.limits.SessionBytes+modelEach+modelAside)) {
		m.stats.Overdrawn++
		return custerrors.TooManyRequests
	}
	return nil
}
