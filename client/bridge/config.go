package bridge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"

	"signal-server/client"
	"signal-server/client/seal"
)

// Config is what Run needs. Server, Role, Listen, Forward, and Key or Secret must be set.
type Config struct {
	// Server is the base URL of the signaling server, http or https.
	Server string
	// Key names the session: 1 to 32 characters that only the two sides know. It never reaches a log. With a Secret it may be empty.
	Key string
	// Secret, if it is not empty, seals what passes, end to end: the other side needs the same one, be it a bridge, package pionsignal or
	// client/js. Without a Key it names the session, too. It never reaches the server or a log.
	Secret string
	// Token returns the token that the server asks for; see client.WithTokenFunc. Nil: none. If the server does not take it, Run ends.
	Token func(ctx context.Context) (string, error)
	// Role is the side of the local program.
	Role client.Role
	// Listen is the TCP address, host:port, to which the local program posts. Without a host the bridge listens on every address
	// of this machine. Port 0 takes a free port; the log says which.
	Listen string
	// Forward is the TCP address, host:port, at which the local program accepts what the other side writes. Without a host it is
	// this machine.
	Forward string
	// Logger logs in plain words what the bridge does. Nil means slog.Default.
	Logger *slog.Logger
}

// logger returns the Logger, or slog.Default if it is nil.
func (c Config) logger() *slog.Logger {
	if c.Logger == nil {
		return slog.Default()
	}
	return c.Logger
}

// session returns the session that the configuration names, and what seals its payloads, nil without a secret. If the configuration is
// wrong, it returns one error per mistake, joined.
func (c Config) session(transport http.RoundTripper) (*client.Session, *seal.Keys, error) {
	server, errServer := client.New(c.Server, client.WithTokenFunc(c.Token),
		client.WithHTTPClient(&http.Client{Transport: transport}), client.WithLogger(c.logger()))
	if errServer != nil {
		errServer = fmt.Errorf("server: %w", errServer)
		server, _ = client.New("http://localhost") // to learn what else is wrong
	}
	key, keys, errSecret := c.agreed()
	if errSecret != nil {
		errSecret = fmt.Errorf("secret: %w", errSecret)
		key = c.Key
	}
	_, errKey := server.Session(key, client.Offer)
	if errKey != nil {
		errKey = fmt.Errorf("key: both sides need the same one, 1 to 32 characters, or the same secret: %w", errKey)
	}
	_, errRole := server.Session("k", c.Role)
	if errRole != nil {
		errRole = fmt.Errorf("role: %w", errRole)
	}
	var errItself error
	if c.Listen != "" && c.Listen == c.Forward {
		errItself = fmt.Errorf("forward: %q is also the listen address; the bridge would post to itself", c.Forward)
	}
	err := errors.Join(errServer, errKey, errSecret, errRole,
		checkAddress("listen", c.Listen, 0), checkAddress("forward", c.Forward, 1), errItself)
	if err != nil {
		return nil, nil, err
	}
	session, err := server.Session(key, c.Role)
	return session, keys, err
}

// agreed returns the key that names the session, and what seals its payloads, nil without a secret.
func (c Config) agreed() (key string, keys *seal.Keys, err error) {
	key = strings.TrimSpace(c.Key) // a blank one is none
	if !utf8.ValidString(c.Secret) {
		return key, nil, errors.New("it is not UTF-8 text, so that a browser cannot have the same one")
	}
	return seal.Agreed(key, c.Secret)
}

// checkAddress returns an error if address is not host:port with a port of lowest or more.
func checkAddress(name, address string, lowest int) error {
	if address == "" {
		return fmt.Errorf("%s: it is empty; give host:port, as in 127.0.0.1:50000", name)
	}
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || int(n) < lowest {
		return fmt.Errorf("%s: %q has no port of %d to 65535", name, address, lowest)
	}
	return nil
}
