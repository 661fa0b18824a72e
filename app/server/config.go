package server

import "time"

// Config is what the server itself is told, beside what its parts are.
type Config struct {
	// ShutdownDelay is how long the server serves on after it was told to end, while /readyz fails: load balancers need that long
	// to see it and to send nobody here any more.
	ShutdownDelay time.Duration `name:"shutdown-delay" group:"Operation" default:"0s" help:"How long to serve on after SIGTERM while /readyz fails, so that load balancers notice."`

	// Drain bounds how long running requests may take at shutdown.
	Drain time.Duration `name:"drain" group:"Operation" default:"8s" help:"How long what runs may take at the end."` // of the 10 s that process managers commonly give
}

// Validate calls wrong with a pointer to each field that cannot be used, and says why.
func (c *Config) Validate(wrong func(field any, format string, args ...any)) {
	if c.ShutdownDelay < 0 {
		wrong(&c.ShutdownDelay, "is %v, must be 0 or more", c.ShutdownDelay)
	}
	if c.Drain <= 0 {
		wrong(&c.Drain, "is %v, must be more than 0", c.Drain)
	}
}
