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

// commands is the command line. Each flag is also an environment variable: SIGNAL_ and its name in capitals, - as _; those of bridge begin
// with SIGNAL_BRIDGE_, because it has other things to say of listen and server.
type commands struct {
	LogFormat string           `group:"Log and pages" enum:"auto,text,json" default:"auto" help:"text, json, or auto: text that on a terminal begins for people."`
	Version   kong.VersionFlag `group:"Flags that are no variables" env:"-" help:"Print the version; exit."`

	Serve       settings           `cmd:"" default:"withargs" help:"Serve the signaling API. No command at all does so, too."`
	Bridge      bridgeCommand      `cmd:"" help:"Let an unmodified pion-to-pion program use a server."`
	Healthcheck healthcheckCommand `cmd:"" help:"Ask a server on this machine how it is; the exit status tells."`
	Token       tokenCommand       `cmd:"" help:"Make a token, and its line for the server's file of tokens."`

	env environment
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
		c.env.checkNames(parsed.Model.Node, bridgePrefix)
		warnOfModes(log, parsed.Flags())
		return c.env.placed(parsed, c.Bridge.run(ctx, log, wrong))
	case "token":
		return c.Token.run(os.Stdout, wrong)
	case "healthcheck":
		return c.env.placed(parsed, c.Healthcheck.run(ctx, wrong))
	default:
		c.env.checkNames(parsed.Model.Node, variablePrefix)
		if err := c.env.apply(); err != nil {
			return err
		}
		if c.Serve.PrintConfig && len(wrong) == 0 {
			return printConfig(os.Stdout, parsed.Flags())
		}
		warnOfModes(log, parsed.Flags())
		return c.env.placed(parsed, c.Serve.run(ctx, log, forPeople(c.LogFormat), wrong, flag.NamesOf(parsed.Flags())))
	}
}

// parse reads the arguments, and the environment, into c. Values that are wrong are collected, so that all of them can be told; the
// error is about what is no command line at all.
func (c *commands) parse(args []string, wrong *flag.Mistakes, options ...kong.Option) (*kong.Context, error) {
	c.env.wrong = wrong
	options = append(options,
		kong.Name("signal-server"),
		kong.Description("An HTTP signaling server for WebRTC. These are the flags by which it serves; other commands stand below."),
		kong.PostBuild(namesOfBridge),
		kong.DefaultEnvars(strings.TrimSuffix(variablePrefix, "_")),
		kong.Vars{"version": ownVersion()},
		kong.Help(printHelp),
		kong.ValueFormatter(func(v *kong.Value) string { return v.Help }), // the variables are told once
		kong.Bind(&c.env),
	)
	parser, err := kong.New(c, append(options, wrong.Options(textTypes...)...)...)
	if err != nil {
		return nil, fmt.Errorf("BUG: the command line: %w", err)
	}
	if args, err = worded(args, parser.Model.Node); err != nil {
		return nil, err
	}
	return parser.Parse(args)
}

// bridgePrefix begins the names of the variables that set flags of bridge.
const bridgePrefix = variablePrefix + "BRIDGE_"

// namesOfBridge names these variables, which kong would name as those of the server.
func namesOfBridge(k *kong.Kong) error {
	bridge := commandNamed(k.Model.Node, "bridge")
	bridge.Detail = "Each flag is an environment variable, too: --listen is " + bridgePrefix + "LISTEN."
	for _, f := range bridge.Flags {
		if f.Name != "help" && len(f.Envs) == 0 {
			f.Envs = []string{bridgePrefix + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))}
			f.Value.Tag.Envs = f.Envs
		}
	}
	return nil
}

func handler(format string) slog.Handler {
	if format == logJSON {
		return slog.NewJSONHandler(os.Stderr, nil)
	}
	return slog.NewTextHandler(os.Stderr, nil)
}
