package cache

import "time"

// Memory is set aside for a session at its opening, so that it completes whatever comes afterwards: an answer is about as large as its offer,
// and trickled candidates come from both sides. A session that nobody writes to soon needs less, and one without content next to nothing.
const (
	// SetAsideFor is how long after its opening a session has all that SetAside says. Then Settled is what remains.
	SetAsideFor = 2 * time.Second

	trickle      = 4 << 10  // bytes for candidates, beside an answer
	minSetAside  = 10 << 10 // bytes: a small offer may get an answer of usual size
	settledShare = 4        // the session, an answer as large, and as much again of candidates from both sides
)

// SetAside returns how many bytes are set aside for a session whose first write takes first bytes, and which may take full bytes at the most.
func SetAside(first, full int) int {
	return min(max(2*first+trickle, minSetAside), max(first, full))
}

// Settled returns how much of what was set aside remains for a session that takes held bytes SetAsideFor after its opening: at the most four
// times as much. So a peer that comes late finds room for all of a usual handshake, and a flood of sessions without content soon takes
// little more than it has sent.
func Settled(aside, held int) int { return min(aside, settledShare*held) }
