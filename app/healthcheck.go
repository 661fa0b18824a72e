package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"signal-server/app/flag"
)

// healthcheckCommand asks a running server how it is, for containers: they have no shell to do it with.
type healthcheckCommand struct {
	Admin string `default:"127.0.0.1:9090" help:"Address of the server's admin listener, as the server has it."`
	Ready bool   `help:"Ask whether new sessions are taken, not only whether the server is alive."`
}

// Help says why the variable is the server's.
func (*healthcheckCommand) Help() string {
	return "--admin is SIGNAL_ADMIN, the server's own variable, so that a container tells both at once."
}

// healthPatience is how long an answer may take: less than the 5 s that orchestrators commonly give a probe.
const healthPatience = 3 * time.Second

func (c *healthcheckCommand) run(ctx context.Context, wrong flag.Mistakes) error {
	if err := errors.Join(wrong...); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, healthPatience)
	defer cancel()
	path := "/healthz"
	if c.Ready {
		path = "/readyz"
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://localhost"+path, nil)
	if err != nil {
		return fmt.Errorf("BUG: the request: %w", err)
	}
	network, address, err := adminOf(c.Admin)
	if err != nil {
		return err
	}
	transport := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, network, address)
	}}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return fmt.Errorf("no answer at --admin %s: %w", c.Admin, err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 4096))
	if err != nil {
		return fmt.Errorf("the answer of --admin %s was cut short: %w", c.Admin, err)
	}
	var envelope struct{ Msg *string }
	if json.Unmarshal(body, &envelope) != nil || envelope.Msg == nil {
		return fmt.Errorf("what answers at --admin %s is not signal-server", c.Admin)
	}
	if response.StatusCode != http.StatusOK || *envelope.Msg != "" {
		return fmt.Errorf("not healthy: %s says %d %s", path, response.StatusCode, *envelope.Msg)
	}
	return nil
}

// adminOf returns where to reach a listener of this address from the same machine.
func adminOf(listen string) (network, address string, err error) {
	if path, ok := strings.CutPrefix(listen, "unix:"); ok {
		return "unix", path, nil
	}
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return "", "", fmt.Errorf("--admin is %q, must be host:port or unix:/path", listen)
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return "tcp", net.JoinHostPort(host, port), nil
}
