package bridge

import (
	"errors"
	"slices"
	"sync"

	"signal-server/client"
)

// Bounds of what a script holds. Both are above what a server takes by default, so that the server's answer decides.
const (
	maxMessages = 1024    // messages
	maxHeld     = 1 << 20 // bytes
)

var (
	errFull   = errors.New("too much is waiting already")
	errSecond = errors.New("there is an sdp already")
)

// script is what one program has written, beginning with its sdp. It only grows, so that every reader can start over. Candidates that
// come before the sdp wait for it. It is safe for concurrent use. newScript makes one.
type script struct {
	mu sync.Mutex
	// guarded by mu
	messages []client.Message // the sdp first, as soon as there is one
	hasSDP   bool
	held     int           // bytes
	grown    chan struct{} // closed and replaced at each change
}

func newScript() *script { return &script{grown: make(chan struct{})} }

// add appends the message; an sdp goes to the front. The error is errFull, or errSecond for a second sdp.
func (s *script) add(m client.Message) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case m.Kind == client.SDP && s.hasSDP:
		return errSecond
	case len(s.messages) >= maxMessages, s.held+len(m.Data) > maxHeld:
		return errFull
	case m.Kind == client.SDP:
		s.messages = slices.Insert(s.messages, 0, m)
		s.hasSDP = true
	default:
		s.messages = append(s.messages, m)
	}
	s.held += len(m.Data)
	close(s.grown)
	s.grown = make(chan struct{})
	return nil
}

// after returns what comes after the first n messages, and a channel that is closed when there is more. Until the sdp is there, it
// returns no message. The caller does not write to the slice.
func (s *script) after(n int) (rest []client.Message, grown <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.hasSDP && n < len(s.messages) {
		rest = s.messages[n:len(s.messages):len(s.messages)]
	}
	return rest, s.grown
}

// begun reports whether the sdp is there.
func (s *script) begun() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hasSDP
}

// outbox holds what the local program writes. Each sdp begins a new script: a program has one sdp, so a second one means that the
// program was started anew. It is safe for concurrent use. newOutbox makes one.
type outbox struct {
	mu sync.Mutex
	// guarded by mu
	script  *script
	renewed chan struct{} // closed and replaced with the script
}

func newOutbox() *outbox { return &outbox{script: newScript(), renewed: make(chan struct{})} }

// put adds the message to the current script, or begins a new one with it. The error is errFull.
func (o *outbox) put(m client.Message) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	err := o.script.add(m)
	if errors.Is(err, errSecond) {
		o.renewLocked()
		err = o.script.add(m)
	}
	return err
}

// current returns the current script, and a channel that is closed when it is replaced.
func (o *outbox) current() (s *script, renewed <-chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.script, o.renewed
}

// renew begins a new script: what is written from now on belongs to another session.
func (o *outbox) renew() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.renewLocked()
}

func (o *outbox) renewLocked() {
	o.script = newScript()
	close(o.renewed)
	o.renewed = make(chan struct{})
}
