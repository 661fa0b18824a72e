package link

// row is a line of connections. Each connection stands in one at a time, see Conn.row. The patrol's lock guards both.
type row struct {
	first, last *Conn
	n           int
}

// push moves a connection to the end of the row, from wherever it stands.
func (r *row) push(c *Conn) {
	c.quit()
	c.row, c.prev = r, r.last
	if r.last == nil {
		r.first = c
	} else {
		r.last.next = c
	}
	r.last = c
	r.n++
}

// quit takes the connection out of its row, if it stands in one.
func (c *Conn) quit() {
	r := c.row
	if r == nil {
		return
	}
	if c.prev == nil {
		r.first = c.next
	} else {
		c.prev.next = c.next
	}
	if c.next == nil {
		r.last = c.prev
	} else {
		c.next.prev = c.prev
	}
	c.row, c.prev, c.next = nil, nil, nil
	r.n--
}
