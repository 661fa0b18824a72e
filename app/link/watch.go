package link

// Connections that rest or are parked are watched: the watcher, one for each Listener, hears when something comes of a client, or when it leaves.
// So a client that waits costs no goroutine, timer or wake-up.

// Watched is the owner of a parked connection.
type Watched interface {
	// Stirred says that the client may have left, or that something has come over TLS, which may be the same. It is called once for each
	// Watch, from any goroutine, and does not block. The owner then asks Present, and watches again if it likes.
	Stirred()
}

// Watch parks the connection: its owner, which neither reads nor writes, is told if it stirs, from now until Unwatch, Rest or Close. It does nothing if
// it is watched and has not stirred, and where connections cannot be watched. The owner of one that is closed is told at once.
func (c *Conn) Watch(owner Watched) {
	if !c.patrol.park(c, owner) {
		owner.Stirred()
	}
}

func (p *patrol) park(c *Conn, owner Watched) (open bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if c.row == nil || c.lingers || p.ended {
		return false
	}
	if c.owner == nil {
		p.parked.push(c)
	}
	if c.owner = owner; c.armed == 0 {
		p.armLocked(c, forEnd)
	}
	return true
}

// Unwatch ends what Watch has begun: the connection is its owner's alone. Stirred may be called a last time while Unwatch is.
func (c *Conn) Unwatch() {
	c.patrol.mu.Lock()
	defer c.patrol.mu.Unlock()
	c.unwatchLocked()
}

func (c *Conn) unwatchLocked() {
	if c.owner == nil {
		return
	}
	c.owner = nil
	c.patrol.disarmLocked(c)
	if c.row != nil {
		c.enter(phaseServing)
		c.patrol.busy.push(c)
	}
}

// What a connection is armed for.
type concern int

const (
	forRequest concern = iota // anything that comes, and the end
	forEnd                    // the end, of TLS too
)

// armed are the connections that are watched. The patrol's lock guards it.
type armed struct {
	times uint32  // anything was armed
	byFD  []*Conn // nil where nothing is armed
}

// armLocked has the watcher look after a connection. It is told of once. It reports whether it can.
func (p *patrol) armLocked(c *Conn, what concern) bool {
	p.armed.times++
	if p.armed.times == 0 {
		p.armed.times = 1
	}
	if p.ended || c.fd < 0 || !p.watcher.arm(c, p.armed.times, what) {
		return false
	}
	for int(c.fd) >= len(p.armed.byFD) {
		p.armed.byFD = append(p.armed.byFD, nil)
	}
	c.armed, p.armed.byFD[c.fd] = p.armed.times, c
	return true
}

// disarmLocked makes what may still be heard of a connection count no more.
func (p *patrol) disarmLocked(c *Conn) {
	if c.armed != 0 {
		c.armed, p.armed.byFD[c.fd] = 0, nil
	}
}

// stir is what the watcher has heard of a connection.
type stir struct {
	fd    int32
	armed uint32 // Conn.armed, when it was armed: the descriptor may be another one's by now, and the connection armed anew
	left  bool   // its client has shut down its side, or the connection is broken
}

// stirBatch is how much the watcher hears at once.
const stirBatch = 128

// stirred passes on what the watcher has heard.
func (p *patrol) stirred(heard []stir) {
	var owners [stirBatch]Watched
	var come, gone [stirBatch]*Conn
	o, n, g := 0, 0, 0
	p.mu.Lock()
	p.clock()
	for _, s := range heard {
		if int(s.fd) >= len(p.armed.byFD) {
			continue
		}
		c := p.armed.byFD[s.fd]
		switch {
		case c == nil || c.armed != s.armed:
			continue
		case c.owner != nil:
			p.disarmLocked(c)
			owners[o] = c.owner
			o++
			continue
		}
		p.wakeLocked(c)
		if s.left && !holds(c.fd) {
			gone[g] = c
			g++
		} else {
			come[n] = c
			n++
		}
	}
	p.mu.Unlock()
	for _, owner := range owners[:o] {
		owner.Stirred()
	}
	for _, c := range come[:n] {
		p.crew.Go(c)
	}
	for _, c := range gone[:g] {
		c.Close()
	}
}
