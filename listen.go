package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"

	"signal-server/app"
	"signal-server/app/certificate"
	"signal-server/app/listen"
)

// places are where the server is to listen; nil: not at all.
type places struct{ api, admin, plain *listen.Address }

// places reads the addresses of all flags.
func (c *serve) places() (p places, err error) {
	var errs []error
	read := func(flag, text string) *listen.Address {
		address, err := listen.Parse(text)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s %w", flag, err))
		}
		return &address
	}
	p.api = read("--listen", c.Listen)
	if c.Admin != "" {
		p.admin = read("--admin", c.Admin)
	}
	if c.RedirectHTTP != "" {
		p.plain = read("--redirect-http", c.RedirectHTTP)
		if c.Certificate.CertFile == "" && len(c.Certificate.Domains) == 0 {
			errs = append(errs, errors.New("--redirect-http is of no use without --tls-cert or --acme-domain"))
		}
	}
	return p, errors.Join(errs...)
}

// sockets are what the server listens on; nil: nothing.
type sockets struct {
	api, admin, plain net.Listener
	says              app.Plain // over the plain one
}

// listen opens the sockets, and speaks TLS over the API's if there are certificates. The caller closes them, whoever else does.
func (c *serve) listen(p places, source certificate.Source, log *slog.Logger) (s sockets, err error) {
	passed := listen.Receive()
	defer passed.Close()
	for _, place := range []struct {
		flag string
		at   *listen.Address
		to   *net.Listener
	}{{"--listen", p.api, &s.api}, {"--admin", p.admin, &s.admin}, {"--redirect-http", p.plain, &s.plain}} {
		if place.at == nil {
			continue
		}
		if *place.to, err = place.at.Listen(c.SocketMode, passed); err != nil {
			s.close()
			return sockets{}, fmt.Errorf("%w (%s)", err, place.flag)
		}
	}
	if left := passed.Names(); len(left) > 0 {
		log.Warn("sockets of systemd are closed: no flag names them", "names", strings.Join(left, ","))
	}
	if source != nil {
		s.says.Port = portOf(s.api)
		if s.plain != nil {
			s.says.Challenges = source.Challenges()
		}
		s.api = tls.NewListener(s.api, source.Server())
	}
	return s, nil
}

// portOf returns the port that clients come to: that of HTTPS, where they come to a proxy.
func portOf(l net.Listener) int {
	if tcp, ok := l.Addr().(*net.TCPAddr); ok {
		return tcp.Port
	}
	return 443
}

func (s *sockets) close() {
	for _, l := range []net.Listener{s.api, s.admin, s.plain} {
		if l != nil {
			l.Close() // or it was closed by whoever served it
		}
	}
}

// log says where the server listens.
func (s *sockets) log(log *slog.Logger, args ...any) {
	if s.admin != nil {
		log.Info("serving operators", "address", listen.Name(s.admin))
	}
	if s.plain != nil {
		log.Info("redirecting to https", "address", listen.Name(s.plain))
	}
	log.Info("serving", append([]any{"address", listen.Name(s.api)}, args...)...)
}
