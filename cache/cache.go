// Package cache holds signaling sessions: what they are, what a store of them promises, and how to wait for news.
//
// A session is named by a [Key] and is two logs, one for each [Role]: at most one sdp, then candidates in the order in
// which they were posted. A role writes its own log and reads the other's:
//
//	offerer ────Write───────▶ log of offer  [sdp c1 c2 …] ──Take, Read──▶ answerer
//	offerer ◀──Take, Read──── log of answer [sdp c1 c2 …] ◀────Write───── answerer
//
// The payloads are opaque. A [Store] keeps them as the inside of a JSON string and hands them out in whatever [Form] the
// caller names. A [Mailroom] waits for news over any store. This package knows no HTTP and no JSON beyond that inside.
package cache

import (
	"context"
	"math/rand/v2"
	"strings"
	"time"
	"unicode/utf8"

	"signal-server/custerrors"
)

// MaxKeyLength is how many characters (Unicode code points) a Key has at the most.
const MaxKeyLength = 32

// Key names a session: 1 to MaxKeyLength characters, opaque. A function that takes a Key uses it during the call only, or clones it, so
// that a Key may point into a request's buffer.
type Key string

// ParseKey returns s without leading and trailing spaces as a Key, which shares the memory of s. The error is
// custerrors.KeyIsEmpty or custerrors.KeyIsTooLong.
func ParseKey(s string) (Key, error) {
	s = strings.TrimSpace(s)
	switch {
	case s == "":
		return "", custerrors.KeyIsEmpty
	case len(s) > MaxKeyLength && utf8.RuneCountInString(s) > MaxKeyLength:
		return "", custerrors.KeyIsTooLong
	}
	return Key(s), nil
}

// Role is one of the two sides of a session: JSEP's offerer or answerer (RFC 9429, Section 3.2).
type Role uint8

// The roles. The zero value means none.
const (
	Offer Role = iota + 1
	Answer
)

// Roles lists both.
var Roles = [...]Role{Offer, Answer}

// Other returns the role at the other end.
func (r Role) Other() Role { return Offer + Answer - r }

// String returns the role's name in paths and logs: offer or answer.
func (r Role) String() string {
	switch r {
	case Offer:
		return "offer"
	case Answer:
		return "answer"
	default:
		return "none"
	}
}

// Kind is what a message of a log is.
type Kind uint8

// The kinds. The zero value means none.
const (
	SDP       Kind = iota + 1 // a session description, at most one in a log, its first message
	Candidate                 // an ICE candidate (trickled, RFC 8838)
)

// nothing returns what a store says when there is none of that kind to take.
func (k Kind) nothing() error {
	if k == SDP {
		return custerrors.SdpNoValues
	}
	return custerrors.CandidateNoValues
}

// Cursor is a place in one log of one session: behind the last message that a reader was given. The zero Cursor is the
// beginning of any log. It holds the session's epoch in its upper 48 bits and the number of messages in the lower 16.
type Cursor uint64

// MaxLog is how many messages a log can hold at the most, whatever the limits say: what fits in a Cursor.
const MaxLog = 1<<16 - 1

// NewCursor returns the cursor behind the first n messages (0 to MaxLog) of a log in the session of that epoch.
func NewCursor(epoch uint64, n int) Cursor { return Cursor(epoch<<16 | uint64(n)) }

// Epoch returns the 48 bits that tell the cursor's session from others of the same key. It is zero only in the zero Cursor.
func (c Cursor) Epoch() uint64 { return uint64(c) >> 16 }

// Position returns how many messages lie before the cursor.
func (c Cursor) Position() int { return int(c & MaxLog) }

// NewEpoch returns a random epoch for a session that opens: 48 bits, not zero.
func NewEpoch() uint64 { return 1 + rand.Uint64N(1<<48-1) } // #nosec G404 -- tells sessions of a key apart; a guess gives nothing away

// Grace is how long after its end a session is remembered: long enough to tell custerrors.KeyIsExpired from KeyNotFound.
const Grace = 30 * time.Second

// Lease says which session of a key lives, and how long it still has.
type Lease struct {
	Epoch    uint64        // tells the session from others of the same key, as its cursors do
	TTL      time.Duration // it ends when no valid request comes for that long, from now on
	Left     time.Duration // it ends after that long in any case
	Answered bool          // the answer's sdp is put, taken or not
}

// Form is how payloads are written out. SDP or Candidate, by the payload's kind, stands before each of them, After stands behind each, and
// Separator between two.
type Form struct {
	SDP, Candidate   string
	After, Separator string
}

