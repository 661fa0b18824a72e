package app

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
)

// reloadable is a part that reads its files again at SIGHUP. A Reload that fails changes nothing.
type reloadable interface{ Reload() error }

// hangups returns a channel that receives SIGHUP. From then on SIGHUP no longer kills the process; one that arrives early is kept.
// After stop it kills again.
func hangups() (hangup chan os.Signal, stop func()) {
	hangup = make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	return hangup, func() { signal.Stop(hangup) }
}

// reloadOn reads the parts again at each hangup until ctx ends. The caller waits for it.
func reloadOn(ctx context.Context, hangup <-chan os.Signal, log *slog.Logger, parts map[string]reloadable) {
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
