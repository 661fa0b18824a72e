// Package app is the program: options become parts, and parts run. It alone names stores, wires and listeners, and it alone knows flags
// and the environment.
//
//	arguments ──▶ settings ──▶ parts ──▶ server.Server ──▶ until a signal
//	           kong, flag    gate, watch, link,
//	                         a store, the wires
package app

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

	"signal-server/app/flag"
)

// commands is the command line. Each flag is also an environment variable: SIGNAL_ and its name in capitals, - as _.
type commands struct {
	LogFormat string           `enum:"text,json" default:"text" help:"How log lines look: text or json."`
	Version   kong.VersionFlag `env:"-" help:"Print the version, and exit."`

	Serve       settings           `cmd:"" default:"withargs" help:"Serve the signaling API. This is what happens without a command."`
	Bridge      bridgeCommand      `cmd:"" help:"Let an unmodified pion-to-pion program meet its peer through a server."`
	Healthcheck healthcheckCommand `cmd:"" help:"Ask a server on this machine whether it is alive; the exit status tells."`
	Token       tokenCommand       `cmd:"" help:"Make a token: print it, and append its line, which is what the server needs, to a tokens file."`
}

// Run runs the program with these arguments, without its name, until it has done its work or a signal ends it. It returns the exit status.
// What is wrong it writes to standard error, a line each.
func Run(args []string) (status int) {
	if err := run(args); err != nil {
		for line := range strings.Lines(err.Error()) {
			fmt.Fprintln(os.Stderr, "signal-server: error:", strings.TrimSpace(line))
		}
		return 1
	}
	return 0
}

func run(args []string) error {
	var c commands
	var wrong flag.Mistakes
	parsed, err := c.parse(args, &wrong)
	if err != nil {
		return errors.Join(append(wrong, err)...)
	}
	log := slog.New(handler(c.LogFormat))
	signaled, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, end := context.WithCancel(context.Background())
	defer end()
	context.AfterFunc(signaled, func() {
		stop() // the second signal does what signals do, before anybody sees that the first one has come: its sender does not want to wait
		end()
	})
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
		warnOfModes(log, parsed.Flags())
		return c.Serve.run(ctx, log, wrong, flag.NamesOf(parsed.Flags()))
	}
}

// parse reads the arguments, and the environment, into c. Values that are wrong are collected, so that all of them can be told; the
// error is about what is no command line at all.
func (c *commands) parse(args []string, wrong *flag.Mistakes, options ...kong.Option) (*kong.Context, error) {
	options = append(options,
		kong.Name("signal-server"),
		kong.Description("An HTTP signaling server for WebRTC. Every flag is also an environment variable: SIGNAL_LISTEN and so on."),
		kong.DefaultEnvars("SIGNAL"),
		kong.Vars{"version": ownVersion()},
	)
	parser, err := kong.New(c, append(options, wrong.Options(textTypes...)...)...)
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