// Store keeps sessions. Calls on one session are linearizable; calls on different sessions are independent. Every method may be called
// concurrently. One that takes a Context returns soon after the Context's end. (The memory store never blocks, and every call of the redis
// store has a timeout, so neither looks at the Context.)
//
// A call that finds the session alive renews its TTL, even if the call is refused. If no session of the key lives, every call but a Write
// that opens one fails: with custerrors.KeyIsExpired within Grace of the end of the key's latest session, and with custerrors.KeyNotFound
// otherwise. A store whose memory for ended sessions is full forgets the oldest of them before its time.
//
// No method keeps anything that its arguments point to. An error that is not of custerrors means the store itself failed. After
// custerrors.StoreIsUnavailable a call may have been carried out or not, but it is not carried out any more.
type Store interface {
	// Write adds w.Batch to the log of role w.From, sdp before candidates, and then reads as Read does for the same role, all in one step:
	// one trip to a store that is elsewhere. With w.Opens it opens the session first. If this role has already written to the live session
	// with the same token, route and body, Write adds nothing, and goes on to read.
	//
	// The write is all or nothing. After one of these errors nothing is written, and dst and the cursor come back as they were. If several
	// apply, Write returns the first:
	//   - KeyIsExpired, KeyNotFound: no session lives, and either w does not open one or w.After is not zero.
	//   - KeyIsExpired: w.After is of a session of that key that has ended, even if another one lives.
	//   - CursorIsInvalid: w.After lies beyond the last message of the log that it reads.
	//   - IdempotencyKeyIsReused: this role has used the token in the live session, for another route or another body, or for a Take.
	//   - SdpAlreadyExist: w opens a session and one lives, or the batch has an sdp and so has the log.
	//   - QueueIsFull: the log would have more than Limits.Candidates candidates.
	//   - BodyIsTooLong: the session would have more than Limits.SessionBytes bytes of payload, as stored.
	//   - TooManyRequests: the sessions of whoever pays would take more memory than those of one payer may, Limits.ClientMemory. A store
	//     that is elsewhere may say so before it looks at the session.
	//   - CacheOverrunMaxCost: no memory is left for another session, or for this one beyond what was set aside for it. Live sessions
	//     are not touched.
	//
	// What a session takes is what it holds, payloads and what goes with them, or what was set aside for it at its opening, if that is more. It
	// counts for the payer until the session ends, by End or by expiry. Nothing that is taken or read is given back before: it can be read
	// again. Writes within what is set aside are never refused for want of memory. Setting aside ends two seconds after the opening for
	// whatever is more than a few times what has been written by then. A store that learns of ends only through its own calls counts a session
	// until the end of Limits.Lifetime at the latest.
	//
	// After SdpNoValues and CandidateNoValues the write is done, but there is nothing to read yet: dst is as it was, and the cursor lies
	// behind what was read so far. If w.Limit is zero there is no such error: the cursor comes back where it was, with the epoch of the
	// session that was written to.
	Write(ctx context.Context, dst []byte, w Write) ([]byte, Cursor, error)

	// Take takes what role t.To has not taken yet, by kind: the sdp, or the oldest candidates, at most t.Limit of them. It appends them to
	// dst in t.Form. Each payload is handed to one taker only. But if this role has already taken something of the live session with the
	// same token and route, Take takes nothing, and appends that again. A take that got nothing leaves its token free. With t.Limit zero it
	// takes and appends nothing, and no error means that there is something to take.
	//
	// On an error nothing is taken, and dst comes back as it was. If several apply, Take returns the first:
	//   - KeyIsExpired, KeyNotFound: no session lives.
	//   - KeyIsExpired: a session of that key lives, but it is not the one of the epoch t.In.
	//   - IdempotencyKeyIsReused: this role has used the token in the live session for another route, or for a Write.
	//   - SdpNoValues, CandidateNoValues: there is nothing to take.
	//   - TooManyRequests, CacheOverrunMaxCost: no memory is left to remember what the token got, as after a Write.
	Take(ctx context.Context, dst []byte, t Take) ([]byte, error)

	// Read appends to dst, in that form, what the log that role to reads holds after the cursor, at most limit messages (1 or more), and
	// returns the cursor behind them. It removes nothing, and what was taken can still be read. Candidates are held back until their sdp is
	// there. Errors, with dst as it was and the cursor behind what was read so far:
	//   - SdpNoValues, CandidateNoValues: there is nothing after the cursor yet; the sdp is missing, or no further candidate is there.
	//   - KeyIsExpired: the cursor is of a session of that key that has ended, even if another one lives.
	//   - CursorIsInvalid: the cursor lies beyond the last message of the log.
	Read(ctx context.Context, dst []byte, key Key, to Role, after Cursor, limit int, form *Form) ([]byte, Cursor, error)

	// Touch renews the session's TTL and says which one it is, how long it still has, and whether it is answered.
	Touch(ctx context.Context, key Key) (Lease, error)

	// End ends the session for both roles and gives its memory back.
	End(ctx context.Context, key Key) error

	// Hang registers a bell that is rung after each write that role to can read, and when the session opens or is ended by
	// End. It may ring needlessly; a store that cannot promise every ring says so. Expiry does not ring.
	// The session need not live. Unhang takes the same bell off; afterwards it is not rung any more.
	//
	// A ring that says more than "look again" is about the session of its cursor, At: its messages stand behind At, and the write that
	// brought them has renewed the session. It may come late: after a look has shown the same, or when that session has ended and the key
	// has another. So a reader asks the store where At is not of the session that it knows, or where it knows that one has ended.
	Hang(ctx context.Context, key Key, to Role, bell Bell) error
	Unhang(key Key, to Role, bell Bell)

	// Gave notes, for Stats, that role to was given an sdp that a ring brought.
	Gave(to Role)

	// Tells reports whether rings say what is new. A store does so if a look costs more. A waiting caller then hangs its bell before
	// its first look, and needs no second one.
	Tells() bool

	// Ready returns nil while the store takes new sessions, and otherwise why it does not.
	Ready(ctx context.Context) error

	// Stats tells what the store has counted, and what it holds. It asks no server, and waits for nothing but locks that are held
	// briefly.
	Stats() Stats

	// Close stops what runs in the background, waits for it, and gives the memory back. No call may follow or be under way.
	Close() error
}
