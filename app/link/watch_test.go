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
	p := newPatrol(time.Minute, time.Minute, time.Minute, NewCrew(), nil, nil)
	defer p.stop()
	ours, theirs := connect(t)
	c := newConn(theirs, p)
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
	p := newPatrol(time.Minute, time.Minute, time.Minute, NewCrew(), nil, nil)
	defer p.stop()
	_, theirs := connect(b)
	is := Present(newConn(theirs, p))
	b.ReportAllocs()
	for b.Loop() {
		is()
	}
}

// owner is told when its connection stirs.
type owner struct{ told chan struct{} }

func newOwner() *owner { return &owner{make(chan struct{}, 8)} }

func (o *owner) Stirred() { o.told <- struct{}{} }

func (o *owner) wantTold(t *testing.T, what string) {
	t.Helper()
	select {
	case <-o.told:
	case <-time.After(patience):
		t.Fatalf("%s: got no word of it, want one", what)
	}
}

// admitted returns both ends of a connection, one of them under patrol.
func admitted(t testing.TB, p *patrol) (ours *net.TCPConn, c *Conn) {
	ours, theirs := connect(t)
	c = newConn(theirs, p)
	p.admit(c, 0, 0)
	return ours, c
}

// TestWatch watches connections. Those whose clients leave are told; those whose clients stay, or send on, or are not watched any more, are not.
func TestWatch(t *testing.T) {
	const n = stirBatch + 20
	p := newPatrol(time.Minute, time.Minute, time.Minute, NewCrew(), nil, nil)
	defer p.stop()
	var ours []*net.TCPConn
	var all []*Conn
	var owners []*owner
	for range n {
		o, c := admitted(t, p)
		ours, all, owners = append(ours, o), append(all, c), append(owners, newOwner())
		c.Watch(owners[len(owners)-1])
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
	for _, i := range []int{0, n - 1, n / 2} {
		owners[i].wantTold(t, fmt.Sprintf("connection %d, whose client left", i))
		if Present(all[i])() {
			t.Errorf("connection %d: got the client there, want it gone", i)
		}
	}
	all[0].Watch(owners[0]) // it may look again, and finds the same
	owners[0].wantTold(t, "watched again")
	for _, i := range []int{1, 2, 3} {
		if len(owners[i].told) > 0 {
			t.Errorf("connection %d: got told that its client may have left, want not", i)
		}
	}
	if got := p.open(); got != n {
		t.Errorf("open: got %d, want %d: nobody has closed one", got, n)
	}
	for _, c := range all {
		c.Close()
	}
	if got := p.open(); got != 0 {
		t.Errorf("all closed: got %d open, want 0", got)
	}
	last := newOwner()
	all[1].Watch(last)
	last.wantTold(t, "watched after it was closed")
}

// TestWatchIsForOneOwner uses descriptors again and again while events of their earlier owners may be on their way: nobody is told of another one's.
func TestWatchIsForOneOwner(t *testing.T) {
	p := newPatrol(time.Minute, time.Minute, time.Minute, NewCrew(), nil, nil)
	defer p.stop()
	for i := range 300 {
		ours, c := admitted(t, p)
		c.Watch(newOwner())
		ours.Close() // the event comes while, before or after the connection is closed here
		if i%3 == 0 {
			c.Unwatch()
		}
		c.Close()
		stays, next := admitted(t, p)
		o := newOwner()
		next.Watch(o)
		if i%16 == 0 {
			stays.CloseWrite()
			o.wantTold(t, "a client that leaves")
		} else if len(o.told) > 0 {
			t.Fatalf("round %d: got told of somebody else's client", i)
		}
		next.Close()
		stays.Close()
	}
}

// TestWatchHearsAtOnce lets clients leave one after the other, each when the one before was noticed: one that is looked for now and then would be
// noticed late each time. A busy machine may delay some of them.
func TestWatchHearsAtOnce(t *testing.T) {
	p := newPatrol(time.Minute, time.Minute, time.Minute, NewCrew(), nil, nil)
	defer p.stop()
	if !p.watcher.rests() {
		t.Skip("this system is asked now and then")
	}
	fastest := patience
	for range 20 {
		ours, c := admitted(t, p)
		o := newOwner()
		c.Watch(o)
		left := time.Now()
		ours.Close()
		o.wantTold(t, "a client that leaves")
		fastest = min(fastest, time.Since(left))
		c.Close()
	}
	if want := 100 * time.Millisecond; fastest > want {
		t.Errorf("got the fastest of all noticed after %v, want it within %v", fastest, want)
	}
}

// TestWatchAfterTheEnd watches a connection of a Listener that was stopped: its socket is closed, and the owner is told.
func TestWatchAfterTheEnd(t *testing.T) {
	p := newPatrol(time.Minute, time.Minute, time.Minute, NewCrew(), nil, nil)
	_, c := admitted(t, p)
	p.stop()
	o := newOwner()
	c.Watch(o)
	o.wantTold(t, "watched after the end")
}

// BenchmarkWatch parks a connection and takes it back.
func BenchmarkWatch(b *testing.B) {
	p := newPatrol(time.Minute, time.Minute, time.Minute, NewCrew(), nil, nil)
	defer p.stop()
	_, c := admitted(b, p)
	o := newOwner()
	b.ReportAllocs()
	for b.Loop() {
		c.Watch(o)
		c.Unwatch()
	}
}

// TestNothingIsArmedAfterTheEnd parks a connection when its patrol has ended, and the number of its watcher's descriptor is another one's.
func TestNothingIsArmedAfterTheEnd(t *testing.T) {
	p := newPatrol(time.Minute, time.Minute, time.Minute, NewCrew(), nil, nil)
	p.stop()
	other := newPatrol(time.Minute, time.Minute, time.Minute, NewCrew(), nil, nil)
	defer other.stop()
	_, c := admitted(t, p)
	defer c.Close()
	c.Watch(newOwner())
	p.mu.Lock()
	defer p.mu.Unlock()
	if c.armed != 0 {
		t.Error("got a connection armed by a watcher that has ended, want not")
	}
}
