package main

import (
	"time"

	"signal-server/app/certificate"
	"signal-server/app/gate/auth"
	"signal-server/app/gate/limit"
	"signal-server/app/gate/ticket"
	"signal-server/app/listen"
	"signal-server/app/watch/accesslog"
)

// serve is the command that serves, by what it is told. Each field is a flag, in the groups that --help and docs/operations.md have.
type serve struct {
	listening `embed:"" group:"Where"`
	secure    `embed:"" group:"TLS"`
	sessions  `embed:"" group:"Sessions"`
	access    `embed:"" group:"Who may"`
	clients   `embed:"" group:"How much"`
	operation `embed:"" group:"Operation"`
}

type listening struct {
	Listen     string      `default:":8080" placeholder:"ADDRESS" help:"Address to serve the API on: host:port, unix:/path, systemd (the socket that it was started with) or systemd:NAME."`
	Admin      string      `default:"127.0.0.1:9090" placeholder:"ADDRESS" help:"Address for operators (health, metrics, profiles), in the same forms; empty: none."`
	SocketMode listen.Mode `default:"0660" placeholder:"MODE" help:"Permissions of sockets at unix:/path; who may write may connect."`

	MaxConnections int `help:"Connections at once, at the most; 0: as many as there are descriptors." default:"0"`
}

type secure struct {
	Certificate certificate.Config `embed:""`

	RedirectHTTP string        `name:"redirect-http" placeholder:"ADDRESS" help:"Address to serve plain HTTP on, such as :80: pages are redirected to HTTPS, other requests refused."`
	HSTS         time.Duration `name:"hsts" default:"4320h" help:"How long browsers are to insist on HTTPS once they were here; 0s: they are not told to."`
}

type sessions struct {
	Store  string `default:"memory" help:"Where sessions are kept: memory, or the URL of a Redis or Valkey (redis, rediss, redis-sentinel, redis-cluster)."`
	Memory bytes  `default:"1GiB" help:"Memory for sessions; when it is used up no new session is taken."`

	TTL      time.Duration `name:"ttl" default:"30s" help:"How long a session lives without a request, at the most and by default."`
	Lifetime time.Duration `default:"5m" help:"How long a session lives at the most."`
	Wait     time.Duration `default:"30s" help:"How long a request may wait, at the most."`

	MaxSDP        bytes `default:"64KiB" name:"max-sdp" help:"Size of an sdp, at the most."`
	MaxCandidate  bytes `default:"4KiB" help:"Size of a candidate, at the most."`
	MaxCandidates int   `default:"128" help:"Candidates of one role of a session, at the most."`
	MaxSession    bytes `default:"256KiB" help:"Size of all payloads of a session, at the most."`
	MaxBody       bytes `default:"256KiB" help:"Size of a request's body, at the most."`
}

type access struct {
	Auth    auth.Config   `embed:""`
	Tickets ticket.Config `embed:""`

	AllowOrigins []string `default:"*" placeholder:"ORIGIN,…" help:"Origins whose pages may use the server, as https://example.org; *: any."`
}

type clients struct {
	Clients limit.Config `embed:""`

	MaxWaits int `default:"0" help:"Requests that wait, and event streams, at once; 0: any number."`
}

type operation struct {
	ShutdownDelay time.Duration `default:"0s" help:"How long to serve on after SIGTERM while /readyz fails, so that load balancers notice."`
	Drain         time.Duration `default:"8s" help:"How long what runs may take at the end."`
	ReadTimeout   time.Duration `default:"10s" help:"How long a request may take to arrive."`
	IdleTimeout   time.Duration `default:"75s" help:"How long a connection may stay open between two requests."`

	AccessLog accesslog.Config `embed:""`

	PrintConfig bool `env:"-" help:"Print what the server would run with, secrets masked, and exit."`
	CheckConfig bool `env:"-" help:"Check flags and the files that they name, and exit."`
}
