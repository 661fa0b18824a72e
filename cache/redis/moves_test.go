package redis_test

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"signal-server/cache"
	"signal-server/cache/redis"
	"signal-server/cache/redis/redistest"
	"signal-server/custerrors"
)

// oneSlot returns n keys whose sessions are all in the slot of the first one.
func oneSlot(s *redis.Store, n int) (keys []cache.Key) {
	var slot uint16
	for i := 0; len(keys) < n; i++ {
		key := cache.Key(fmt.Sprintf("key %d", i))
		if i == 0 {
			slot = redis.SlotOf(s.Name(key))
		}
		if redis.SlotOf(s.Name(key)) == slot {
			keys = append(keys, key)
		}
	}
	return keys
}

// life is what two peers do with a key, over two nodes. It wants all of it to go well.
type life struct {
	t     *testing.T
	nodes [2]*redis.Store
	key   cache.Key
	name  string // of what the key is an example
}

func (l *life) want(what string, got, want error) {
	l.t.Helper()
	if got != want {
		l.t.Errorf("%s: %s: got %v, want %v", l.name, what, got, want)
	}
}

func (l *life) open() {
	l.t.Helper()
	w := cache.Write{Key: l.key, From: cache.Offer, Opens: true, Token: "open", Batch: description()}
	l.want("Open", put(l.nodes[0], w), nil)
	l.want("Open again", put(l.nodes[1], w), nil)
}

// rest lives the session to its end.
func (l *life) rest() {
	l.t.Helper()
	ctx := context.Background()
	l.want("Open of what lives", put(l.nodes[1], cache.Write{Key: l.key, From: cache.Offer, Opens: true, Batch: sdpBatch("p")}), custerrors.SdpAlreadyExist)
	for range 2 {
		got, err := take(l.nodes[1], l.key, cache.SDP, "token")
		l.want("Take with a token", err, nil)
		if !strings.Contains(got, sdpText) {
			l.t.Errorf("%s: Take: got %.40q, want the sdp", l.name, got)
		}
	}
	_, err := take(l.nodes[0], l.key, cache.SDP, "")
	l.want("Take of what is taken", err, custerrors.SdpNoValues)
	l.want("Answer", put(l.nodes[1], cache.Write{Key: l.key, From: cache.Answer, Token: "answer", Batch: sdpBatch("a")}), nil)
	l.want("Answer again", put(l.nodes[0], cache.Write{Key: l.key, From: cache.Answer, Token: "answer", Batch: sdpBatch("a")}), nil)
	lease, err := l.nodes[0].Touch(ctx, l.key)
	l.want("Touch", err, nil)
	if !lease.Answered {
		l.t.Errorf("%s: Touch: got it not answered, want it answered", l.name)
	}
	out, _, err := l.nodes[1].Read(ctx, nil, l.key, cache.Offer, 0, math.MaxInt, &benchForm)
	l.want("Read", err, nil)
	if string(out) != `{"s":"a"}` {
		l.t.Errorf("%s: Read: got %q, want the answer", l.name, out)
	}
	l.want("End", l.nodes[0].End(ctx, l.key), nil)
	l.ended()
}

func (l *life) ended() {
	l.t.Helper()
	_, err := l.nodes[1].Touch(context.Background(), l.key)
	l.want("Touch of what has ended", err, custerrors.KeyIsExpired)
	l.want("Answer to what has ended", put(l.nodes[0], cache.Write{Key: l.key, From: cache.Answer, Batch: sdpBatch("a")}), custerrors.KeyIsExpired)
}

// TestSlotMoves stops in the middle of moving a slot: some sessions have moved, some have not, some in part. All of them go on, in each of
// these states, new ones open, and who waits is told. Then the move is completed, which a tombstone or a session on both sides would prevent.
func TestSlotMoves(t *testing.T) {
	if testing.Short() {
		t.Skip("takes several seconds")
	}
	t.Parallel()
	for _, replicas := range []bool{false, true} {
		t.Run(fmt.Sprintf("replicas %v", replicas), func(t *testing.T) {
			t.Parallel()
			cluster := redistest.StartCluster(t, replicas)
			url := cluster.URL("")
			if replicas {
				url = cluster.URL("?wait_replicas=1")
			}
			slotMoves(t, cluster, [2]*redis.Store{open(t, url, benchLimits()), open(t, url, benchLimits())})
		})
	}
}

