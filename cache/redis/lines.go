package redis

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/redis/rueidis"

	"signal-server/cache"
)

var errClosed = errors.New("the store is closed")

// line is the connection over which the news of one server comes.
type line struct {
	// set at construction
	address string
	conn    rueidis.DedicatedClient

	// owned by the connection's reader
	half rueidis.PubSubMessage // the first half of news that have an sdp
}

// failure is why a server could not be dialed, and when.
type failure struct {
	err error
	at  time.Time
}

// line returns the line to the channel's server.
func (n *news) line(channel string) (*line, error) {
	address, node := n.routes.find(channel)
	if node == nil {
		if err := n.routes.refresh(n.deadlines.context()); err != nil {
			return nil, err
		}
		if address, node = n.routes.find(channel); node == nil {
			return nil, fmt.Errorf("no server is known for the session's news (%q)", address)
		}
	}
	if l, err := n.existing(address); l != nil || err != nil {
		return l, err
	}
	n.dialing.Lock()
	defer n.dialing.Unlock()
	if l, err := n.existing(address); l != nil || err != nil {
		return l, err
	}
	if f := n.failed[address]; f.err != nil && time.Since(f.at) < redialAfter {
		return nil, f.err
	}
	l, err := n.dial(address, node)
	if err != nil {
		n.failed[address] = failure{err, time.Now()}
		return nil, err
	}
	delete(n.failed, address)
	return l, nil
}

func (n *news) existing(address string) (*line, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return nil, errClosed
	}
	return n.lines[address], nil
}

func (n *news) dial(address string, node rueidis.Client) (*line, error) {
	conn, _ := node.Dedicate()
	l := &line{address: address, conn: conn}
	lost := conn.SetPubSubHooks(rueidis.PubSubHooks{
		OnMessage:      func(m rueidis.PubSubMessage) { n.heard(l, m) },
		OnSubscription: func(s rueidis.PubSubSubscription) { n.subscribed(l, s) },
	})
	if err := conn.Do(n.deadlines.context(), conn.B().Ping().Build()).Error(); err != nil {
		conn.Close()
		return nil, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		conn.Close()
		return nil, errClosed
	}
	n.lines[address] = l
	n.stopped.Go(func() {
		<-lost
		n.hungUp(l)
	})
	return l, nil
}

// A message begins with who has news. When a session ends, the message is openedByOffer and nothing else.
const (
	newsOfOffer    = '1' // what the offerer reads has grown
	newsOfAnswer   = '2'
	openedByOffer  = '3' // both roles have news: the session has opened, and the answerer has something to read
	openedByAnswer = '4'
)

// heard takes a message of the channel; the line's reader calls it. A message begins with who has news. If that is all, they have to
// look. Otherwise a cursor follows (8 bytes, little endian), and the frames of the candidates behind it. If the cursor is the
// beginning, the sdp comes first, and its frame is the channel's next message: joining an sdp with something else in Lua costs Redis
// ten times what another message does.
func (n *news) heard(l *line, m rueidis.PubSubMessage) {
	if l.half.Message != "" {
		first := l.half
		l.half = rueidis.PubSubMessage{}
		if first.Channel == m.Channel {
			n.tell(m.Channel, first.Message[0], cursorOf(first.Message), append([]byte(m.Message), first.Message[toldSize:]...))
			return
		}
	}
	switch {
	case m.Message == "": // not ours
	case len(m.Message) < toldSize:
		n.tell(m.Channel, m.Message[0], 0, nil)
	case cursorOf(m.Message).Position() == 0:
		l.half = m
	default:
		n.tell(m.Channel, m.Message[0], cursorOf(m.Message), unsafeBytes(m.Message[toldSize:]))
	}
}

const toldSize = 1 + 8 // bytes: who, and the cursor

func cursorOf(told string) cache.Cursor {
	return cache.Cursor(binary.LittleEndian.Uint64(unsafeBytes(told[1:])))
}

// tell rings the bells of the roles that have news, and says what is new. The role that has opened the session has nothing to read
// yet.
func (n *news) tell(channel string, who byte, at cache.Cursor, frames []byte) {
	forAnswer, forOffer := cache.News{At: at, Frames: frames}, cache.News{At: at, Frames: frames}
	switch who {
	case openedByOffer:
		forOffer.Frames = nil
	case openedByAnswer:
		forAnswer.Frames = nil
	}
	if who != newsOfOffer {
		n.bells.Ring(cache.Key(channel), cache.Answer, forAnswer)
	}
	if who != newsOfAnswer {
		n.bells.Ring(cache.Key(channel), cache.Offer, forOffer)
	}
}

// subscribed notes what the server has subscribed the line to, or unsubscribed. The line's reader calls it, in the server's order, so
// that what it notes is what counts.
func (n *news) subscribed(l *line, s rueidis.PubSubSubscription) {
	n.mu.Lock()
	defer n.mu.Unlock()
	t := n.topics[s.Channel]
	switch {
	case t == nil:
	case s.Kind == "ssubscribe":
		t.on = l
	case t.on == l: // sunsubscribe: the slot has moved, or a waiter came just after the tender had decided to drop the channel
		t.on = nil
		n.wake()
	}
}

// hungUp forgets a line that is lost.
func (n *news) hungUp(l *line) {
	l.conn.Close()
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.lines[l.address] == l {
		delete(n.lines, l.address)
	}
	for _, t := range n.topics {
		if t.on == l {
			t.on = nil
		}
	}
	n.wake()
}

// hangUpAllBut closes the lines to servers that have been replaced.
func (n *news) hangUpAllBut(address string) {
	var gone []*line
	n.mu.Lock()
	for _, l := range n.lines {
		if l.address != address {
			gone = append(gone, l)
		}
	}
	n.mu.Unlock()
	for _, l := range gone {
		l.conn.Close()
	}
}

// wake makes the tender look now.
func (n *news) wake() {
	select {
	case n.kick <- struct{}{}:
	default:
	}
}
