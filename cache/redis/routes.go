package redis

import (
	"context"
	"errors"
	"net"
	"strconv"
	"strings"
	"sync"

	"github.com/redis/rueidis"
)

// routes knows which server has the news of a channel. rueidis knows it too, but keeps it to itself.
type routes struct {
	// set at construction
	client  rueidis.Client
	cluster bool

	// atomic inside
	only clock // of the server that serves, outside of a cluster

	mu sync.Mutex
	// guarded by mu
	slots  map[uint16]string // slot → address, in a cluster
	clocks map[string]*clock // by address, in a cluster
}

func newRoutes(client rueidis.Client) *routes {
	return &routes{client: client, cluster: client.Mode() == rueidis.ClientModeCluster, clocks: make(map[string]*clock)}
}

// clock returns the clock of the server that has the session of that name. While a slot moves, or another server takes one over, it may be
// another one's: then the server says so.
//
// hot: every call that changes something comes here.
func (r *routes) clock(name []byte) *clock {
	if !r.cluster {
		return &r.only
	}
	return r.clockOf(r.address(unsafeString(name)))
}

// clockOf returns the clock of the server at that address.
func (r *routes) clockOf(address string) *clock {
	if !r.cluster {
		return &r.only
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.clocks[address]
	if c == nil {
		c = new(clock)
		r.clocks[address] = c
	}
	return c
}

// find returns the server that has the channel, and its address; nil if it is not known.
func (r *routes) find(channel string) (string, rueidis.Client) {
	nodes := r.client.Nodes()
	if !r.cluster {
		for address, node := range nodes { // the only one
			return address, node
		}
		return "", nil
	}
	address := r.address(channel)
	return address, nodes[address]
}

// address returns the address of the cluster's server that has the channel, or "" if it is not known.
func (r *routes) address(channel string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.slots[slotOf(channel)]
}

// moved notes what a server said with MOVED.
func (r *routes) moved(channel, address string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.slots == nil {
		r.slots = make(map[uint16]string)
	}
	r.slots[slotOf(channel)] = address
}

// masters returns the servers that hold slots; outside of a cluster, the only one.
func (r *routes) masters() map[string]rueidis.Client {
	nodes := r.client.Nodes()
	if !r.cluster {
		return nodes
	}
	masters := make(map[string]rueidis.Client)
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, address := range r.slots {
		masters[address] = nodes[address]
	}
	return masters
}

// refresh asks one server after the other who has which slots, until one answers.
func (r *routes) refresh(ctx context.Context) error {
	if !r.cluster {
		return nil
	}
	var errs []error
	for address, node := range r.client.Nodes() {
		answer, err := node.Do(ctx, node.B().ClusterSlots().Build()).ToArray()
		slots := parseSlots(answer, address)
		if err != nil || len(slots) == 0 {
			errs = append(errs, err)
			continue
		}
		r.mu.Lock()
		r.slots = slots
		r.mu.Unlock()
		return nil
	}
	return errors.Join(append(errs, errors.New("no server of the cluster knows who has which slots"))...)
}

// parseSlots reads the answer to CLUSTER SLOTS, which came from that address.
func parseSlots(ranges []rueidis.RedisMessage, asked string) map[uint16]string {
	slots := make(map[uint16]string, slotCount)
	for i := range ranges {
		fields, err := ranges[i].ToArray()
		if err != nil || len(fields) < 3 {
			continue
		}
		first, _ := fields[0].AsInt64()
		last, _ := fields[1].AsInt64()
		master, err := fields[2].ToArray()
		if err != nil || len(master) < 2 || first < 0 || last >= slotCount {
			continue
		}
		host, _ := master[0].ToString()
		port, _ := master[1].AsInt64()
		if host == "" { // the server that was asked, which does not know its own name
			host, _, _ = net.SplitHostPort(asked)
		}
		address := net.JoinHostPort(host, strconv.FormatInt(port, 10))
		for slot := first; slot <= last; slot++ {
			slots[uint16(slot)] = address
		}
	}
	return slots
}

const slotCount = 16384

// slotOf returns the slot of a name with a hash tag: CRC16 (XMODEM) of what stands in its braces, as the cluster
// specification has it.
func slotOf(name string) uint16 {
	_, tag, _ := strings.Cut(name, "{")
	tag, _, _ = strings.Cut(tag, "}")
	var crc uint16
	for i := range len(tag) {
		crc = crc<<8 ^ crcOf[byte(crc>>8)^tag[i]]
	}
	return crc % slotCount
}

// crcOf is the CRC16 of each byte.
var crcOf = func() (table [256]uint16) {
	for i := range table {
		crc := uint16(i) << 8
		for range 8 {
			if crc&0x8000 != 0 {
				crc = crc<<1 ^ 0x1021
			} else {
				crc <<= 1
			}
		}
		table[i] = crc
	}
	return table
}()
