package pionsignal

import (
	"encoding/json"
	"sync"

	"github.com/pion/webrtc/v4"
)

// outbox holds the candidates that were gathered and not posted yet. It is safe for concurrent use: Pion adds, the
// handshake takes.
type outbox struct {
	// news has capacity 1, is rung when there is something to take, and is never closed.
	news chan struct{}
	// gathered is closed with the end of candidates.
	gathered chan struct{}

	mu sync.Mutex
	// guarded by mu
	waiting  []string // the JSON of each
	complete bool     // the end of candidates is, or was, the last of them
	closed   bool     // nobody takes any more
	mid      *string  // of the candidate before: to which the end of candidates belongs
	line     *uint16
}

func newOutbox() *outbox {
	return &outbox{news: make(chan struct{}, 1), gathered: make(chan struct{})}
}

// add is the handler of OnICECandidate: nil is the end of candidates. It does not block.
func (o *outbox) add(c *webrtc.ICECandidate) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.complete || o.closed {
		return
	}
	candidate := webrtc.ICECandidateInit{SDPMid: o.mid, SDPMLineIndex: o.line} // the end: no candidate
	if c != nil {
		candidate = c.ToJSON()
		o.mid, o.line = candidate.SDPMid, candidate.SDPMLineIndex
	} else if candidate.SDPMLineIndex == nil {
		candidate.SDPMLineIndex = new(uint16) // browsers want one of the two (W3C WebRTC, addIceCandidate)
	}
	text, err := json.Marshal(candidate)
	if err != nil {
		panic("BUG: an ICECandidateInit is strings and a number, which JSON takes: " + err.Error())
	}
	o.waiting = append(o.waiting, string(text))
	if c == nil {
		o.complete = true
		close(o.gathered)
	}
	select {
	case o.news <- struct{}{}:
	default: // it has been rung already
	}
}

// take returns what waits, in order, and whether the end of candidates is in it or before it.
func (o *outbox) take() (candidates []string, complete bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	candidates, o.waiting = o.waiting, nil
	return candidates, o.complete
}

// close drops what waits and what is still added.
func (o *outbox) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed, o.waiting = true, nil
}
