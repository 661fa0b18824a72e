// Package iceserver says which STUN and TURN servers clients are told of, and by what they authenticate there: URIs, and credentials that end. It
// knows neither who asks nor in which form they are told, and speaks to no server.
//
//	Config, the server of this process ─▶ Source ─┐
//	file ─▶ Secrets ─────────────────────▶ Source ─┴▶ List ──For(who)──▶ RTCConfiguration.iceServers
//	                └─Passwords──▶ the TURN server of this process
package iceserver

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/alecthomas/units"
)

// Config names ICE servers that other programs run. The zero Config names none.
type Config struct {
	// URIs are what ParseURI reads. STUN ones need no credential.
	URIs []string `name:"ice-servers" placeholder:"URL" help:"STUN and TURN servers to tell clients of: stun:host, turn:host?transport=udp, turns:host."`

	// SecretFile has what those TURN servers and this one share, as package secrets reads it.
	SecretFile string `name:"ice-secret-file" secret:"" placeholder:"FILE" help:"Secret shared with them, one a line; the first signs."`

	// User and PasswordFile are one credential for all of them that does not end.
	User         string `name:"ice-user" placeholder:"NAME" help:"Or one user of them for everybody,"`
	PasswordFile string `name:"ice-password-file" secret:"" placeholder:"FILE" help:"and the file with its password."`

	// TTL is how long credentials are good for new relays.
	TTL time.Duration `name:"ice-ttl" default:"1h" help:"How long credentials are good for new relays."`
}

// The bounds of Config.TTL. A client asks anew after half of it.
const (
	MinTTL = time.Minute
	MaxTTL = 24 * time.Hour
)

// Validate calls wrong with a pointer to each field that cannot be used, and says why. It reads no file.
func (c *Config) Validate(wrong func(field any, format string, args ...any)) {
	relays, strange := false, false
	for _, text := range c.URIs {
		u, ok := ParseURI(text)
		if !ok {
			wrong(&c.URIs, "has %q, must be like stun:host:3478, turn:host:3478?transport=udp or turns:host:5349", text)
			strange = true
			continue
		}
		relays = relays || u.Relays()
	}
	hasSecret, hasUser := c.SecretFile != "", c.User != "" || c.PasswordFile != ""
	switch {
	case hasSecret && hasUser:
		wrong(&c.SecretFile, "and %v exclude each other", &c.User)
	case relays && !hasSecret && !hasUser:
		wrong(&c.URIs, "has a TURN server, which needs %v, or %v and %v", &c.SecretFile, &c.User, &c.PasswordFile)
	case strange: // it may be meant to relay
	case !relays && hasSecret:
		wrong(&c.SecretFile, "is of no use without a TURN server in %v", &c.URIs)
	case !relays && hasUser:
		wrong(&c.User, "is of no use without a TURN server in %v", &c.URIs)
	case (c.User == "") != (c.PasswordFile == ""):
		wrong(&c.User, "and %v are needed both, or none", &c.PasswordFile)
	}
	if c.TTL < MinTTL || c.TTL > MaxTTL {
		wrong(&c.TTL, "is %v, must be %v to %v", c.TTL, MinTTL, MaxTTL)
	}
}

// Source reads the files that the config names, and returns the source of its servers. Validate must have passed the config.
func (c *Config) Source() (s Source, err error) {
	for _, text := range c.URIs {
		u, _ := ParseURI(text)
		s.URIs = append(s.URIs, u)
	}
	if c.SecretFile != "" {
		if s.Secrets, err = OpenSecrets(c.SecretFile); err != nil {
			return Source{}, err
		}
	}
	if c.PasswordFile != "" {
		s.Static.Username = c.User
		if s.Static.Password, err = readPassword(c.PasswordFile); err != nil {
			return Source{}, err
		}
	}
	return s, nil
}

const maxPassword = 1 << 10 // bytes

// readPassword returns the one line of a file.
func readPassword(path string) (string, error) {
	file, err := os.Open(path) // #nosec G304 -- the operator names it
	if err != nil {
		return "", err // it names the path
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, maxPassword+3))
	if err != nil {
		return "", err
	}
	line := string(bytes.TrimRight(content, "\r\n"))
	if line == "" || len(line) > maxPassword || strings.ContainsAny(line, "\r\n\x00") {
		return "", fmt.Errorf("%s: must have one line, of 1 to %v", path, units.Base2Bytes(maxPassword))
	}
	return line, nil
}
