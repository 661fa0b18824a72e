package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"

	"github.com/alecthomas/kong"
	"golang.org/x/sync/errgroup"

	"signal-server/app"
	"signal-server/app/certificate"
	"signal-server/app/gate/auth"
	"signal-server/app/gate/limit"
	"signal-server/app/watch/accesslog"
	"signal-server/cache"
	"signal-server/cache/memory"
	"signal-server/cache/redis"
)

func (c *serve) run(ctx context.Context, log *slog.Logger, wrong mistakes, flags []*kong.Flag) error {
	hangup, stop := hangups()
	defer stop()
	config, err := c.config()
	places, wrongPlaces := c.places()
	wrong = append(wrong, err, config.Validate(), c.checkStore(config.Limits), wrongPlaces)
	tickets := c.tickets(&wrong, flags)
	config.Tickets = tickets
	var source certificate.Source
	if wrong.valid(flags, &c.Certificate) {
		source, err = certificate.Open(c.Certificate, log)
		wrong = append(wrong, err)
	}
	access := c.accessLog(&wrong, flags, log)
	var guard *auth.Guard
	if wrong.valid(flags, &c.Auth) {
		guard, err = auth.Open(ctx, c.Auth, log)
		wrong = append(wrong, err)
	}
	if err := errors.Join(wrong...); err != nil {
		return err
	}
	defer guard.Close()
	defer access.Close()
	config.Guard, config.Access = guard, access
	if c.CheckConfig {
		return nil
	}
	store, err := c.open(ctx, config.Limits)
	if err != nil {
		return err
	}
	defer store.Close()

	sockets, err := c.listen(places, source, log)
	if err != nil {
		return err
	}
	defer sockets.close()

	beside, end := context.WithCancel(context.Background())
	var running sync.WaitGroup
	parts := map[string]reloadable{"tokens and keys": guard}
	if source != nil {
		parts["certificates"] = source
		running.Go(func() { source.Run(beside) })
	}
	if tickets != nil {
		parts["secrets of role tickets"] = tickets
	}
	running.Go(func() { reloadOn(beside, hangup, log, parts) })
	defer running.Wait()
	defer end()
	return c.serve(ctx, config, store, sockets, log)
}

// accessLog returns where requests are logged to, among the other lines, or nil if nowhere or something is wrong with it.
func (c *serve) accessLog(wrong *mistakes, flags []*kong.Flag, log *slog.Logger) *accesslog.Log {
	if !wrong.valid(flags, &c.AccessLog) {
		return nil
	}
	access, err := accesslog.New(c.AccessLog, log.Handler())
	if err != nil {
		*wrong = append(*wrong, fmt.Errorf("--access-log-salt-file: %w", err))
	}
	return access
}

const inMemory = "memory"

// checkStore returns what is wrong with where sessions are to be kept, as far as that can be told without reaching it.
func (c *serve) checkStore(limits cache.Limits) error {
	var errs []error
	if c.Memory < memory.MinMemory {
		errs = append(errs, fmt.Errorf("--memory is %d bytes, must be %d or more", c.Memory, memory.MinMemory))
	}
	switch {
	case c.Store == inMemory:
	case strings.HasPrefix(c.Store, "redis") && strings.Contains(c.Store, "://"):
		if err := redis.Check(c.Store, limits); err != nil {
			errs = append(errs, fmt.Errorf("--store: %w", err))
		}
	default:
		errs = append(errs, fmt.Errorf("--store is %q, must be memory or the URL of a Redis", kindOf(c.Store)))
	}
	return errors.Join(errs...)
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

// serve serves over the store until ctx ends.
func (c *serve) serve(ctx context.Context, config app.Config, store cache.Store, sockets sockets, log *slog.Logger) error {
	server, err := app.New(config, store, log)
	if err != nil {
		return err
	}
	sockets.log(log, "store", kindOf(c.Store), "memory", c.Memory.String())
	defer log.Info("stopped")
	notify(log, stateReady)
	serving, ctx := errgroup.WithContext(ctx)
	context.AfterFunc(ctx, func() { notify(log, stateStopping) })
	serving.Go(func() error { return server.Serve(ctx, sockets.api, sockets.admin) })
	if sockets.plain != nil {
		serving.Go(func() error { return server.ServePlain(ctx, sockets.plain, sockets.says) })
	}
	return serving.Wait()
}

func (c *serve) config() (app.Config, error) {
	config := app.DefaultConfig()
	config.Limits.TTL = c.TTL
	config.Limits.Lifetime = c.Lifetime
	config.Limits.Candidates = c.MaxCandidates
	config.Limits.SessionBytes = int(c.MaxSession)
	config.SDPBytes = int(c.MaxSDP)
	config.CandidateBytes = int(c.MaxCandidate)
	config.BodyBytes = int(c.MaxBody)
	config.MaxWait = c.Wait
	config.HSTS = c.HSTS
	config.AllowOrigins = c.AllowOrigins
	config.ReadTimeout = c.ReadTimeout
	config.IdleTimeout = c.IdleTimeout
	config.ShutdownDelay = c.ShutdownDelay
	config.Drain = c.Drain
	config.Clients = c.Clients
	config.MaxWaits = c.MaxWaits
	config.MaxConnections = c.MaxConnections
	config.Version = ownVersion()
	proxies, err := limit.ParseProxies(c.Clients.TrustedProxies)
	if err != nil {
		return config, fmt.Errorf("--trusted-proxies %w", err)
	}
	config.Proxies = proxies
	return config, nil
}
