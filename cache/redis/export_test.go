package redis

import (
	"time"

	"signal-server/cache"
)

// InFlight returns how many calls wait for an answer.
func (s *Store) InFlight() int64 { return s.inFlight.Load() }

// Mistake makes the node take the server's clock for one that is so much ahead of what it is. Outside of a cluster.
func (s *Store) Mistake(ahead time.Duration) { s.routes.only.ahead.Add(ahead.Milliseconds()) }

// Ahead returns how much the server's clock is ahead of the node's, as far as the node knows. Outside of a cluster.
func (s *Store) Ahead() time.Duration {
	return time.Duration(s.routes.only.ahead.Load()) * time.Millisecond
}

// TouchSHA names the script of Touch to EVALSHA.
var TouchSHA = scriptTouch.sha

// Name returns what the session of the key is called in Redis; "-" behind it is the tombstone's.
func (s *Store) Name(key cache.Key) string { return s.channel(key) }

// SlotOf returns the slot of a name.
var SlotOf = slotOf
