package redis

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"
)

// options are what a URL says.
type options struct {
	client      rueidis.ClientOption
	where       string // the hosts, for messages: a URL may hold a password
	prefix      string
	timeout     time.Duration
	maxInFlight int64
	replicas    int64
}

const (
	defaultPort         = "6379"
	defaultSentinelPort = "26379"

	defaultTimeout     = 2 * time.Second
	defaultMaxInFlight = 16384 // calls: enough for 80,000 a second that take 200 ms each
	defaultPrefix      = "signal:"
	maxPrefix          = 32 // bytes

	// flushDelay is how long a connection gathers commands before it writes them: with 256 callers 20 µs halve the CPU that an
	// operation costs here and in the server, and 100 µs save another tenth of it where 64 peers connect at once. One caller alone
	// is not delayed.
	flushDelay = 100 * time.Microsecond

	// keepAlive is how long a silent connection is trusted. Then it is sent a PING, and has the timeout to answer.
	keepAlive = time.Second

	connBuffer = 128 << 10 // bytes, for each direction of a connection: a few dozen sdps
	replicated = 128       // connections for calls that wait for replicas, for each server

	// redirections is how often a call follows a slot that is on the move. Two servers may each name the other for it, after a move that
	// was broken off on one side only.
	redirections = 8

	// topologyRefresh is how often the sentinels or the cluster are asked who serves, in addition to what errors tell.
	topologyRefresh = 5 * time.Second
)

// parseURL reads one of
//
//	redis://user:password@host:port/db          one server
//	rediss://…                                  with TLS
//	redis-sentinel://host:port,host:port/db?master=name
//	redis-cluster://host:port,host:port
//
// Ports, user, password and db may be left out. After the question mark may come:
//
//	timeout=2s           for connecting, and for an answer
//	max_in_flight=16384  calls that wait for an answer; more are refused at once
//	wait_replicas=0      how many replicas must have a write before it is acknowledged
//	prefix=signal:       what names of keys and channels begin with
//	tls=true             TLS; the scheme rediss turns it on too, and so do ca, cert, key, server_name and insecure
//	ca=file              PEM of the authorities that sign the server's certificate, in place of the system's
//	cert=file, key=file  PEM of this client's certificate
//	server_name=host     the name in the server's certificate
//	insecure=true        do not check the server's certificate
//	sentinel_user=, sentinel_password=
//
// The error names all mistakes, and no password.
func parseURL(text string) (options, error) {
	scheme, rest, ok := strings.Cut(text, "://")
	if !ok {
		return options{}, errors.New("redis: the URL has no scheme: redis, rediss, redis-sentinel or redis-cluster")
	}
	authority := rest[:indexAny(rest, "/?#")]
	hosts := authority[strings.LastIndexByte(authority, '@')+1:]
	// net/url allows one host only, so it gets a stand-in for all of them.
	u, err := url.Parse("redis://" + authority[:len(authority)-len(hosts)] + "host" + rest[len(authority):])
	if err != nil {
		var e *url.Error
		if errors.As(err, &e) { // the outer error's text would show the URL
			err = e.Err
		}
		return options{}, fmt.Errorf("redis: the URL is malformed: %w", err)
	}
	p := parser{query: u.Query()}
	o := p.options(scheme, hosts, u)
	for name := range p.query {
		if slices.Contains(p.known, name) {
			continue
		}
		if strings.Trim(name, "abcdefghijklmnopqrstuvwxyz_") != "" {
			name = masked // it may be the end of a password that has a question mark
		}
		p.mistake("unknown parameter %q, must be one of %s", name, strings.Join(p.known, ", "))
	}
	return o, errors.Join(p.mistakes...)
}

func indexAny(s, chars string) int {
	if i := strings.IndexAny(s, chars); i >= 0 {
		return i
	}
	return len(s)
}

// parser reads parameters, and collects their names and what is wrong with them.
type parser struct {
	query    url.Values
	known    []string
	mistakes []error
}

func (p *parser) mistake(format string, args ...any) {
	p.mistakes = append(p.mistakes, fmt.Errorf("redis: "+format, args...))
}

func (p *parser) text(name string) string {
	p.known = append(p.known, name)
	return p.query.Get(name)
}

