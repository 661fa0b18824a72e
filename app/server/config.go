package server

import (
	"time"

	"github.com/alecthomas/units"
)

// Config is what the server itself is told, beside what its parts are.
type Config struct {
	// HeaderBytes bounds the request line and headers together, with the empty line at their end. Over it: custerrors.HeaderIsTooLong, and
	// the connection is closed. Each connection has a buffer of that size. What nobody has written to is not resident: of 5,000 idle connections
	// each held 21.1 KiB with 8 KiB, 21.0 with 4, and 41 once it had sent a head of 8 KiB.
	HeaderBytes int `name:"max-header" group:"Sessions" type:"bytes" default:"8KiB" help:"Size of request line and headers."` // 6 KiB of cookies or of a token, and what browsers add

	// ShutdownDelay is how long the server serves on after it was told to end, while /readyz fails: load balancers need that long
	// to see it and to send nobody here any more.
	ShutdownDelay time.Duration `name:"shutdown-delay" group:"The end" default:"0s" help:"Serve on for so long after SIGTERM, not ready."`

	// Drain bounds how long running requests may take at shutdown.
	Drain time.Duration `name:"drain" group:"The end" default:"8s" help:"How long what runs may take then."` // of the 10 s that process managers commonly give
}

// Validate calls wrong with a pointer to each field that cannot be used, and says why.
func (c *Config) Validate(wrong func(field any, format string, args ...any)) {
	if c.HeaderBytes < minHeader || c.HeaderBytes > maxHeader {
		wrong(&c.HeaderBytes, "is %v, must be %v to %v", units.Base2Bytes(c.HeaderBytes), units.Base2Bytes(minHeader), units.Base2Bytes(maxHeader))
	}
	if c.ShutdownDelay < 0 {
		wrong(&c.ShutdownDelay, "is %v, must be 0 or more", c.ShutdownDelay)
	}
	if c.Drain <= 0 {
		wrong(&c.Drain, "is %v, must be more than 0", c.Drain)
	}
}

const (
	minHeader = 1 << 10 // browsers send half of it
	maxHeader = 1 << 20 // each connection may use as much
)
