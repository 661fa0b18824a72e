package app

import (
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"

	"github.com/mattn/go-isatty"

	"signal-server/app/flag"
	"signal-server/app/listen"
	"signal-server/app/pages"
)

// The forms of the log.
const (
	logAuto = "auto" // logText, but what is told at the start is for people where standard error is a terminal
	logText = "text"
	logJSON = "json"
)

// forPeople returns where to greet people; nil: nobody looks on, or wants log lines alone.
func forPeople(format string) io.Writer {
	if format == logAuto && isatty.IsTerminal(os.Stderr.Fd()) {
		return os.Stderr
	}
	return nil
}

// greet writes what people who start the server want to know, in four lines: who it is, where to click, where sessions are, and who may come;
// and in a fifth, of which ICE servers clients are told, if there are any.
func (s *settings) greet(w io.Writer, on sockets, p parts) error {
	store := kindOf(s.Store)
	if s.Store == inMemory {
		store = "memory, up to " + flag.FormatBytes(s.Memory.Memory)
	}
	relays := ""
	if told, _ := on.servers.URIs(); len(told) > 0 {
		relays = "  ICE     " + spaced(told) + "\n"
	}
	_, err := fmt.Fprintf(w, "signal-server %s\n  where   %s\n  store   %s\n  access  %s\n%s",
		ownVersion(), s.links(on, p), store, s.access(p), relays)
	return err
}

// links are the URLs of what people may open in a browser.
func (s *settings) links(on sockets, p parts) string {
	scheme, names := "http", []string(nil)
	if p.certs != nil {
		scheme, names = "https", s.ownNames()
	}
	var all []string
	if _, tcp := on.API.Addr().(*net.TCPAddr); tcp && s.Pages.Pages == pages.On {
		all = append(all, urlOf(scheme, names, on.API, "/"), "API "+urlOf(scheme, names, on.API, "/swagger"))
	} else {
		all = append(all, "API "+urlOf(scheme, names, on.API, "/"))
	}
	if on.Admin != nil {
		all = append(all, "operators "+urlOf("http", nil, on.Admin, "/metrics"))
	}
	return strings.Join(all, "   ")
}

// urlOf returns the URL of a path of what listens, as this machine, or whoever knows the first of the names, opens it. A Unix socket has none,
// and is named.
func urlOf(scheme string, names []string, l net.Listener, path string) string {
	at, ok := l.Addr().(*net.TCPAddr)
	if !ok {
		return listen.Name(l)
	}
	host := at.IP.String()
	switch {
	case len(names) > 0:
		host = names[0]
	case at.IP.IsUnspecified():
		host = "localhost"
	}
	authority := net.JoinHostPort(host, strconv.Itoa(at.Port))
	if usual := map[string]int{"http": 80, "https": 443}; at.Port == usual[scheme] {
		authority = strings.TrimSuffix(authority, ":"+strconv.Itoa(at.Port))
	}
	return scheme + "://" + authority + path
}

// access tells how clients come and which may.
func (s *settings) access(p parts) string {
	how := "plain HTTP"
	switch {
	case len(s.Certificate.Domains) > 0:
		how = "TLS, certificates by ACME"
	case p.certs != nil:
		how = "TLS"
	}
	var needed []string
	if s.Auth.TokensFile != "" {
		needed = append(needed, "a token")
	}
	if s.Auth.JWTSecretFile != "" || s.Auth.JWKSURL != "" || s.Auth.JWKSFile != "" {
		needed = append(needed, "a JWT")
	}
	who := "open to everybody"
	if len(needed) > 0 {
		who = "for those who have " + strings.Join(needed, " or ")
	}
	bounds := "without limits for each client"
	if s.Clients.Limits() {
		bounds = "with limits for each client"
	}
	return how + ", " + who + ", " + bounds
}
