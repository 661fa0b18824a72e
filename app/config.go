package app

import (
	"errors"
	"fmt"
	"time"

	"signal-server/app/gate/auth"
	"signal-server/app/gate/limit"
	"signal-server/app/gate/ticket"
	"signal-server/app/watch/accesslog"
	"signal-server/cache"
)

// Config is what a Server is made of. DefaultConfig returns PROTOCOL's numbers; a Config made otherwise needs every field.
type Config struct {
	// Limits are the store's, named here for their defaults and because Swagger and the README speak of them.
	Limits cache.Limits

	// SDPBytes and CandidateBytes bound one payload, in bytes before escaping. Over them: custerrors.BodyIsTooLong.
	SDPBytes       int
	CandidateBytes int

	// BodyBytes bounds a request's body. Over it: custerrors.BodyIsTooLong, and the connection is closed.
	BodyBytes int

	// MaxWait bounds ?wait; a longer one is cut to it.
	MaxWait time.Duration

	// ReadTimeout bounds how long one request may take to arrive whole, IdleTimeout how long a connection may stay open
	// between two requests. A client that is held by ?wait is neither.
	ReadTimeout time.Duration
	IdleTimeout time.Duration

	// MaxConnections bounds how many connections are open at once; 0: as many as there are descriptors. One more is answered
	// custerrors.ServerIsOverloaded and closed.
	MaxConnections int

	// HSTS is how long browsers that were answered over TLS are to insist on it; 0: they are not told to.
	HSTS time.Duration

	// Guard says who may use the API; nil: everybody. The caller owns it and closes it after Serve has returned.
	Guard *auth.Guard

	// Tickets makes and checks role tickets: with them only who opened a session, and who first answered it, act as these roles.
	// nil: roles have none.
	Tickets *ticket.Issuer

	// Clients is how much each client may ask for; the zero value: any number of anything. Proxies says whose X-Forwarded-For is
	// believed when clients are told apart.
	Clients limit.Config
	Proxies limit.Proxies

	// MaxWaits bounds how many requests wait, and event streams are open, at once; 0: no bound. Over it:
	// custerrors.ServerIsOverloaded.
	MaxWaits int

	// AllowOrigins are the origins whose pages may use the server, as https://example.org; with "*" among them, which is the
	// default, any may.
	AllowOrigins []string

	// Version is what the build is called, for metrics.
	Version string

	// Access is where requests are logged to; nil: nowhere. The caller owns it and closes it after Serve has returned.
	Access *accesslog.Log

	// ShutdownDelay is how long the server serves on after it was told to end, while /readyz fails: load balancers need that long
	// to see it and to send nobody here any more.
	ShutdownDelay time.Duration

	// Drain bounds how long running requests may take at shutdown.
	Drain time.Duration
}

// DefaultConfig returns the configuration of a server that was not told anything else.
func DefaultConfig() Config {
	return Config{
		Limits: cache.Limits{
			TTL:          30 * time.Second,
			Lifetime:     5 * time.Minute,
			Candidates:   128,
			SessionBytes: 256 << 10,
		},
		SDPBytes:       64 << 10,
		CandidateBytes: 4 << 10,
		BodyBytes:      256 << 10,
		MaxWait:        30 * time.Second,
		AllowOrigins:   []string{anyOrigin},
		ReadTimeout:    10 * time.Second,     // a body of 256 KiB at 200 kbit/s
		IdleTimeout:    75 * time.Second,     // more than the 60 s that proxies commonly keep theirs
		HSTS:           180 * 24 * time.Hour, // outlasts a holiday, and the time of a mistake is not a year
		Drain:          8 * time.Second,      // of the 10 s that process managers commonly give
	}
}

// Validate returns all mistakes at once, one line each, in the words of the command line.
func (c *Config) Validate() error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	check(c.Limits.TTL >= time.Millisecond, "--ttl is %v, must be 1ms or more", c.Limits.TTL)
	check(c.Limits.Lifetime >= c.Limits.TTL, "--lifetime is %v, must be the ttl (%v) or more", c.Limits.Lifetime, c.Limits.TTL)
	check(c.Limits.Candidates >= 1 && c.Limits.Candidates < cache.MaxLog,
		"--max-candidates is %d, must be 1 to %d", c.Limits.Candidates, cache.MaxLog-1)
	check(c.SDPBytes >= 1 && c.SDPBytes <= maxBytes, "--max-sdp is %d, must be 1 to %d", c.SDPBytes, maxBytes)
	check(c.CandidateBytes >= 1 && c.CandidateBytes <= maxBytes,
		"--max-candidate is %d, must be 1 to %d", c.CandidateBytes, maxBytes)
	check(c.Limits.SessionBytes >= max(c.SDPBytes, c.CandidateBytes) && c.Limits.SessionBytes <= maxBytes,
		"--max-session is %d, must be what one payload may have (%d) or more, up to %d",
		c.Limits.SessionBytes, max(c.SDPBytes, c.CandidateBytes), maxBytes)
	check(c.BodyBytes >= max(c.SDPBytes, c.CandidateBytes) && c.BodyBytes <= maxBytes,
		"--max-body is %d, must be what one payload may have (%d) or more, up to %d",
		c.BodyBytes, max(c.SDPBytes, c.CandidateBytes), maxBytes)
	check(c.MaxWait >= 0, "--wait is %v, must be 0 or more", c.MaxWait)
	check(c.MaxWaits >= 0, "--max-waits is %d, must be 0 or more", c.MaxWaits)
	check(c.Clients.Waits >= 0, "--max-client-waits is %d, must be 0 or more", c.Clients.Waits)
	check(c.Clients.Block > 0 || c.Clients.WrongKeys.Events == 0, "--block-for is %v, must be more than 0", c.Clients.Block)
	check(c.ReadTimeout > 0, "--read-timeout is %v, must be more than 0", c.ReadTimeout)
	check(c.IdleTimeout > 0, "--idle-timeout is %v, must be more than 0", c.IdleTimeout)
	check(c.MaxConnections >= 0, "--max-connections is %d, must be 0 or more", c.MaxConnections)
	check(c.HSTS == 0 || c.HSTS >= time.Second, "--hsts is %v, must be 0 or 1s or more", c.HSTS)
	check(len(c.AllowOrigins) > 0, "--allow-origins is empty, must be * or a list of origins")
	for _, origin := range c.AllowOrigins {
		if err := checkOrigin(origin); err != nil {
			errs = append(errs, err)
		}
	}
	check(c.ShutdownDelay >= 0, "--shutdown-delay is %v, must be 0 or more", c.ShutdownDelay)
	check(c.Drain > 0, "--drain is %v, must be more than 0", c.Drain)
	return errors.Join(errs...)
}

// maxBytes keeps every product of sizes here far from overflow.
const maxBytes = 64 << 20
