package pionsignal

import (
	"cmp"
	"encoding/json"
	"slices"
	"sync"

	"github.com/pion/webrtc/v4"
)

// outbox holds the candidates that were gathered, and knows which of them are not posted yet. It is safe for concurrent use: Pion adds,
// and the handshake takes.
type outbox struct {
	// added has capacity 1. It gets a value when there is something to take, and is never closed.
	added chan struct{}
	// gathered is closed with the end of candidates.
	gathered chan struct{}

	mu sync.Mutex
	// guarded by mu
	all      []candidate // in the order in which they were gathered, without the end
	taken    int         // of them
	end      string      // the end of candidates; empty: not gathered yet
	endTaken bool
	closed   bool    // nothing is taken any more
	mid      *string // of the last candidate, as is line; the end of candidates names them
	line     *uint16
}

type candidate struct {
	text     string // JSON
	priority uint32 // RFC 8445, Section 5.1.2
}

// batch is what one request posts.
type batch struct {
	texts    []string
	leftOut  int  // candidates for which there was no room
	complete bool // the end of candidates was taken, in this batch or before
	before   int  // candidates that were taken before
}

func newOutbox() *outbox {
	return &outbox{added: make(chan struct{}, 1), gathered: make(chan struct{})}
}

// add is the handler of OnICECandidate, where nil stands for the end of candidates. It does not block.
func (o *outbox) add(c *webrtc.ICECandidate) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.end != "" || o.closed {
		return
	}
	if c != nil {
		init := c.ToJSON()
		o.mid, o.line = init.SDPMid, init.SDPMLineIndex
		o.all = append(o.all, candidate{textOf(init), c.Priority})
	} else {
		if o.line == nil {
			o.line = new(uint16) // browsers want one of the two (W3C WebRTC, addIceCandidate)
		}
		o.end = textOf(webrtc.ICECandidateInit{SDPMid: o.mid, SDPMLineIndex: o.line})
		close(o.gathered)
	}
	o.ringLocked()
}

func textOf(c webrtc.ICECandidateInit) string {
	text, err := json.Marshal(c)
	if err != nil {
		panic("BUG: an ICECandidateInit is strings and a number, which JSON takes: " + err.Error())
	}
	return string(text)
}

func (o *outbox) ringLocked() {
	select {
	case o.added <- struct{}{}:
	default: // a value is waiting already
	}
}

// take returns what waits, in order, and takes it. If that is more than there is room for, the best by priority go, and the others are
// left out. One place is kept for the end of candidates, unless it is the only one.
func (o *outbox) take(room int) (b batch) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return batch{}
	}
	waiting := o.all[o.taken:]
	b.before, o.taken = o.taken, len(o.all)
	for _, c := range best(waiting, max(room-1, min(room, 1))) {
		b.texts = append(b.texts, c.text)
	}
	b.leftOut = len(waiting) - len(b.texts)
	if o.end != "" && !o.endTaken {
		o.endTaken = true
		if room > len(b.texts) {
			b.texts = append(b.texts, o.end)
		}
	}
	b.complete = o.endTaken
	return b
}

// best returns the n candidates of the highest priority, in the order in which they stand.
func best(all []candidate, n int) []candidate {
	if len(all) <= n {
		return all
	}
	ranks := make([]int, len(all))
	for i := range ranks {
		ranks[i] = i
	}
	slices.SortStableFunc(ranks, func(a, b int) int { return cmp.Compare(all[b].priority, all[a].priority) })
	ranks = ranks[:n]
	slices.Sort(ranks)
	chosen := make([]candidate, n)
	for i, rank := range ranks {
		chosen[i] = all[rank]
	}
	return chosen
}

// putBack makes wait again what waited when b was taken, the zero batch everything.
func (o *outbox) putBack(b batch) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.taken, o.endTaken = b.before, false
	o.ringLocked()
}

// close drops what waits. What is added later is dropped, too.
func (o *outbox) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed, o.all = true, nil
}
