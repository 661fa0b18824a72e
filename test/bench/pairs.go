package main

import (
	"context"
	"sync/atomic"
)

// pairs are the peers that make handshakes at once, two by two. handshake is called for one pair at a time.
type pairs interface {
	open(ctx context.Context) error
	handshake(ctx context.Context, pair int, key string) error
	asked() int              // requests or messages that were sent so far
	end(keys []string) error // ends the sessions of handshakes
	close()
}

// httpPairs are peers with one HTTP connection each.
type httpPairs struct {
	b     *bench
	p     *process
	flow  *flow
	lines []*line // the offerers, then the answerers
	gone  atomic.Int64
}

func (h *httpPairs) open(context.Context) (err error) {
	if !h.flow.anew {
		h.lines, err = h.b.dialLines(h.p, 2*atOnce)
	}
	return err
}

func (h *httpPairs) close() { hangUp(h.lines) }

func (h *httpPairs) asked() int {
	sum := int(h.gone.Load())
	for _, l := range h.lines {
		sum += l.asked
	}
	return sum
}

func (h *httpPairs) end(keys []string) error {
	c, err := h.b.poller.dialHTTP(h.p.addr)
	if err != nil {
		return err
	}
	defer c.Close()
	return (&line{conn: c, faults: &h.b.faults, keys: keys}).end()
}

func (h *httpPairs) handshake(_ context.Context, pair int, key string) error {
	return atTheSameTime(len(h.flow.sides), func(i int) error {
		if !h.flow.anew {
			return h.flow.sides[i](h.lines[i*atOnce+pair], key)
		}
		c, err := h.b.poller.dialHTTP(h.p.addr)
		if err != nil {
			return err
		}
		defer c.Close()
		err = h.flow.sides[i](&line{conn: c, faults: &h.b.faults}, key)
		h.gone.Add(int64(c.asked))
		return err
	})
}

// peerPairs are peers with one WebSocket each.
type peerPairs struct {
	b       *bench
	p       *process
	anew    bool
	sockets []*webSocket // as httpPairs.lines
	gone    atomic.Int64
}

func (s *peerPairs) open(ctx context.Context) error {
	if s.anew {
		return nil
	}
	for range 2 * atOnce {
		one, err := s.b.dialPeer(ctx, s.p.addr, newKey())
		if err != nil {
			return err
		}
		s.sockets = append(s.sockets, one)
	}
	return nil
}

func (s *peerPairs) close() {
	for _, one := range s.sockets {
		one.hangUp()
	}
}

func (s *peerPairs) asked() int {
	sum := int(s.gone.Load())
	for _, one := range s.sockets {
		sum += one.sent
	}
	return sum
}

func (s *peerPairs) end([]string) error { return nil } // it keeps nothing of what it relayed

func (s *peerPairs) handshake(ctx context.Context, pair int, key string) error {
	ids := [2]string{key + "-offer", key + "-answer"}
	return atTheSameTime(len(ids), func(i int) error {
		role := [...]string{"offer", "answer"}[i]
		if !s.anew {
			return s.sockets[i*atOnce+pair].handshake(ctx, role, s.sockets[(1-i)*atOnce+pair].id, key)
		}
		one, err := s.b.dialPeer(ctx, s.p.addr, ids[i])
		if err != nil {
			return err
		}
		defer one.hangUp()
		err = one.handshake(ctx, role, ids[1-i], key)
		s.gone.Add(int64(one.sent))
		return err
	})
}
