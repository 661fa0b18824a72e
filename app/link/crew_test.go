package link

import (
	"fmt"
	"testing"
	"time"

	"signal-server/test/until"
)

// task is a Task that sees to its panics.
type task func()

func (t task) Run() {
	defer func() { _ = recover() }()
	t()
}

// awaitCrew waits until so many hands of a Crew are busy, and so many tasks wait for them.
func awaitCrew(t *testing.T, c *Crew, busy, waiting int) {
	t.Helper()
	until.Nil(t, patience, func() error {
		c.mu.Lock()
		defer c.mu.Unlock()
		if got := len(c.queue) - c.head; c.busy != busy || got != waiting {
			return fmt.Errorf("got %d hands busy, and %d tasks that wait, want %d and %d", c.busy, got, busy, waiting)
		}
		return nil
	})
}

// TestCrewDoesAFewAtOnce gives a Crew more tasks than it does at once. Those that block within Blocks keep none waiting, and those that panic there
// count no more.
func TestCrewDoesAFewAtOnce(t *testing.T) {
	c := NewCrew()
	defer c.Dismiss()
	several := 4 * c.most
	soon := func(f func()) {
		for range several {
			c.Soon(task(f))
		}
	}
	soon(func() { c.Blocks(func() { panic("within Blocks") }) })
	awaitCrew(t, c, 0, 0)

	goOn := make(chan struct{})
	soon(func() { <-goOn })
	awaitCrew(t, c, c.most, several-c.most)
	close(goOn)
	awaitCrew(t, c, 0, 0)

	began, end := make(chan struct{}, several), make(chan struct{})
	soon(func() {
		c.Blocks(func() {
			began <- struct{}{}
			<-end
		})
	})
	for range several {
		select {
		case <-began:
		case <-time.After(patience):
			t.Fatal("got a task that waits for others that are blocked, want it done")
		}
	}
	close(end)
	awaitCrew(t, c, 0, 0)
}
