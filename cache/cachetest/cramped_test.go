package cachetest

import (
	"context"

	"signal-server/cache"
	"signal-server/custerrors"
)

// cramped is a model with little memory.
type cramped struct {
	*model
	evicts bool // the fault: it drops a session instead of refusing another one, the first time
}

const (
	crampedOpen  = 2 << 20 // bytes of all sessions, at the most, for a new one to be opened
	crampedTotal = 3 << 20 // bytes of all sessions, at the most
	crampedEach  = 1 << 10 // bytes that a session costs besides its payloads
)

func (c *cramped) used() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	used := 0
	for _, s := range c.sessions {
		used += crampedEach + s.size
	}
	return used
}

func (c *cramped) Write(ctx context.Context, dst []byte, w cache.Write) ([]byte, cache.Cursor, error) {
	_, err := c.Touch(ctx, w.Key)
	switch {
	case err == nil && c.used()+w.Batch.Size() > crampedTotal && !w.Opens:
		return refused(dst, w, custerrors.CacheOverrunMaxCost)
	case err != nil && c.used()+crampedEach+w.Batch.Size() > crampedOpen && w.Opens:
		if !c.evicts {
			return refused(dst, w, custerrors.CacheOverrunMaxCost)
		}
		c.evicts = false // once is bad enough
		c.mu.Lock()
		for other := range c.sessions {
			delete(c.sessions, other)
			break
		}
		c.mu.Unlock()
	}
	return c.model.Write(ctx, dst, w)
}

func (c *cramped) Ready(context.Context) error {
	if c.used()+2*crampedEach > crampedOpen {
		return custerrors.CacheOverrunMaxCost
	}
	return nil
}
