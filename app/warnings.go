package app

import (
	"io/fs"
	"log/slog"
	"net"
	"os"
	"slices"

	"github.com/alecthomas/kong"

	"signal-server/app/link"
	"signal-server/app/turn"
)

// warnOfStrangers says, if other machines reach the API, that there is nothing that bounds them.
func (s *settings) warnOfStrangers(log *slog.Logger, p parts, api net.Listener) {
	tcp, ok := api.Addr().(*net.TCPAddr)
	if !ok || tcp.IP.IsLoopback() || p.guard != nil && p.guard.Required() || s.Clients.Limits() {
		return
	}
	log.Warn("anybody who reaches this server may use it, at any rate: set --rate-connections=20/s --rate-requests=50/s --rate-opens=60/m --rate-wrong-keys=20/m"+
		" --max-client-waits=100, or --auth-tokens-file; docs/security.md says more", "address", tcp.String()) // JSON would show its parts
}

// warnOfRelays says where relays help nobody, and where they help everybody.
func (s *settings) warnOfRelays(log *slog.Logger, p parts, relay *turn.Server) {
	if relay == nil {
		return
	}
	if private := relay.Private(); len(private) > 0 && len(s.Turn.Addresses) == 0 {
		log.Warn("TURN relays are reached at a private address only; set --turn-address", "address", private[0].String())
	}
	if !(p.guard != nil && p.guard.Required()) && slices.Contains(s.Gate.AllowOrigins, "*") {
		log.Warn("anybody who reaches GET /ice may relay by this server: set --auth-tokens-file, --auth-jwt-secret-file or --allow-origins; docs/security.md says more")
	}
	if host := s.turnHost(); len(s.Turn.TLSListen) > 0 && len(s.Turn.URIs) == 0 && !p.certs.IsFor(host) {
		log.Warn("the certificate is not for the name by which clients reach TURN over TLS: they will not trust it", "name", host)
	}
	if most := link.Descriptors(); most > 0 && s.Turn.Allocations > most/2 {
		log.Warn("TURN relays may take the descriptors that connections need: raise the limit of this process (ulimit -n, LimitNOFILE=), or lower --turn-allocations",
			"allocations", s.Turn.Allocations, "descriptors", most)
	}
}

// The tags of settings that name files, by what their permissions must not allow. A server whose files allow it starts all the same,
// because a container often cannot choose, and says so.
var fileTags = []struct {
	tag       string
	forbidden fs.FileMode
	warning   string
}{
	{"secret", 0o027, "a secret can be read or changed by others on this machine"},          // its group may read it
	{"trusted", 0o022, "a file that says who may can be changed by others on this machine"}, // anybody may read it
}

// warnOfModes says which files that the flags name can be read or written by whom they should not.
func warnOfModes(log *slog.Logger, flags []*kong.Flag) {
	for _, f := range flags {
		for _, t := range fileTags {
			if !f.Tag.Has(t.tag) || f.Target.String() == "" {
				continue
			}
			info, err := os.Stat(f.Target.String())
			if err != nil || !info.Mode().IsRegular() { // whoever reads it says that; and a pipe has no lasting content
				continue
			}
			if mode := info.Mode().Perm(); mode&t.forbidden != 0 {
				log.Warn(t.warning, "setting", "--"+f.Name, "file", f.Target.String(), "mode", mode, "safe", mode&^t.forbidden)
			}
		}
	}
}
