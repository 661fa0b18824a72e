// Command signal-server is an HTTP signaling server for WebRTC: two peers that share a key exchange an offer, an answer and
// trickled ICE candidates through it, and then talk directly.
//
// This file is wiring only: flags and environment become an app.Config, a store and an app.Server.
//
//	@title			signal-server
//	@version		1.0
//	@description	An HTTP signaling server for WebRTC. Two peers share a random key; through it they exchange an offer, an answer and
//	@description	trickled ICE candidates. Every answer is `{"msg":"","data":null}`: an empty msg means that the request produced
//	@description	what was asked for; otherwise msg is one of the fixed texts that the README lists.
//	@license.name	MIT
//	@BasePath		/
//	@tag.name		messages
//	@tag.description	One request each way, nothing lost
//	@tag.name		classic
//	@tag.description	One payload a request; what is taken is gone
//	@tag.name		operation
//	@tag.description	Health, and how connections ended
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"signal-server/app/gate/limit"
	"signal-server/app/listen"
	"signal-server/app/watch/accesslog"
	"signal-server/client"
	"signal-server/client/bridge"
)

// cli is the command line. Each flag is also an environment variable: SIGNAL_ and its name in capitals, - as _.
type cli struct {
	LogFormat string           `enum:"text,json" default:"text" help:"How log lines look: text or json."`
	Version   kong.VersionFlag `env:"-" help:"Print the version, and exit."`

	Serve       serve          `cmd:"" default:"withargs" help:"Serve the signaling API. This is what happens without a command."`
	Bridge      bridgeCmd      `cmd:"" help:"Let an unmodified pion-to-pion program meet its peer through a server."`
	Healthcheck healthcheckCmd `cmd:"" help:"Ask a server on this machine whether it is alive; the exit status tells."`
	Token       tokenCmd       `cmd:"" help:"Make a token: print it, and append its line, which is what the server needs, to a tokens file."`
}

type bridgeCmd struct {
	Server  string `required:"" help:"URL of the signaling server." placeholder:"URL"`
	Key     string `required:"" help:"The key that the two sides share."`
	Role    string `required:"" help:"Which program is on this side: offer or answer."`
	Listen  string `required:"" help:"Address to listen on, where the local program posts to, as host:port."`
	Forward string `required:"" help:"Address where the local program listens, as host:port."`
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		for line := range strings.Lines(err.Error()) {
			fmt.Fprintln(os.Stderr, "signal-server: error:", strings.TrimSpace(line))
		}
		os.Exit(1)
	}
}

func run(args []string) error {
	var c cli
	var wrong mistakes
	parsed, err := c.parse(args, &wrong)
	if err != nil {
		return errors.Join(append(wrong, err)...)
	}
	log := slog.New(handler(c.LogFormat))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // the second signal does what signals do: whoever sends it does not want to wait
	switch command, _, _ := strings.Cut(parsed.Command(), " "); command {
	case "bridge":
		return c.Bridge.run(ctx, log, wrong)
	case "token":
		return c.Token.run(os.Stdout, wrong)
	case "healthcheck":
		return c.Healthcheck.run(ctx, wrong)
	default:
		if c.Serve.PrintConfig && len(wrong) == 0 {
			return printConfig(os.Stdout, parsed.Flags())
		}
		return c.Serve.run(ctx, log, wrong, parsed.Flags())
	}
}

// parse reads the arguments, and the environment, into c. Values that are wrong are collected, so that all of them can be told; the
// error is about what is no command line at all.
func (c *cli) parse(args []string, wrong *mistakes, options ...kong.Option) (*kong.Context, error) {
	options = append(options,
		kong.Name("signal-server"),
		kong.Description("An HTTP signaling server for WebRTC. Every flag is also an environment variable: SIGNAL_LISTEN and so on."),
		kong.DefaultEnvars("SIGNAL"),
		kong.Vars{"version": ownVersion()},
		wrong.durations(), wrong.ints(), wrong.bytes(),
		texts[limit.Rate](wrong), texts[listen.Mode](wrong), texts[accesslog.Share](wrong),
	)
	parser, err := kong.New(c, options...)
	if err != nil {
		return nil, fmt.Errorf("BUG: the command line: %w", err)
	}
	return parser.Parse(args)
}

func handler(format string) slog.Handler {
	if format == "json" {
		return slog.NewJSONHandler(os.Stderr, nil)
	}
	return slog.NewTextHandler(os.Stderr, nil)
}

func (c *bridgeCmd) run(ctx context.Context, log *slog.Logger, wrong mistakes) error {
	if err := errors.Join(wrong...); err != nil {
		return err
	}
	return bridge.Run(ctx, bridge.Config{
		Server: c.Server, Key: c.Key, Role: client.Role(c.Role), Listen: c.Listen, Forward: c.Forward, Logger: log,
	})
}
