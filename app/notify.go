package app

import (
	"log/slog"

	"github.com/coreos/go-systemd/v22/daemon"
)

// The states of sd_notify(3), for units of Type=notify and notify-reload. Where nobody asks to be told, telling does nothing.
const (
	stateReady    = daemon.SdNotifyReady
	stateStopping = daemon.SdNotifyStopping
)

// stateReloading returns the state that says so and carries the time at which it was said, as sd_notify(3) asks.
func stateReloading() string { return daemon.SdNotifyReloading + "\n" + daemon.SdNotifyMonotonicUsec() }

// notify tells the service manager.
func notify(log *slog.Logger, state string) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		log.Warn("the service manager could not be told", "what", state, "error", err)
	}
}
