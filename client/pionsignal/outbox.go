package pionsignal

import (
	"encoding/json"
	"sync"

	"github.com/pion/webrtc/v4"
)

// outbox holds the candidates that were gathered and are not posted yet. It is safe for concurrent use: Pion adds, and the
// handshake takes.
type outbox struct {
	// added has capacity 1. It gets a value when there is something to take, and is never closed.
	added chan struct{}
	// gathered is closed with the end of candidates.
	gathered chan struct{}

	mu sync.Mutex
	// guarded by mu
	waiting  []string // the JSON of each
	complete bool     // the end of candidates was added
	closed   bool     // nothing is taken any more
	mid      *string  // of the last candidate, as is line; the end of candidates names them
	line     *uint16
}

func newOutbox() *outbox {
	return &outbox{added: make(chan struct{}, 1), gathered: make(chan struct{})}
}

// add is the handler of OnICECandidate, where nil stands for the end of candidates. It does not block.
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
	case o.added <- struct{}{}:
	default: // a value is waiting already
	}
}

// take removes and returns what waits, in order. complete says whether the end of candidates is in it or was taken before.
func (o *outbox) take() (candidates []string, complete bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	candidates, o.waiting = o.waiting, nil
	return candidates, o.complete
}

// close drops what waits. What is added later is dropped, too.
func (o *outbox) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed, o.waiting = true, nil
}
