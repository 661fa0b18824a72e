package main

import (
	"fmt"
	"io"
	"time"
)

// progress says what is being measured and how much of it there is: a line where a row begins, and at most one every few
// seconds while the row goes on. It is used by one goroutine.
type progress struct {
	// set at construction
	out   io.Writer
	begun time.Time

	group, row string // with their places
	said       time.Time
}

// every is how much time lies between two lines of one row at the least.
const every = 5 * time.Second

func newProgress(out io.Writer) *progress { return &progress{out: out, begun: time.Now()} }

// groupBegins names the group that is measured next, the place'th of n.
func (p *progress) groupBegins(name string, place, n int) {
	p.group = fmt.Sprintf("%s (group %d of %d)", name, place, n)
}

// rowBegins names the row that is measured next, the place'th of n in its group.
func (p *progress) rowBegins(name string, place, n int) {
	p.row = fmt.Sprintf("%s (row %d of %d)", name, place, n)
	p.say(p.group + ": " + p.row)
}

// at says how far the row is: done units of n.
func (p *progress) at(done, n int, units string) {
	if done < n && time.Since(p.said) >= every {
		p.say(fmt.Sprintf("%s: %s, %d of %d %s done", p.group, p.row, done, n, units))
	}
}

func (p *progress) say(text string) {
	p.said = time.Now()
	fmt.Fprintf(p.out, "bench: %v: %s\n", p.said.Sub(p.begun).Round(time.Second), text)
}