func slotMoves(t *testing.T, cluster *redistest.Cluster, nodes [2]*redis.Store) {
	defer nodes[0].Close()
	defer nodes[1].Close()
	names := []string{
		"here", "moved", "session moved", "tombstone moved", "ended", "ended, moved", "never", "never, later", "awaited", "awaited, moved",
		"here, later", "moved, later", "session moved, later", "tombstone moved, later",
	}
	lives := make(map[string]*life)
	for i, key := range oneSlot(nodes[0], len(names)) {
		lives[names[i]] = &life{t: t, nodes: nodes, key: key, name: names[i]}
	}
	for name, l := range lives {
		if !strings.HasPrefix(name, "never") && name != "awaited" {
			l.open()
		}
		if strings.HasPrefix(name, "ended") {
			l.want("End", nodes[0].End(context.Background(), l.key), nil)
		}
	}
	session := func(name string) string { return nodes[0].Name(lives[name].key) }
	move := cluster.BeginMove(session("here"))
	for _, name := range []string{"moved", "moved, later", "awaited, moved"} {
		move.Key(session(name))
		move.Key(session(name) + "-")
	}
	move.Key(session("ended, moved") + "-")
	for _, later := range []string{"", ", later"} {
		move.Key(session("session moved" + later))
		move.Key(session("tombstone moved"+later) + "-")
	}

	// Without being told a waiter looks when half the TTL is over, or the whole wait.
	waits := []<-chan error{wait(t, lives["awaited"]), wait(t, lives["awaited, moved"])}
	begin := time.Now()
	lives["awaited"].open()
	for _, name := range []string{"awaited", "awaited, moved"} {
		l := lives[name]
		l.want("Write to who waits", put(nodes[0], cache.Write{Key: l.key, From: cache.Answer, Batch: sdpBatch("a")}), nil)
	}
	for _, wait := range waits {
		if err, took := <-wait, time.Since(begin); err != nil || took > 5*time.Second {
			t.Errorf("a wait while the slot is on the move: got %v after %v, want the news soon", err, took)
		}
	}
	for _, name := range []string{"here", "moved", "session moved", "tombstone moved"} {
		lives[name].rest()
	}
	for _, name := range []string{"ended", "ended, moved", "never"} {
		l := lives[name]
		if name == "never" {
			_, err := nodes[0].Touch(context.Background(), l.key)
			l.want("Touch of what was never open", err, custerrors.KeyNotFound)
		} else {
			l.ended()
		}
		l.open()
		l.rest()
	}
	lives["never, later"].open()

	move.Finish()
	for name, l := range lives {
		if strings.HasSuffix(name, ", later") {
			l.rest()
		} else {
			l.name += ", anew"
			if !strings.HasPrefix(name, "awaited") {
				l.open()
				l.rest()
			}
		}
	}
}

// wait waits for the answer, as the offerer on the second node, and returns when the wait is under way.
func wait(t *testing.T, l *life) <-chan error {
	t.Helper()
	m := cache.NewMailroom(l.nodes[1], benchLimits())
	came := make(chan error, 1)
	w := cache.Wait{For: 20 * time.Second, Unopened: true, Stay: -1}
	_, next, err := m.Read(context.Background(), nil, l.key, cache.Offer, 0, math.MaxInt, &benchForm, &w)
	if !w.Pending() {
		t.Fatalf("%s: a wait: got %v, want it to go on", l.name, err)
	}
	w.Stay = 0
	go func() {
		defer w.End()
		_, _, err := m.Read(context.Background(), nil, l.key, cache.Offer, next, math.MaxInt, &benchForm, &w)
		came <- err
	}()
	return came
}
