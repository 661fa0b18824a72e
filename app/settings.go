package app

import (
	"github.com/alecthomas/units"
	"signal-server/app/certificate"
	"signal-server/app/flag"
	"signal-server/app/gate"
	"signal-server/app/gate/auth"
	"signal-server/app/gate/limit"
	"signal-server/app/gate/ticket"
	"signal-server/app/iceserver"
	"signal-server/app/link"
	"signal-server/app/listen"
	"signal-server/app/pages"
	"signal-server/app/server"
	"signal-server/app/turn"
	"signal-server/app/watch/accesslog"
	"signal-server/app/wire"
	"signal-server/app/wire/call"
	"signal-server/app/wire/ice"
	"signal-server/cache"
	"signal-server/cache/memory"
)

// settings are what the command that serves is told. Each is a field of the part that it is for, with its name, default and help; those
// of the program itself stand here. Groups stand in --help in the order in which they come first, which is that of an operator's questions:
// where, by TLS, for whom, how much, kept where.
type settings struct {
	Listen     string      `group:"Addresses" default:":8080" help:"Where the API is: host:port, unix:/path, systemd (its socket) or systemd:NAME."`
	Admin      string      `group:"Addresses" default:"127.0.0.1:9090" help:"Where operators ask: health, metrics, profiles. The same forms; empty: nowhere."`
	SocketMode listen.Mode `group:"Addresses" default:"0660" help:"Permissions of sockets at unix:/path."`

	Certificate  certificate.Config `embed:"" group:"TLS"`
	RedirectHTTP string             `name:"redirect-http" group:"TLS" placeholder:"ADDRESS" help:"Plain HTTP, such as :80, sent on to HTTPS."`

	Auth    auth.Config   `embed:"" group:"Who may"`
	Tickets ticket.Config `embed:"" group:"Who may"`

	Clients limit.Config `embed:"" group:"What one client may have"`
	Lists   ice.Config   `embed:"" group:"What one client may have"`

	Store     string        `group:"Store" default:"memory" help:"memory, or a redis:// URL (rediss, redis-sentinel, redis-cluster)."`
	StoreFile string        `group:"Store" secret:"" placeholder:"FILE" help:"File with that URL, where it has a password."`
	Memory    memory.Config `embed:"" group:"Store"`

	Limits cache.Limits `embed:"" group:"Sessions"`
	Call   call.Config  `embed:"" group:"Sessions"`

	ICE  iceserver.Config `embed:"" group:"ICE servers and TURN"`
	Turn turn.Config      `embed:"" group:"ICE servers and TURN"`

	// These have settings of several groups.
	Wire   wire.Config   `embed:""`
	Gate   gate.Config   `embed:""`
	Link   link.Config   `embed:""`
	Server server.Config `embed:""`

	Access accesslog.Config `embed:"" group:"Log and pages"`
	Pages  pages.Config     `embed:"" group:"Log and pages"`

	EnvFile     envFile `env:"-" group:"Flags that are no variables" trusted:"" placeholder:"FILE" help:"Read variables from a file, as systemd does."`
	CheckConfig bool    `env:"-" group:"Flags that are no variables" help:"Say what is wrong with flags and files; exit."`
	PrintConfig bool    `env:"-" group:"Flags that are no variables" help:"Print what would run, secrets masked; exit."`
}

// Help says, above the flags, what is true of each.
func (*settings) Help() string {
	return "Each flag but the last five is an environment variable, too: --max-sdp is SIGNAL_MAX_SDP. The command line counts first, then the " +
		"environment, then the file of --env-file, then the default, which stands here after the =."
}

// textTypes are the types of settings that read themselves.
var textTypes = []flag.TextType{
	flag.Text[limit.Rate], flag.Text[turn.Ports], flag.Text[turn.ByteRate], flag.Text[link.Share], flag.Text[listen.Mode], flag.Text[accesslog.Share], flag.Text[cache.Share],
}

// validate collects what is wrong with the settings of parts that need no files.
func (s *settings) validate(wrong *flag.Mistakes, names flag.Names) {
	told := s.checkRoom(wrong, names)
	for _, part := range []flag.Config{&s.Memory, &s.Limits, &s.Call, &s.Clients, &s.Server, &s.Link, &s.Wire, &s.Gate, &s.ICE, &s.Turn} {
		part.Validate(func(field any, format string, args ...any) {
			if !told[field] {
				wrong.Wrong(names, field, format, args...)
			}
		})
	}
	if s.RedirectHTTP != "" && s.Certificate.CertFile == "" && len(s.Certificate.Domains) == 0 {
		wrong.Wrong(names, &s.RedirectHTTP, "is of no use without %v or %v", &s.Certificate.CertFile, &s.Certificate.Domains)
	}
	s.checkTurn(wrong, names)
	s.checkStore(wrong, names)
}

// checkRoom collects a mistake for each of sessions and bodies that has no room for a payload, which no part can tell alone. It returns
// the settings that it has told of.
func (s *settings) checkRoom(wrong *flag.Mistakes, names flag.Names) map[any]bool {
	told := make(map[any]bool)
	payload := max(s.Call.SDPBytes, s.Call.CandidateBytes)
	for _, room := range []*int{&s.Limits.SessionBytes, &s.Wire.BodyBytes} {
		if *room < payload || *room > cache.MaxSessionBytes {
			wrong.Wrong(names, room, "is %v, must be what one payload may have (%v) or more, up to %v",
				units.Base2Bytes(*room), units.Base2Bytes(payload), units.Base2Bytes(cache.MaxSessionBytes))
			told[room] = true
		}
	}
	told[&s.Wire.BodiesBytes] = told[&s.Wire.BodyBytes] // which are a multiple of it
	return told
}
