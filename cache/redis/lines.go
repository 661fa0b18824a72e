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

// line is the connection over which one server's news come.
type line struct {
	address string
	conn    rueidis.DedicatedClient
}

// failure is why a server could not be dialed, lately.
type failure struct {
	err error
	at  time.Time
}

// line returns the one to the channel's server.
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
		OnMessage:      n.heard,
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

// heard is called by a line's reader. A message is who has news: 1 offer, 2 answer, 3 both; and, unless they have to look, a cursor
// (8 bytes, little endian) and the frames behind it, which are the answerer's where a session opens.
func (n *news) heard(m rueidis.PubSubMessage) {
	if m.Message == "" {
		return // not ours
	}
	who, told := m.Message[0], cache.News{}
	if text := unsafeBytes(m.Message[1:]); len(text) >= 8 {
		told = cache.News{At: cache.Cursor(binary.LittleEndian.Uint64(text)), Frames: text[8:]}
	}
	if who != '2' {
		toOffer := told
		if who == '3' {
			toOffer.Frames = nil
		}
		n.bells.Ring(cache.Key(m.Channel), cache.Offer, toOffer)
	}
	if who != '1' {
		n.bells.Ring(cache.Key(m.Channel), cache.Answer, told)
	}
}

// subscribed is called by the line's reader, in the order in which the server did it: it is the one who knows.
func (n *news) subscribed(l *line, s rueidis.PubSubSubscription) {
	n.mu.Lock()
	defer n.mu.Unlock()
	t := n.topics[s.Channel]
	switch {
	case t == nil:
	case s.Kind == "ssubscribe":
		t.on = l
	case t.on == l: // sunsubscribe: the slot has moved, or somebody has come when the tender had just decided
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

// wake has the tender look now.
func (n *news) wake() {
	select {
	case n.kick <- struct{}{}:
	default:
	}
}
