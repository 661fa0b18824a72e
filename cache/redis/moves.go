package redis

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/rueidis"
)

// moves knows which slots a cluster is moving from one server to another. A session that has moved already is served by the new server, and
// its news is told there, while all who wait for it listen to the old one until the move is at its end. A move that somebody has broken off
// may have none. So as long as it lasts, who waits for a session of that slot looks by itself, each time the tender comes by.
//
// It is not safe for concurrent use: the tender owns it.
type moves struct {
	slots map[uint16]string // slot → address of the server that it is moved from
	next  int               // which of the servers is asked next
}

// askedAtOnce bounds how many servers are asked for their moves at a time. An answer has a line for each server of the cluster.
const askedAtOnce = 8

// look asks some of the servers, in turn, for the slots that they are giving away.
func (m *moves) look(ctx context.Context, servers map[string]rueidis.Client) {
	addresses := make([]string, 0, len(servers))
	for address, server := range servers {
		if server != nil {
			addresses = append(addresses, address)
		}
	}
	slices.Sort(addresses)
	for slot, from := range m.slots {
		if servers[from] == nil { // it has been replaced
			delete(m.slots, slot)
		}
	}
	for range min(askedAtOnce, len(addresses)) {
		m.next = (m.next + 1) % len(addresses)
		address := addresses[m.next]
		text, err := servers[address].Do(ctx, servers[address].B().ClusterNodes().Build()).ToString()
		if err != nil {
			continue // what is known of it stays
		}
		m.note(address, givenAway(text))
	}
}

// note notes all slots that the server is giving away.
func (m *moves) note(address string, slots []uint16) {
	for slot, from := range m.slots {
		if from == address {
			delete(m.slots, slot)
		}
	}
	for _, slot := range slots {
		if m.slots == nil {
			m.slots = make(map[uint16]string)
		}
		m.slots[slot] = address
	}
}

// has reports whether the slot is on the move, as far as is known.
func (m *moves) has(slot uint16) bool {
	_, moves := m.slots[slot]
	return moves
}

// givenAway reads CLUSTER NODES: the line of the server that answers names, in brackets, a slot and whom it goes to or comes from,
// [93->-id] or [77-<-id].
func givenAway(nodes string) (slots []uint16) {
	for line := range strings.Lines(nodes) {
		fields := strings.Fields(line)
		if len(fields) < 8 || !strings.Contains(fields[2], "myself") {
			continue
		}
		for _, field := range fields[8:] {
			number, _, ok := strings.Cut(strings.TrimPrefix(field, "["), "->-")
			if slot, err := strconv.ParseUint(number, 10, 16); ok && err == nil && slot < slotCount {
				slots = append(slots, uint16(slot))
			}
		}
	}
	return slots
}
