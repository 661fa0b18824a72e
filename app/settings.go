package app

import (
	"signal-server/app/certificate"
	"signal-server/app/flag"
	"signal-server/app/gate"
	"signal-server/app/gate/auth"
	"signal-server/app/gate/limit"
	"signal-server/app/gate/ticket"
	"signal-server/app/link"
	"signal-server/app/listen"
	"signal-server/app/pages"
	"signal-server/app/server"
	"signal-server/app/watch/accesslog"
	"signal-server/app/wire"
	"signal-server/app/wire/call"
	"signal-server/cache"
	"signal-server/cache/memory"
)

// settings are what the command that serves is told. Each is a field of the part that it is for, with its name, default and help; those
// of the program itself stand here. Groups are those of --help and docs/operations.md, in the order in which they come first.
type settings struct {
	Listen     string      `group:"Where" default:":8080" help:"Address to serve the API on: host:port, unix:/path, systemd (the socket that it was started with) or systemd:NAME."`
	Admin      string      `group:"Where" default:"127.0.0.1:9090" help:"Address for operators (health, metrics, profiles), in the same forms; empty: none."`
	SocketMode listen.Mode `group:"Where" default:"0660" help:"Permissions of sockets at unix:/path; who may write may connect."`

	Certificate  certificate.Config `embed:"" group:"TLS"`
	RedirectHTTP string             `name:"redirect-http" group:"TLS" placeholder:"ADDRESS" help:"Address to serve plain HTTP on, such as :80: pages are redirected to HTTPS, other requests refused."`

	Store     string        `group:"Sessions" default:"memory" help:"Where sessions are kept: memory, or the URL of a Redis or Valkey (redis, rediss, redis-sentinel, redis-cluster)."`
	StoreFile string        `group:"Sessions" secret:"" placeholder:"FILE" help:"File that holds what --store would say: a password in it is in no list of processes and no environment."`
	Memory    memory.Config `embed:"" group:"Sessions"`
	Limits    cache.Limits  `embed:"" group:"Sessions"`
	Call      call.Config   `embed:"" group:"Sessions"`

	Auth    auth.Config   `embed:"" group:"Who may"`
	Tickets ticket.Config `embed:"" group:"Who may"`

	Clients limit.Config `embed:"" group:"How much"`

	// These have settings of several groups.
	Server server.Config `embed:""`
	Link   link.Config   `embed:""`
	Wire   wire.Config   `embed:""`
	Gate   gate.Config   `embed:""`

	Access accesslog.Config `embed:"" group:"Operation"`
	Pages  pages.Config     `embed:"" group:"Operation"`

	PrintConfig bool `env:"-" group:"Operation" help:"Print what the server would run with, secrets masked, and exit."`
	CheckConfig bool `env:"-" group:"Operation" help:"Check flags and the files that they name, and exit."`
}

// textTypes are the types of settings that read themselves.
var textTypes = []flag.TextType{
	flag.Text[limit.Rate], flag.Text[link.Share], flag.Text[listen.Mode], flag.Text[accesslog.Share], flag.Text[cache.Share],
}

// validate collects what is wrong with the settings of parts that need no files.
func (s *settings) validate(wrong *flag.Mistakes, names flag.Names) {
	told := s.checkRoom(wrong, names)
	for _, part := range []flag.Config{&s.Memory, &s.Limits, &s.Call, &s.Clients, &s.Server, &s.Link, &s.Wire, &s.Gate} {
		part.Validate(func(field any, format string, args ...any) {
			if !told[field] {
				wrong.Wrong(names, field, format, args...)
			}
		})
	}
	if s.RedirectHTTP != "" && s.Certificate.CertFile == "" && len(s.Certificate.Domains) == 0 {
		wrong.Wrong(names, &s.RedirectHTTP, "is of no use without %v or %v", &s.Certificate.CertFile, &s.Certificate.Domains)
	}
	s.checkStore(wrong, names)
}

// checkRoom collects a mistake for each of sessions and bodies that has no room for a payload, which no part can tell alone. It returns
// the settings that it has told of.
func (s *settings) checkRoom(wrong *flag.Mistakes, names flag.Names) map[any]bool {
	told := make(map[any]bool)
	payload := max(s.Call.SDPBytes, s.Call.CandidateBytes)
	for _, room := range []*int{&s.Limits.SessionBytes, &s.Wire.BodyBytes} {
		if *room < payload || *room > cache.MaxSessionBytes {
			wrong.Wrong(names, room, "is %d, must be what one payload may have (%d) or more, up to %d", *room, payload, cache.MaxSessionBytes)
			told[room] = true
		}
	}
	told[&s.Wire.BodiesBytes] = told[&s.Wire.BodyBytes] // which are a multiple of it
	return told
}
