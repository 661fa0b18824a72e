package client

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestListsAreAskedForOnce has callers come together, some of which find no list and come to ask when it has just been kept: on two cores that was so in
// one round of the first few hundred.
func TestListsAreAskedForOnce(t *testing.T) {
	c := listCache{kept: make(map[listKey]list)}
	for round := range 2_000 {
		key := listKey{base: fmt.Sprint(round)}
		var asked atomic.Int64
		begin := make(chan struct{})
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				<-begin
				c.get(t.Context(), key, func() (list, error) {
					asked.Add(1)
					return list{until: time.Now().Add(time.Hour)}, nil
				})
			})
		}
		close(begin)
		all.Wait()
		if n := asked.Load(); n != 1 {
			t.Fatalf("round %d: asked %d times, want once", round, n)
		}
	}
}

// TestListsOfAClockThatWasSetBack wants a list to be asked for anew if nobody can say any more how old it is.
func TestListsOfAClockThatWasSetBack(t *testing.T) {
	now := time.Now().Round(0)
	for name, tt := range map[string]struct {
		list list
		want bool
	}{
		"kept":            {list{since: now.Add(-time.Hour), until: now.Add(time.Hour)}, true},
		"over":            {list{since: now.Add(-2 * time.Hour), until: now.Add(-time.Hour)}, false},
		"kept in an hour": {list{since: now.Add(time.Hour), until: now.Add(2 * time.Hour)}, false},
		"a failure":       {list{until: now.Add(time.Hour)}, true},
	} {
		c := listCache{kept: map[listKey]list{{}: tt.list}}
		if _, got := c.known(listKey{}); got != tt.want {
			t.Errorf("%s: got %v, want %v", name, got, tt.want)
		}
	}
}
