package main

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
)

// reloadable is what SIGHUP has read again. A Reload that fails changes nothing.
type reloadable interface{ Reload() error }

// reloadOn reads the parts again at each SIGHUP until ctx ends. The caller waits for it.
func reloadOn(ctx context.Context, log *slog.Logger, parts map[string]reloadable) {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	for {
		select {
		case <-hangup:
		case <-ctx.Done():
			return
		}
		notify(log, stateReloading())
		for name, part := range parts {
			if err := part.Reload(); err != nil {
				log.Error("not read again: what was before goes on", "what", name, "error", err)
			} else {
				log.Info("read again", "what", name)
			}
		}
		notify(log, stateReady)
	}
}
