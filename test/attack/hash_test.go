package attack_test

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// TestHashFlooding opens sessions under keys that an attacker has chosen to collide in a hash table. They cost what others cost.
func TestHashFlooding(t *testing.T) {
	n := 20_000
	if testing.Short() {
		n = 5_000
	}
	const mask = 1<<12 - 1 // of as many buckets as such a table has at the least
	kinds := []struct {
		name string
		key  func(i int) string
	}{
		{"random", func(int) string { return fmt.Sprintf("%016x", rand.Uint64()) }},
		{"in sequence", func(i int) string { return fmt.Sprintf("%016d", i) }},
		{"one bucket of FNV-1a", func() func(int) string {
			next := uint64(0)
			return func(int) string {
				for {
					next++
					key := fmt.Sprintf("%016x", next*0x9E3779B97F4A7C15)
					h := fnv.New64a()
					h.Write([]byte(key))
					if h.Sum64()&mask == 0 {
						return key
					}
				}
			}
		}()},
		{"long with one beginning", func(i int) string { return strings.Repeat("x", 26) + fmt.Sprintf("%06d", i) }},
		{"zero bytes but for the end", func(i int) string {
			var b [8]byte
			binary.BigEndian.PutUint64(b[:], uint64(i))
			return fmt.Sprintf("%q", b[4:])[:min(32, len(fmt.Sprintf("%q", b[4:])))]
		}},
	}
	costs := make(map[string]time.Duration)
	for _, kind := range kinds {
		s := serve(t, "--memory=1GiB")
		keys := make([]string, n)
		for i := range keys {
			keys[i] = kind.key(i)
		}
		a := dial(t, s.Addr)
		began := s.cpu(t)
		for _, key := range keys {
			header := "key: " + key + "\r\n"
			for _, r := range [][2]string{{"POST /offer/messages", `{"sdp":"o"}`}, {"GET /answer/messages", ""}} {
				method, target, _ := strings.Cut(r[0], " ")
				if answer, err := a.ask(method, target, header, r[1]); err != nil || !strings.Contains(answer, `"msg":""`) {
					t.Fatalf("%s, %s %q: got %s %v", kind.name, r[0], key, answer, err)
				}
			}
		}
		costs[kind.name] = (s.cpu(t) - began) / time.Duration(2*n)
		t.Logf("%d keys, %s: CPU %v a request", n, kind.name, costs[kind.name])
		s.End(t)
	}
	for name, cost := range costs {
		if most := 3 * costs["random"]; cost > most {
			t.Errorf("%s: got CPU %v a request, want %v at most, which is three times that of random keys", name, cost, most)
		}
	}
}
