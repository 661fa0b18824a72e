package redis

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/redis/rueidis"

	"signal-server/cache"
)

// news rings bells when a message comes over a session's channel. The first call that waits for a session subscribes to its channel.
// One goroutine, the tender, drops channels for which nobody has waited for a while, and mends what a failure or a move of slots
// has broken:
//
//	hang ─────▶ SSUBSCRIBE, over the line to the channel's server, unless it is subscribed already
//	server ───▶ line ───▶ bells                                (the connection's reader rings)
//	tender ───▶ each second: SUNSUBSCRIBE what is idle; subscribe again to what is not heard, and ring it; ring what is on the move
//
// However many callers wait, there is one connection for each server, and no goroutine for each caller.
type news struct {
	// set at construction
	client    rueidis.Client
	routes    *routes
	deadlines *deadlines
	bells     *cache.Bells // by channel
	kick      chan struct{}
	stopping  chan struct{}
	stopped   sync.WaitGroup

	// owned by the tender
	moves moves

	mu sync.Mutex
	// guarded by mu
	topics map[string]*topic
	lines  map[string]*line // by address
	closed bool

	dialing sync.Mutex // one at a time
	// guarded by dialing
	failed map[string]failure
}

// topic is a channel that somebody waits for, or has waited for lately.
type topic struct {
	waiting [len(cache.Roles)]bool
	on      *line // the line that is subscribed to it; nil: none is yet, or none is any more
}

func (t *topic) idle() bool { return t.waiting == [len(cache.Roles)]bool{} }

const (
	// tendEvery bounds how long a subscription stays when nobody waits, and how long mending one takes. Clients that wait
	// again and again, as in a handshake, find their subscription still there.
	tendEvery = time.Second
	// redialAfter is how long a failed dial counts: calls that come meanwhile fail at once, instead of waiting to fail.
	redialAfter = 200 * time.Millisecond
	// together is how many commands or channels go in one pipeline.
	together = 256
)

func newNews(client rueidis.Client, routes *routes, deadlines *deadlines) *news {
	n := &news{
		client:    client,
		routes:    routes,
		deadlines: deadlines,
		bells:     cache.NewBells(),
		kick:      make(chan struct{}, 1),
		stopping:  make(chan struct{}),
		topics:    make(map[string]*topic),
		lines:     make(map[string]*line),
		failed:    make(map[string]failure),
	}
	n.stopped.Go(n.tend)
	return n
}

// hang puts the bell up, and returns when the channel is subscribed to.
func (n *news) hang(channel string, to cache.Role, bell cache.Bell) error {
	n.mu.Lock()
	t := n.topics[channel]
	if t == nil {
		t = new(topic)
		n.topics[channel] = t
	}
	n.bells.Hang(cache.Key(channel), to, bell)
	t.waiting[to-cache.Offer] = true
	heard := t.on != nil
	n.mu.Unlock()
	if heard {
		return nil
	}
	err := n.subscribe(n.deadlines.context(), channel)
	if err != nil {
		n.unhang(channel, to, bell)
	}
	return err
}

// unhang takes the bell down. The tender drops the channel if nobody comes back for it.
func (n *news) unhang(channel string, to cache.Role, bell cache.Bell) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if last := n.bells.Unhang(cache.Key(channel), to, bell); last {
		n.topics[channel].waiting[to-cache.Offer] = false
	}
}

// ringBoth rings every bell of the channel's session: all who wait look again.
func (n *news) ringBoth(channel string) {
	for _, role := range cache.Roles {
		n.bells.Ring(cache.Key(channel), role, cache.News{})
	}
}

// subscribe returns when the channels are subscribed to. In a cluster they are all of one slot.
func (n *news) subscribe(ctx context.Context, channels ...string) error {
	for range 3 { // a slot may have moved, and may do so again
		l, err := n.line(channels[0])
		if err != nil {
			return err
		}
		err = l.conn.Do(ctx, l.conn.B().Ssubscribe().Channel(channels...).Build()).Error()
		if e, ok := rueidis.IsRedisErr(err); ok {
			if address, ok := e.IsMoved(); ok {
				n.routes.moved(channels[0], address)
				continue
			}
		}
		return err
	}
	return errors.New("the slot of the session's news is on the move")
}

