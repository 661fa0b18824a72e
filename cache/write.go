package cache

import "time"

// Write is one write by a role: what it adds to its own log, and what it then reads of the other role's. The zero value of a field means
// none.
type Write struct {
	Key  Key
	From Role

	// Opens says that this write opens the session; Batch has an sdp then. Without Opens the session must be open already. The caller
	// decides who may open: a store lets either role.
	Opens bool
	// TTL is how long the session that this write opens lives without a request, as Limits.SessionTTL has it: MinTTL to Limits.TTL. Zero or less
	// means Limits.TTL.
	TTL time.Duration

	// Payer is who pays if this write opens the session, for all that both roles write to it. A store of many nodes counts on each node what
	// came through it: there, whoever wrote first through this node pays. The zero Payer is nobody in particular, and not bounded.
	Payer Payer

	// Token tells a repetition of this write from another one. It is bound to what the client asked for: to Route, and to Body byte for
	// byte. Where there is no token they are not looked at. Like a Key both may point into a request's buffer.
	Token Token
	Route string
	Body  []byte

	Batch *Batch // not nil

	// After is how far the role has read. It also says which session is meant; the zero Cursor means whichever lives.
	After Cursor
	// Limit is how many messages to read, at the most; with 0 the call only writes.
	Limit int
	// Form is how the messages are written out. It may be nil if Limit is 0.
	Form *Form
}
