package cache

import (
	"time"

	"github.com/alecthomas/units"
)

// Limits bound what a store takes. They are the same for all sessions. The tags are what a program's flags are made of.
type Limits struct {
	// TTL is how long a session lives without a valid request, at the most and by default: 1 ms or more.
	TTL time.Duration `name:"ttl" default:"30s" help:"How long a session lives without requests."`
	// Lifetime is how long a session lives from its opening at the most, whatever the clients do: TTL or more.
	Lifetime time.Duration `name:"lifetime" default:"5m" help:"How long a session lives at the most."`
	// Candidates is how many candidates each role may post to a session: 1 to MaxLog-1.
	Candidates int `name:"max-candidates" default:"128" help:"Candidates of one role."`
	// SessionBytes is how many bytes the payloads of both roles of one session may have as they are stored, in wire form: 1 to
	// MaxSessionBytes. A payload that is mostly escapes may so be too long for a session although it is not for itself.
	SessionBytes int `name:"max-session" default:"256KiB" type:"bytes" help:"Size of all that a session holds, as JSON has it."`
	// ClientMemory is how much memory the sessions of one Payer may take; but never less than four full sessions need, FullSessions. What
	// memory that is a share of, each store says.
	ClientMemory Share `name:"max-client-memory" group:"What one client may have" default:"1/8" help:"Memory of its sessions; 0: any."`
}

// FullSessions is how many sessions each payer may have that hold as much as a session may, whatever ClientMemory says.
const FullSessions = 4

// MaxSessionBytes bounds Limits.SessionBytes. 32 bits are enough to count what such a session holds, with the headers of its entries, and a
// read of a whole one fits into the 512 MiB of a Redis string.
const MaxSessionBytes = 64 << 20

// MinTTL is the least TTL that a session is opened with, unless Limits.TTL is less: no two peers meet in less, and a session that ends at once
// only tells who opened it that its key was free.
const MinTTL = time.Second

// SessionTTL returns the TTL of a session that is opened with this wish: MinTTL to l.TTL, or l.TTL where that is less than MinTTL. A wish of
// zero or less means l.TTL.
func (l *Limits) SessionTTL(wish time.Duration) time.Duration {
	if wish <= 0 {
		return l.TTL
	}
	return min(max(wish, MinTTL), l.TTL)
}

// Validate calls wrong for each mistake in a program's settings: with a pointer to the field, and with what is wrong in words that follow
// the field's name.
func (l *Limits) Validate(wrong func(field any, format string, args ...any)) {
	if l.TTL < time.Millisecond {
		wrong(&l.TTL, "is %v, must be 1ms or more", l.TTL)
	}
	if l.Lifetime < l.TTL {
		wrong(&l.Lifetime, "is %v, must be the ttl (%v) or more", l.Lifetime, l.TTL)
	}
	if l.Candidates < 1 || l.Candidates >= MaxLog {
		wrong(&l.Candidates, "is %d, must be 1 to %d", l.Candidates, MaxLog-1)
	}
	if l.SessionBytes < 1 || l.SessionBytes > MaxSessionBytes {
		wrong(&l.SessionBytes, "is %v, must be 1B to %v", units.Base2Bytes(l.SessionBytes), units.Base2Bytes(MaxSessionBytes))
	}
	if l.ClientMemory.Part < 0 || l.ClientMemory.Bytes < 0 {
		wrong(&l.ClientMemory, "is %v, must be 0 or more", l.ClientMemory)
	}
}
