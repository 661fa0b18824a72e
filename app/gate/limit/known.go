package limit

import (
	"hash/maphash"
	"net/netip"
	"slices"
	"sync/atomic"

	"signal-server/cache"
)

// What a client knows of keys: those that it was served with, for all clients in one table, and its last wrong ones, in its state. Keys are not
// kept, but parts of their hashes under a private seed.

// knownSlots is how many pairs of a client and a key are known, at the most: those of eight minutes at a million handshakes an hour. 1 MiB.
const knownSlots = 1 << 18

// pair is a client and a key that it knows: the upper 30 bits of their hash, and in the lower two why; 0: none.
type pair uint32

const (
	served pair = iota + 1 // the client was served with a session of the key
	opened                 // the client opened one, and has not got that guess back
	whys   pair = 3
)

// whom is a client and a key, as the Limiter remembers them.
type whom struct {
	id   id
	key  guessed
	slot *atomic.Uint32 // in known
	pair pair
}

func (l *Limiter) whom(client netip.Addr, key cache.Key) whom {
	id := idOf(client)
	hash := maphash.String(l.guesses.seed, string(key))
	both := hash ^ l.hash(id)
	return whom{
		id: id, key: guessed(hash) &^ costs,
		slot: &l.guesses.known[both%knownSlots], pair: pair(both>>32) &^ whys,
	}
}

// knows returns why the client knows the key; 0: it does not.
func (w *whom) knows() pair {
	if p := pair(w.slot.Load()); p&^whys == w.pair {
		return p & whys
	}
	return 0
}

// learn notes why the client knows the key.
func (w *whom) learn(why pair) { w.slot.Store(uint32(w.pair | why)) }

// guessed is a key that a client has guessed: the upper 30 bits of its hash, and in the lower two what that has cost; 0: none.
type guessed uint32

const (
	costsOne  guessed = iota + 1 // a guess
	costsAll                     // all that the client had but one, because the brake was on
	costsEver                    // what is not given back
	costs     guessed = 3
)

// guessedLocked returns where the key is among the client's last wrong ones; less than zero: nowhere.
func (st *state) guessedLocked(key guessed) int {
	return slices.IndexFunc(st.wrong[:], func(g guessed) bool { return g != 0 && g&^costs == key })
}

// recallLocked reports whether the key is among the client's last wrong ones, and makes it the last one. A key that is not takes the
// place of the oldest.
func (st *state) recallLocked(key guessed) bool {
	at := st.guessedLocked(key)
	known := at >= 0
	if !known {
		at = len(st.wrong) - 1
	}
	moved := st.wrong[at]
	copy(st.wrong[1:at+1], st.wrong[:at])
	st.wrong[0] = moved
	return known
}

// forgetLocked takes the key from the client's last wrong ones, and returns what it has cost; 0: it was not there. One whose cost is not given
// back stays.
func (st *state) forgetLocked(key guessed) guessed {
	at := st.guessedLocked(key)
	if at < 0 {
		return 0
	}
	cost := st.wrong[at] & costs
	if cost != costsEver {
		copy(st.wrong[at:], st.wrong[at+1:])
		st.wrong[len(st.wrong)-1] = 0
	}
	return cost
}
