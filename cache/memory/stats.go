package memory

import "signal-server/cache"

// counts are what a stripe tells of itself, see cache.Stats. The stripe's lock guards them. Every place that counts holds it already,
// so that counting is a plain addition.
type counts struct{ opened, answered, completed, ended, expired int64 }

// give notes that the log's sdp was given to the other role.
func (c *counts) give(r *record, l *log) {
	if l.sdpGiven {
		return
	}
	l.sdpGiven = true
	if r.log(cache.Offer).sdpGiven && r.log(cache.Answer).sdpGiven {
		c.completed++
	}
}

// Stats implements cache.Store. It locks one stripe after the other, so its numbers are not all of one moment.
func (s *Store) Stats() cache.Stats {
	stats := cache.Stats{
		Trips: cache.Unknown, Failed: cache.Unknown, // there is no server elsewhere
		Held: s.budget.used.Load(), Budget: s.budget.open, Overdrawn: s.ledger.Refused(), Answering: s.answers.Distribution(),
	}
	for i := range s.stripes {
		stripe := &s.stripes[i]
		stripe.mu.Lock()
		counts, live := stripe.counts, stripe.records.used
		stripe.mu.Unlock()
		stats.Opened += counts.opened
		stats.Answered += counts.answered
		stats.Completed += counts.completed
		stats.Ended += counts.ended
		stats.Expired += counts.expired
		stats.Live += int64(live)
	}
	return stats
}
