package app

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"syscall"

	"signal-server/app/certificate"
	"signal-server/app/flag"
	"signal-server/app/iceserver"
	"signal-server/app/listen"
	"signal-server/app/pages"
	"signal-server/app/server"
	"signal-server/app/turn"
)

// places are where the server listens; nil: not at all.
type places struct{ api, admin, plain *listen.Address }

// places reads the addresses of all flags.
func (s *settings) places(wrong *flag.Mistakes) (p places) {
	read := func(flag, text string) *listen.Address {
		address, err := listen.Parse(text)
		if err != nil {
			wrong.Add(fmt.Errorf("%s %w", flag, err))
		}
		return &address
	}
	p.api = read("--listen", s.Listen)
	if s.Admin != "" {
		p.admin = read("--admin", s.Admin)
	}
	if s.RedirectHTTP != "" {
		p.plain = read("--redirect-http", s.RedirectHTTP)
	}
	return p
}

// sockets are what the server listens on.
type sockets struct {
	server.Listeners
	turn    *turn.Server    // nil: none. It is Listeners.Relay, too
	servers *iceserver.List // of which clients are told
}

// openSockets opens the sockets, and speaks TLS over the API's if there are certificates. The caller closes them, even if the server has.
func (s *settings) openSockets(p places, source certificate.Source, log *slog.Logger) (on sockets, err error) {
	passed := listen.Receive()
	defer passed.Close()
	for _, place := range []struct {
		flag string
		at   *listen.Address
		to   *net.Listener
	}{{"--listen", p.api, &on.API}, {"--admin", p.admin, &on.Admin}, {"--redirect-http", p.plain, &on.Plain}} {
		if place.at == nil {
			continue
		}
		if *place.to, err = place.at.Listen(s.SocketMode, passed); err != nil {
			on.close()
			return sockets{}, fmt.Errorf("%w (%s)%s", err, place.flag, wayOut(err, place.flag))
		}
	}
	if left := passed.Names(); len(left) > 0 {
		log.Warn("sockets of systemd are closed: no flag names them", "names", strings.Join(left, ","))
	}
	if source != nil {
		on.Redirect = server.Redirect{Port: portOf(on.API), IsPage: s.isPage}
		if on.Plain != nil {
			on.Redirect.Challenges = source.Challenges()
		}
		on.API = tls.NewListener(on.API, source.Server())
	}
	return on, nil
}

// wayOut says what to do about an address that another program has.
func wayOut(err error, flag string) string {
	switch {
	case !errors.Is(err, syscall.EADDRINUSE):
		return ""
	case flag == "--listen":
		return ": another program listens there, end that, or give another address"
	default:
		return ": another program listens there, give another address, or " + flag + "= for none"
	}
}

// isPage reports whether the path is a page's.
func (s *settings) isPage(path []byte) bool { return s.Pages.Pages == pages.On && pages.Has(path) }

// portOf returns the port that clients come to: that of HTTPS, where they come to a proxy.
func portOf(l net.Listener) int {
	if tcp, ok := l.Addr().(*net.TCPAddr); ok {
		return tcp.Port
	}
	return 443
}

// spaced returns URIs for people.
func spaced(uris []iceserver.URI) string {
	var all []string
	for _, u := range uris {
		all = append(all, u.String())
	}
	return strings.Join(all, " ")
}

func (s *sockets) close() {
	for _, l := range []net.Listener{s.API, s.Admin, s.Plain} {
		if l != nil {
			l.Close() // or it was closed by the server
		}
	}
	if s.turn != nil {
		s.turn.Close()
	}
}

// log says where the server listens.
func (s *sockets) log(log *slog.Logger, args ...any) {
	if s.Admin != nil {
		log.Info("serving operators", "address", listen.Name(s.Admin))
	}
	if s.Plain != nil {
		log.Info("redirecting to https", "address", listen.Name(s.Plain))
	}
	if told, left := s.servers.URIs(); len(told) > 0 {
		log.Info("telling of ICE servers", "uris", spaced(told), "left out", spaced(left))
	}
	log.Info("serving", append([]any{"address", listen.Name(s.API)}, args...)...)
}
