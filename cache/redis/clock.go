package redis

import (
	"encoding/binary"
	"math"
	"strings"
	"sync/atomic"
	"time"
)

// clock is what a node knows of a server's clock: how far it is ahead of the node's own, in milliseconds. The node's own is monotonic and
// began at zero, so that nobody sets it. It is safe for concurrent use, and its zero value knows nothing.
//
// A script that writes or takes is told by when it must have run, on the server's clock, and refuses otherwise: the caller was told long
// ago that it was not done. A refusal tells what time it is. The node learns from that, and asks again if there is time left:
//
//	node ──by──▶ server, whose time is T: refused, T ──▶ node: it was at least T when the answer came ──T + what is left──▶ server
//
// What the node takes for the server's time is so never ahead of it, by as much as that answer was on its way; so a script is refused too
// early rather than run too late. It refuses also if it seems to come before anybody asked for it: then the server's clock was set back,
// or another server with another clock serves in its place. In both cases one more round trip corrects it, by the very server that serves.
// So a clock that is wrong costs time, and never refuses for good. Nothing runs late but by what a clock is set back during the very
// stall, or loses against the node's within the eighth of the timeout that is in reserve.
type clock struct{ ahead atomic.Int64 }

// learn notes that the server's time was at least told when the node's was now, both in ms. early says that it was less than the clock
// believes.
func (c *clock) learn(told, now int64, early bool) (ahead int64) {
	ahead = told - now
	if early || ahead > c.ahead.Load() { // of two that are not ahead of the server's the later one is nearer
		c.ahead.Store(ahead)
	}
	return ahead
}

// stampSize is how many bytes begin the packed numbers of a script that changes something: see late.lua.
const stampSize = 8 + 4

// reserve is the part of the timeout that lies between the time by which a script must have run and the end of its caller's patience: what
// a clock may be wrong by.
const reserve = deadlineSlices

// patience is how long after it was asked for a script may run. With replicas as much goes to waiting for them.
func (o *options) patience() time.Duration {
	if o.replicas > 0 {
		return o.timeout / 2
	}
	return o.timeout
}

// span is how much earlier than its deadline a script can come at the most, in ms.
func (o *options) span() int64 { return (o.patience() + o.timeout/reserve).Milliseconds() + 1 }

// due returns by when the request must be carried out, on this node's clock, in ms.
func (s *Store) due(r *request) int64 { return (r.moment.begun + s.patience()).Milliseconds() }

// stamp puts before dst by when the request must be carried out, on a clock that is ahead of this node's by so much.
func (s *Store) stamp(dst []byte, r *request, ahead int64) []byte {
	r.by = s.due(r) + ahead
	dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(float64(r.by)))
	return binary.LittleEndian.AppendUint32(dst, uint32(s.span())) // #nosec G115 -- a timeout is much less than 49 days
}

// correct stamps the request anew after a script was refused by a server whose time is told. It reports whether there is time left.
func (s *Store) correct(r *request, told int64) bool {
	now := s.deadlines.now().Milliseconds() + 1
	ahead := r.clock.learn(told, now, told+s.span() < r.by)
	if now >= s.due(r) {
		return false
	}
	var b [stampSize]byte
	var text strings.Builder
	text.Grow(len(r.args[0]))
	text.Write(s.stamp(b[:0], r, ahead))
	text.WriteString(r.args[0][stampSize:])
	r.args[0] = text.String()
	return true
}
