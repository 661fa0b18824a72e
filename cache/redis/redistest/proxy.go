package redistest

import (
	"net"
	"sync"
	"testing"
	"time"
)

// Proxy is a network that a test can break: a listener that passes on what it gets.
type Proxy struct {
	Address string

	// set at construction
	to       string
	listener net.Listener
	stopped  sync.WaitGroup

	mu sync.Mutex
	// guarded by mu
	conns  map[net.Conn]bool
	delay  time.Duration
	silent chan struct{} // closed when what is held back may go on; nil: nothing is
	cut    bool
}

// StartProxy starts one in front of the server.
func StartProxy(t testing.TB, s *Server) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{Address: l.Addr().String(), to: s.Address, listener: l, conns: make(map[net.Conn]bool)}
	p.stopped.Go(p.accept)
	t.Cleanup(func() {
		p.Restore()
		l.Close()
		p.hangUp()
		p.stopped.Wait()
	})
	return p
}

// URL returns the proxy's URL with what comes after the host.
func (p *Proxy) URL(rest string) string { return "redis://" + p.Address + rest }

// Delay makes each piece of data take that long, each way.
func (p *Proxy) Delay(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delay = d
}

// Cut breaks all connections and refuses new ones.
func (p *Proxy) Cut() {
	p.mu.Lock()
	p.cut = true
	p.mu.Unlock()
	p.hangUp()
}

// Silence keeps the connections and passes nothing on: a black hole.
func (p *Proxy) Silence() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.silent == nil {
		p.silent = make(chan struct{})
	}
}

// Restore makes it whole again.
func (p *Proxy) Restore() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut, p.delay = false, 0
	if p.silent != nil {
		close(p.silent)
		p.silent = nil
	}
}

// Connections returns how many there are, to the server.
func (p *Proxy) Connections() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.conns) / 2
}

func (p *Proxy) hangUp() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		c.Close()
	}
}

func (p *Proxy) accept() {
	for {
		in, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.stopped.Go(func() { p.serve(in) })
	}
}

func (p *Proxy) serve(in net.Conn) {
	defer in.Close()
	out, err := net.Dial("tcp", p.to)
	if err != nil {
		return
	}
	defer out.Close()
	p.mu.Lock()
	if p.cut {
		p.mu.Unlock()
		return
	}
	p.conns[in], p.conns[out] = true, true
	p.mu.Unlock()
	var both sync.WaitGroup
	both.Go(func() { p.pass(in, out) })
	both.Go(func() { p.pass(out, in) })
	both.Wait()
	p.mu.Lock()
	delete(p.conns, in)
	delete(p.conns, out)
	p.mu.Unlock()
}

// piece is data and the time at which it arrives, so that a delay does not limit how much is under way.
type piece struct {
	data []byte
	at   time.Time
}

func (p *Proxy) pass(from, to net.Conn) {
	pieces := make(chan piece, 4096)
	var writer sync.WaitGroup
	writer.Go(func() {
		defer from.Close()
		defer to.Close()
		for piece := range pieces {
			time.Sleep(time.Until(piece.at))
			p.mu.Lock()
			silent := p.silent
			p.mu.Unlock()
			if silent != nil {
				<-silent
			}
			if _, err := to.Write(piece.data); err != nil {
				for range pieces { // drain
				}
				return
			}
		}
	})
	for {
		buf := make([]byte, 64<<10)
		n, err := from.Read(buf)
		if err != nil {
			break
		}
		p.mu.Lock()
		at := time.Now().Add(p.delay)
		p.mu.Unlock()
		pieces <- piece{buf[:n], at}
	}
	close(pieces)
	writer.Wait()
}
