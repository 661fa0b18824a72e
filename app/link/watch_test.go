package link

import (
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"signal-server/test/until"
)

// TestPresenceCostsNoAllocation asks again and again, as every take does.
func TestPresenceCostsNoAllocation(t *testing.T) {
	p := newPatrol(time.Minute, time.Minute, time.Minute)
	defer p.stop()
	ours, theirs := connect(t)
	c := newConn(theirs, p, nil)
	if got := testing.AllocsPerRun(100, func() {
		if !Present(c)() {
			t.Error("got the client gone, want it there")
		}
	}); got != 0 {
		t.Errorf("allocations: got %v, want 0", got)
	}
	ours.Close()
	until.Nil(t, patience, func() error {
		if Present(c)() {
			return fmt.Errorf("got the client there, want it gone")
		}
		return nil
	})
	if Present(new(net.TCPConn))() {
		t.Error("a connection that is closed: got the client there, want it gone")
	}
	if pipe, _ := net.Pipe(); Present(pipe) != nil {
		t.Error("a connection that is not the system's: got a function, want nil")
	}
}

func BenchmarkPresent(b *testing.B) {
	p := newPatrol(time.Minute, time.Minute, time.Minute)
	defer p.stop()
	_, theirs := connect(b)
	is := Present(newConn(theirs, p, nil))
	b.ReportAllocs()
	for b.Loop() {
		is()
	}
}

// TestWatch watches more connections than are looked at together. Those whose clients leave are told; those whose clients stay, or send on, or are not
// watched any more, are not.
func TestWatch(t *testing.T) {
	const n = watchBatch + 20
	p := newPatrol(time.Minute, time.Minute, time.Minute)
	defer p.stop()
	var ours []*net.TCPConn
	var all []*Conn
	for range n {
		o, theirs := connect(t)
		c := newConn(theirs, p, nil)
		c.Watch()
		ours, all = append(ours, o), append(all, c)
	}
	io.WriteString(ours[2], "GET / HTTP/1.1\r\n\r\n")
	all[3].Unwatch()
	for what, i := range map[string]int{"closed": 0, "reset": n - 1, "half closed": n / 2, "not watched any more": 3} {
		switch what {
		case "reset":
			ours[i].SetLinger(0)
			ours[i].Close()
		case "half closed":
			ours[i].CloseWrite()
		default:
			ours[i].Close()
		}
	}
	left := time.Now()
	for _, i := range []int{0, n - 1, n / 2} {
		select {
		case <-all[i].Left():
		case <-time.After(patience):
			t.Fatalf("connection %d: got no word of a client that left, want it", i)
		}
		if Present(all[i])() {
			t.Errorf("connection %d: got the client there, want it gone", i)
		}
	}
	if took := time.Since(left); took > 3*time.Second {
		t.Errorf("got told after %v, want within a second", took)
	}
	for _, i := range []int{1, 2, 3} {
		if len(all[i].Left()) > 0 {
			t.Errorf("connection %d: got told that its client may have left, want not", i)
		}
	}
	for i, c := range all {
		if i != 3 {
			c.Unwatch()
		}
	}
	if len(p.watched) != 0 {
		t.Errorf("in the end: got %d watched, want none", len(p.watched))
	}
	var none *Conn
	none.Watch()
	none.Unwatch()
	if none.Left() != nil {
		t.Error("of no connection: got a channel, want nil")
	}
}

// BenchmarkWatch is one look at 10,000 clients, of which none leaves.
func BenchmarkWatch(b *testing.B) {
	const n = 10_000
	p := newPatrol(time.Minute, time.Minute, time.Minute)
	defer p.stop()
	for range n / 2 { // both ends of a connection are watched
		ours, theirs := connect(b)
		newConn(ours, p, nil).Watch()
		newConn(theirs, p, nil).Watch()
	}
	b.ReportAllocs()
	for b.Loop() {
		p.watchAll()
	}
}
