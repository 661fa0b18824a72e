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
//	@tag.description	Health
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"signal-server/app"
	"signal-server/cache"
	"signal-server/cache/memory"
	"signal-server/cache/redis"
	"signal-server/client"
	"signal-server/client/bridge"
)

// cli is the command line. Each flag is also an environment variable: SIGNAL_ and its name in capitals, - as _.
type cli struct {
	LogFormat string `enum:"text,json" default:"text" help:"How log lines look: text or json."`

	Serve  serve     `cmd:"" default:"withargs" help:"Serve the signaling API. This is what happens without a command."`
	Bridge bridgeCmd `cmd:"" help:"Let an unmodified pion-to-pion program meet its peer through a server."`
}

type serve struct {
	Listen string `default:":8080" help:"Address to serve the API on, as host:port."`
	Admin  string `default:"127.0.0.1:9090" help:"Address to serve health on for operators, as host:port; empty: none."`

	Store  string `default:"memory" help:"Where sessions are kept: memory, or the URL of a Redis or Valkey (redis, rediss, redis-sentinel, redis-cluster)."`
	Memory bytes  `default:"1GiB" help:"Memory for sessions; when it is used up no new session is taken."`

	TTL      time.Duration `default:"30s" help:"How long a session lives without a request, at the most and by default."`
	Lifetime time.Duration `default:"5m" help:"How long a session lives at the most."`
	Wait     time.Duration `default:"30s" help:"How long a request may wait, at the most."`

	MaxSDP        bytes `default:"64KiB" name:"max-sdp" help:"Size of an sdp, at the most."`
	MaxCandidate  bytes `default:"4KiB" help:"Size of a candidate, at the most."`
	MaxCandidates int   `default:"128" help:"Candidates of one role of a session, at the most."`
	MaxSession    bytes `default:"256KiB" help:"Size of all payloads of a session, at the most."`
	MaxBody       bytes `default:"256KiB" help:"Size of a request's body, at the most."`
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
	parser, err := kong.New(&c,
		kong.Name("signal-server"),
		kong.Description("An HTTP signaling server for WebRTC. Every flag is also an environment variable: SIGNAL_LISTEN and so on."),
		kong.DefaultEnvars("SIGNAL"),
		wrong.durations(), wrong.ints(), wrong.bytes(),
	)
	if err != nil {
		return fmt.Errorf("BUG: the command line: %w", err)
	}
	parsed, err := parser.Parse(args)
	if err != nil {
		return errors.Join(append(wrong, err)...)
	}
	log := slog.New(handler(c.LogFormat))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if strings.HasPrefix(parsed.Command(), "bridge") {
		return c.Bridge.run(ctx, log, wrong)
	}
	return c.Serve.run(ctx, log, wrong)
}

func handler(format string) slog.Handler {
	if format == "json" {
		return slog.NewJSONHandler(os.Stderr, nil)
	}
	return slog.NewTextHandler(os.Stderr, nil)
}

func (c *serve) run(ctx context.Context, log *slog.Logger, wrong mistakes) error {
	config := c.config()
	wrong = append(wrong, config.Validate())
	if c.Memory < memory.MinMemory {
		wrong = append(wrong, fmt.Errorf("--memory is %d bytes, must be %d or more", c.Memory, memory.MinMemory))
	}
	if c.Store != inMemory && !inRedis(c.Store) {
		wrong = append(wrong, fmt.Errorf("--store is %q, must be memory or the URL of a Redis", kindOf(c.Store)))
	}
	if err := errors.Join(wrong...); err != nil {
		return err
	}
	store, err := c.open(ctx, config.Limits)
	if err != nil {
		return err
	}
	defer store.Close()
	return serveStore(ctx, c, config, store, log)
}

const inMemory = "memory"

// inRedis reports whether --store is a URL that package redis knows.
func inRedis(store string) bool {
	return strings.HasPrefix(store, "redis") && strings.Contains(store, "://")
}

// kindOf is --store for people to read: of a URL, which may hold a password, the scheme.
func kindOf(store string) string {
	kind, _, _ := strings.Cut(store, "://")
	return kind
}

func (c *serve) open(ctx context.Context, limits cache.Limits) (cache.Store, error) {
	if c.Store == inMemory {
		return memory.New(memory.Config{Limits: limits, Memory: int64(c.Memory)})
	}
	store, err := redis.Open(ctx, c.Store, limits)
	if err != nil {
		return nil, fmt.Errorf("--store: %w", err)
	}
	return store, nil
}

func serveStore(ctx context.Context, c *serve, config app.Config, store cache.Store, log *slog.Logger) error {
	server, err := app.New(config, store, log)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return err
	}
	var admin net.Listener
	if c.Admin != "" {
		if admin, err = net.Listen("tcp", c.Admin); err != nil {
			listener.Close()
			return err
		}
		log.Info("serving health for operators", "address", admin.Addr().String())
	}
	log.Info("serving", "address", listener.Addr().String(), "store", kindOf(c.Store), "memory", c.Memory.String())
	defer log.Info("stopped")
	return server.Serve(ctx, listener, admin)
}

func (c *serve) config() app.Config {
	config := app.DefaultConfig()
	config.Limits.TTL = c.TTL
	config.Limits.Lifetime = c.Lifetime
	config.Limits.Candidates = c.MaxCandidates
	config.Limits.SessionBytes = int(c.MaxSession)
	config.SDPBytes = int(c.MaxSDP)
	config.CandidateBytes = int(c.MaxCandidate)
	config.BodyBytes = int(c.MaxBody)
	config.MaxWait = c.Wait
	return config
}

func (c *bridgeCmd) run(ctx context.Context, log *slog.Logger, wrong mistakes) error {
	if err := errors.Join(wrong...); err != nil {
		return err
	}
	return bridge.Run(ctx, bridge.Config{
		Server: c.Server, Key: c.Key, Role: client.Role(c.Role), Listen: c.Listen, Forward: c.Forward, Logger: log,
	})
}
