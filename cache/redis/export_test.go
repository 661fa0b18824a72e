package redis

// InFlight returns how many calls wait for an answer.
func (s *Store) InFlight() int64 { return s.inFlight.Load() }

// TouchSHA names the script of Touch to EVALSHA.
var TouchSHA = scriptTouch.sha
