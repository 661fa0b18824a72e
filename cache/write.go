package cache

import "time"

// Write is one write by a role: what it adds to its log, and what it reads of the other's behind that. The zero value of a field means
// none.
type Write struct {
	Key  Key
	From Role

	// Opens says that this write opens the session; Batch has an sdp then. Without it there must be one. Who may open is the
	// caller's rule: a store lets either role.
	Opens bool
	// TTL is that of the session that it opens, cut to Limits.TTL; zero or less means that maximum.
	TTL time.Duration

	Token Token
	Batch *Batch // not nil

	// After is how far the role has read. It also says which session is meant; the zero Cursor means whichever lives.
	After Cursor
	// Limit is how many messages to read, at the most; with 0 the call only writes.
	Limit int
	// Form is that of what is read. It may be nil where Limit is 0.
	Form *Form
}
