package redistest

import (
	"strconv"
	"strings"
)

// Move is a slot on its way from one master of a cluster to another, as redis-cli --cluster reshard moves it: step by step. A move that is
// left as it is has been interrupted.
type Move struct {
	Slot     string
	From, To *Server

	cluster *Cluster
}

// BeginMove begins to move the slot of that name, to another master. From then on the old one sends whoever asks for a key that it does not
// have to the new one.
func (c *Cluster) BeginMove(name string) *Move {
	masters := c.Masters()
	m := &Move{Slot: masters[0].Do("CLUSTER", "KEYSLOT", name), cluster: c}
	for _, s := range masters {
		if out, _ := s.Try("EXISTS", name); !strings.HasPrefix(out, "MOVED") {
			m.From = s
		} else {
			m.To = s
		}
	}
	m.To.Do("CLUSTER", "SETSLOT", m.Slot, "IMPORTING", m.From.Do("CLUSTER", "MYID"))
	m.From.Do("CLUSTER", "SETSLOT", m.Slot, "MIGRATING", m.To.Do("CLUSTER", "MYID"))
	return m
}

// Key moves one key. It fails the test if the key is not there.
func (m *Move) Key(name string) {
	m.From.t.Helper()
	if got := m.From.Do("MIGRATE", "127.0.0.1", m.To.Port, name, "0", strconv.FormatInt(patience.Milliseconds(), 10)); got != "OK" {
		m.From.t.Fatalf("MIGRATE of %s: got %q, want OK", name, got)
	}
}

// Finish moves what is left, and gives the slot to its new owner.
func (m *Move) Finish() {
	m.From.t.Helper()
	for _, name := range strings.Fields(m.From.Do("CLUSTER", "GETKEYSINSLOT", m.Slot, "1000")) {
		m.Key(name)
	}
	id := m.To.Do("CLUSTER", "MYID")
	for _, s := range append([]*Server{m.To, m.From}, m.cluster.Masters()...) {
		s.Do("CLUSTER", "SETSLOT", m.Slot, "NODE", id)
	}
}
