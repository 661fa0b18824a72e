package main

import "time"

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
	Listen     string `default:":8080" placeholder:"ADDRESS" help:"Address to serve the API on: host:port, unix:/path, systemd (the socket that it was started with) or systemd:NAME."`
	Admin      string `default:"127.0.0.1:9090" placeholder:"ADDRESS" help:"Address for operators (health, metrics, profiles), in the same forms; empty: none."`
	SocketMode mode   `default:"0660" placeholder:"MODE" help:"Permissions of sockets at unix:/path; who may write may connect."`

	MaxConnections int `help:"Connections at once, at the most; 0: as many as there are descriptors." default:"0"`
}

type secure struct {
	TLSCert      string `name:"tls-cert" placeholder:"FILE" help:"Certificate to serve HTTPS with, and those between it and a root, in PEM. Read again when it changes, and at SIGHUP."`
	TLSKey       string `name:"tls-key" placeholder:"FILE" help:"Its private key, in PEM."`
	RedirectHTTP string `name:"redirect-http" placeholder:"ADDRESS" help:"Address to serve plain HTTP on, such as :80: pages are redirected to HTTPS, other requests refused."`

	ACMEDomain    []string `name:"acme-domain" placeholder:"NAME,…" help:"Names to get certificates for from an ACME authority, to whose terms you agree thereby. It must reach this server at port 443 or, by --redirect-http, at port 80."`
	ACMECache     string   `name:"acme-cache" placeholder:"DIR" help:"Directory where certificates and keys are kept."`
	ACMEEmail     string   `name:"acme-email" placeholder:"ADDRESS" help:"Where the authority may write to."`
	ACMEDirectory string   `name:"acme-directory" placeholder:"URL" help:"Directory of another authority than Let's Encrypt."`

	HSTS time.Duration `name:"hsts" default:"4320h" help:"How long browsers are to insist on HTTPS once they were here; 0s: they are not told to."`
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
	AuthTokensFile    string `placeholder:"FILE" help:"Tokens that clients must have one of, hashed; signal-server token makes one. Read again at SIGHUP."`
	AuthJWTSecretFile string `name:"auth-jwt-secret-file" placeholder:"FILE" help:"Secret that signs JWTs (HS256), 32 bytes or more."`
	AuthJWKSURL       string `name:"auth-jwks-url" placeholder:"URL" help:"Where the keys that sign JWTs are published (RS256, ES256, EdDSA)."`
	AuthJWKSFile      string `name:"auth-jwks-file" placeholder:"FILE" help:"The same, as a file. Read again at SIGHUP."`
	AuthJWTAudience   string `name:"auth-jwt-audience" placeholder:"TEXT" help:"What a JWT's aud must have."`
	AuthJWTIssuer     string `name:"auth-jwt-issuer" placeholder:"TEXT" help:"What a JWT's iss must be."`

	RoleTickets           bool   `help:"Give who opens a session, and who first answers it, a ticket that only they can go on as that role with."`
	RoleTicketsSecretFile string `placeholder:"FILE" help:"Secrets that tickets are signed with, one a line, 32 bytes or more each; the first signs, all are good. For more than one node. Read again at SIGHUP."`

	AllowOrigins []string `default:"*" placeholder:"ORIGIN,…" help:"Origins whose pages may use the server, as https://example.org; *: any."`
}

type clients struct {
	TrustedProxies []string `placeholder:"CIDR,…" help:"Proxies whose X-Forwarded-For is believed: addresses, networks, loopback, private, unix."`

	RateRequests   rate          `default:"off" help:"Requests of one client, such as 50/s: so many at once, and again as time goes by; off: any number."`
	RateOpens      rate          `default:"off" help:"New sessions of one client, such as 60/m."`
	RateWrongKeys  rate          `default:"off" help:"Different keys without a session that one client may ask for, such as 20/m; who asks for more is blocked for a while."`
	BlockFor       time.Duration `default:"1m" help:"How long the first block lasts; each further one is twice as long, up to an hour."`
	MaxClientWaits int           `default:"0" help:"Requests of one client that wait, and event streams, at once; 0: any number."`

	MaxWaits int `default:"0" help:"Requests that wait, and event streams, at once; 0: any number."`
}

type operation struct {
	ShutdownDelay time.Duration `default:"0s" help:"How long to serve on after SIGTERM while /readyz fails, so that load balancers notice."`
	Drain         time.Duration `default:"8s" help:"How long what runs may take at the end."`
	ReadTimeout   time.Duration `default:"10s" help:"How long a request may take to arrive."`
	IdleTimeout   time.Duration `default:"75s" help:"How long a connection may stay open between two requests."`

	AccessLog         share  `default:"off" help:"Share of requests that get a line in the log, without keys: 1 (all), 0.01, off."`
	AccessLogSaltFile string `placeholder:"FILE" help:"Salt of the hashes that stand for keys in it, 16 bytes or more: the same on all nodes whose lines are to be found by each other; none: a random one."`
	AccessLogClients  bool   `help:"Have its lines name the client's address."`

	PrintConfig bool `env:"-" help:"Print what the server would run with, secrets masked, and exit."`
	CheckConfig bool `env:"-" help:"Check flags and the files that they name, and exit."`
}
