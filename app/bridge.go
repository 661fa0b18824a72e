package app

import (
	"context"
	"errors"
	"log/slog"

	"signal-server/app/flag"
	"signal-server/client"
	"signal-server/client/bridge"
)

// bridgeCommand lets a program that knows no server meet its peer through one.
type bridgeCommand struct {
	Server  string `required:"" help:"URL of the signaling server." placeholder:"URL"`
	Key     string `required:"" help:"The key that the two sides share."`
	Role    string `required:"" help:"Which program is on this side: offer or answer."`
	Listen  string `required:"" help:"Address to listen on, where the local program posts to, as host:port."`
	Forward string `required:"" help:"Address where the local program listens, as host:port."`
}

func (c *bridgeCommand) run(ctx context.Context, log *slog.Logger, wrong flag.Mistakes) error {
	if err := errors.Join(wrong...); err != nil {
		return err
	}
	return bridge.Run(ctx, bridge.Config{
		Server: c.Server, Key: c.Key, Role: client.Role(c.Role), Listen: c.Listen, Forward: c.Forward, Logger: log,
	})
}
