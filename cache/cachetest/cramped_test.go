package cachetest

import (
	"context"
	"time"

	"signal-server/cache"
	"signal-server/custerrors"
)

// cramped is a model with little memory.
type cramped struct {
	*model
	evicts bool // the fault: it drops a session instead of refusing another one, the first time
}

const (
	crampedOpen  = 2 << 20 // bytes that sessions may have for a new one to be opened
	crampedTotal = 3 << 20 // and at all
	crampedEach  = 1 << 10 // that each costs besides its payloads
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

func (c *cramped) Open(ctx context.Context, key cache.Key, ttl time.Duration, token cache.Token, b *cache.Batch) error {
	if _, err := c.Touch(ctx, key); err != nil && c.used()+crampedEach+b.Size() > crampedOpen {
		if !c.evicts {
			return custerrors.CacheOverrunMaxCost
		}
		c.evicts = false // once is bad enough
		c.mu.Lock()
		for other := range c.sessions {
			delete(c.sessions, other)
			break
		}
		c.mu.Unlock()
	}
	return c.model.Open(ctx, key, ttl, token, b)
}

func (c *cramped) Append(ctx context.Context, key cache.Key, from cache.Role, token cache.Token, b *cache.Batch) error {
	if c.used()+b.Size() > crampedTotal {
		if _, err := c.Touch(ctx, key); err != nil {
			return err
		}
		return custerrors.CacheOverrunMaxCost
	}
	return c.model.Append(ctx, key, from, token, b)
}

func (c *cramped) Ready(context.Context) error {
	if c.used()+2*crampedEach > crampedOpen {
		return custerrors.CacheOverrunMaxCost
	}
	return nil
}
