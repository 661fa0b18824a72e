package redis

// InFlight returns how many calls wait for an answer.
func (s *Store) InFlight() int64 { return s.inFlight.Load() }

// TouchSHA is what EVALSHA calls the script of Touch by.
var TouchSHA = scriptTouch.sha