func (p *parser) number(name string, otherwise, least int64) int64 {
	text := p.text(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil || n < least {
		p.mistake("%s is %q, must be a whole number, %d or more", name, text, least)
	}
	return n
}

func (p *parser) duration(name string, otherwise, least time.Duration) time.Duration {
	text := p.text(name)
	if text == "" {
		return otherwise
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < least {
		p.mistake("%s is %q, must be a duration such as 2s, %v or more", name, text, least)
	}
	return d
}

func (p *parser) yes(name string) bool {
	text := p.text(name)
	if text == "" {
		return false
	}
	b, err := strconv.ParseBool(text)
	if err != nil {
		p.mistake("%s is %q, must be true or false", name, text)
	}
	return b
}

func (p *parser) options(scheme, hosts string, u *url.URL) options {
	timeout := p.duration("timeout", defaultTimeout, 10*time.Millisecond)
	o := options{
		where:       hosts,
		timeout:     timeout,
		prefix:      defaultPrefix,
		maxInFlight: p.number("max_in_flight", defaultMaxInFlight, 1),
		replicas:    p.number("wait_replicas", 0, 0),
	}
	if prefix := p.text("prefix"); prefix != "" {
		o.prefix = prefix
	}
	if len(o.prefix) > maxPrefix || strings.ContainsAny(o.prefix, "{}") {
		p.mistake("prefix is %q, must be %d bytes or fewer, without braces", o.prefix, maxPrefix)
	}
	password, _ := u.User.Password()
	o.client = rueidis.ClientOption{
		Username:            u.User.Username(),
		Password:            password,
		SelectDB:            p.database(u),
		ClientName:          "signal-server",
		Dialer:              net.Dialer{Timeout: timeout, KeepAlive: keepAlive},
		ConnWriteTimeout:    timeout,
		MaxFlushDelay:       flushDelay,
		AlwaysPipelining:    true,
		DisableCache:        true,
		ClientSetInfo:       rueidis.DisableClientSetInfo, // Redis 7.2 has it, 7.0 does not
		DisableRetry:        true,                         // a script that may have run is not run again
		ReadBufferEachConn:  connBuffer,
		WriteBufferEachConn: connBuffer,
		BlockingPoolSize:    replicated,
		BlockingPoolMinSize: 1,
		BlockingPoolCleanup: time.Minute,
		ClusterOption:       rueidis.ClusterOption{ShardsRefreshInterval: topologyRefresh, MaxMovedRedirections: redirections},
	}
	p.server(&o.client, scheme, hosts)
	p.security(&o.client, scheme)
	return o
}

// server reads where the servers are, and of what kind.
func (p *parser) server(c *rueidis.ClientOption, scheme, hosts string) {
	port, most := defaultPort, 1
	master := p.text("master")
	user, password := p.text("sentinel_user"), p.text("sentinel_password")
	switch scheme {
	case "redis", "rediss":
		c.ForceSingleClient = true
	case "redis-cluster":
		most = 1000
		if c.SelectDB != 0 {
			p.mistake("a cluster has database 0 only")
		}
	case "redis-sentinel":
		port, most = defaultSentinelPort, 1000
		c.Sentinel = rueidis.SentinelOption{
			MasterSet: master, Username: user, Password: password, Dialer: c.Dialer, TopologyRefreshInterval: topologyRefresh,
		}
		if master == "" {
			p.mistake("sentinels need master=, the name of what they watch")
		}
	default:
		p.mistake("the URL's scheme is %q, must be redis, rediss, redis-sentinel or redis-cluster", scheme)
	}
	if scheme != "redis-sentinel" && master+user+password != "" {
		p.mistake("master, sentinel_user and sentinel_password are for redis-sentinel")
	}
	for host := range strings.SplitSeq(hosts, ",") {
		if host == "" {
			p.mistake("the URL names no host, or an empty one")
			continue
		}
		if _, given, err := net.SplitHostPort(host); err != nil {
			host = net.JoinHostPort(strings.Trim(host, "[]"), port)
		} else if n, err := strconv.ParseUint(given, 10, 16); err != nil || n == 0 {
			p.mistake("the port of a host must be a number, 1 to 65535") // it may be a password that is followed by no host
		}
		c.InitAddress = append(c.InitAddress, host)
	}
	if len(c.InitAddress) > most {
		p.mistake("%s names %d hosts, must be one", scheme, len(c.InitAddress))
	}
}

func (p *parser) database(u *url.URL) int {
	text := strings.Trim(u.Path, "/")
	if text == "" {
		return 0
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		p.mistake("the URL's path must be the number of a database, 0 or more") // it may be the end of a password that has a slash
	}
	return n
}

// security reads what concerns TLS.
func (p *parser) security(c *rueidis.ClientOption, scheme string) {
	on, ca, cert, key := p.yes("tls"), p.text("ca"), p.text("cert"), p.text("key")
	name, insecure := p.text("server_name"), p.yes("insecure")
	if !on && !insecure && scheme != "rediss" && ca+cert+key+name == "" {
		return
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: name, InsecureSkipVerify: insecure} // #nosec G402 -- the operator may ask for it, by name
	if ca != "" {
		config.RootCAs = x509.NewCertPool()
		pem, err := os.ReadFile(ca) // #nosec G304 -- the operator names it
		if err != nil {
			p.mistake("ca: %w", err)
		} else if !config.RootCAs.AppendCertsFromPEM(pem) {
			p.mistake("ca: %s holds no certificate in PEM", ca)
		}
	}
	if cert+key != "" {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			p.mistake("cert and key: %w", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	c.TLSConfig = config
	if c.Sentinel.MasterSet != "" {
		c.Sentinel.TLSConfig = config
	}
}