// tend keeps subscriptions as they should be, until close.
func (n *news) tend() {
	tick := time.NewTicker(tendEvery)
	defer tick.Stop()
	for {
		select {
		case <-n.kick:
		case <-tick.C:
		case <-n.stopping:
			return
		}
		n.drop()
		n.mend()
	}
}

// drop unsubscribes from the channels that nobody waits for.
func (n *news) drop() {
	idle := make(map[*line][]string)
	n.mu.Lock()
	for channel, t := range n.topics {
		if t.idle() {
			if t.on != nil {
				idle[t.on] = append(idle[t.on], channel)
			}
			delete(n.topics, channel)
		}
	}
	n.mu.Unlock()
	for l, channels := range idle {
		for some := range slices.Chunk(channels, together) {
			n.unsubscribe(l, some)
		}
	}
}

func (n *news) unsubscribe(l *line, channels []string) {
	cmds := make(rueidis.Commands, 0, together)
	if n.routes.cluster { // a command names channels of one slot
		for _, channel := range channels {
			cmds = append(cmds, l.conn.B().Sunsubscribe().Channel(channel).Build())
		}
	} else {
		cmds = append(cmds, l.conn.B().Sunsubscribe().Channel(channels...).Build())
	}
	l.conn.DoMulti(n.deadlines.context(), cmds...) // it fails only if the line has failed
}

// mend subscribes to the channels that somebody waits for and that have lost their subscription, and rings their bells.
func (n *news) mend() {
	n.mu.Lock()
	wanted := len(n.topics) > 0
	n.mu.Unlock()
	if !wanted {
		return
	}
	_ = n.routes.refresh(n.deadlines.context()) // if that fails, the known routes are tried
	n.leave()

	deaf := make(map[uint16][]string) // by slot; outside of a cluster all in one
	n.mu.Lock()
	for channel, t := range n.topics {
		if t.on == nil && !t.idle() {
			var slot uint16
			if n.routes.cluster {
				slot = slotOf(channel)
			}
			deaf[slot] = append(deaf[slot], channel)
		}
	}
	n.mu.Unlock()
	for _, channels := range deaf {
		for some := range slices.Chunk(channels, together) {
			if n.subscribe(n.deadlines.context(), some...) != nil {
				break // the next tick tries again
			}
			for _, channel := range some {
				n.ringBoth(channel)
			}
		}
	}
	n.ringMoving()
}

// ringMoving rings the bells of those who wait for sessions whose slots are on the move: see moves.
func (n *news) ringMoving() {
	if !n.routes.cluster {
		return
	}
	n.moves.look(n.deadlines.context(), n.routes.masters())
	if len(n.moves.slots) == 0 {
		return
	}
	var moving []string
	n.mu.Lock()
	for channel, t := range n.topics {
		if !t.idle() && n.moves.has(slotOf(channel)) {
			moving = append(moving, channel)
		}
	}
	n.mu.Unlock()
	for _, channel := range moving {
		n.ringBoth(channel)
	}
}

// leave forgets the lines of channels whose news comes from another server now.
func (n *news) leave() {
	if !n.routes.cluster {
		address, _ := n.routes.find("")
		n.hangUpAllBut(address)
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for channel, t := range n.topics {
		if t.on != nil && n.routes.address(channel) != t.on.address {
			t.on = nil
		}
	}
}

// close drops everything, and waits for what runs in the background.
func (n *news) close() {
	close(n.stopping)
	n.mu.Lock()
	n.closed = true
	lines := n.lines
	n.lines = nil
	n.mu.Unlock()
	for _, l := range lines {
		l.conn.Close()
	}
	n.stopped.Wait()
}
