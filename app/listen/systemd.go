package listen

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"

	"github.com/coreos/go-systemd/v22/activation"
)

// Passed are the sockets that systemd opened for this process (sd_listen_fds(3)). The caller of Receive owns them, and uses them in one
// goroutine. Close closes those that nobody listens on.
type Passed struct {
	byName map[string][]net.Listener
}

// Receive takes over the sockets, and unsets the variables that name them. It may be called once. Without systemd it returns an empty
// Passed.
func Receive() *Passed {
	byName, _ := activation.ListenersWithNames() // never fails
	return &Passed{byName}
}

// Names returns the names of the sockets that nobody listens on yet, each as often as systemd passed it.
func (p *Passed) Names() []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(p.byName)) {
		for range p.byName[name] {
			names = append(names, name)
		}
	}
	return names
}

// take returns the socket of that name or, if the name is empty, the only socket.
func (p *Passed) take(name string) (net.Listener, error) {
	if p == nil || len(p.byName) == 0 {
		return nil, errors.New("listen systemd: no socket was passed; a .socket unit has it started with one")
	}
	names := p.Names()
	if name == "" {
		if len(names) > 1 {
			return nil, fmt.Errorf("listen systemd: %d sockets were passed (%s), systemd:NAME says which", len(names), strings.Join(names, ", "))
		}
		name = names[0]
	}
	switch of := p.byName[name]; len(of) {
	case 0:
		return nil, fmt.Errorf("listen systemd: no socket %q was passed (but %s)", name, strings.Join(names, ", "))
	case 1:
		delete(p.byName, name)
		return of[0], nil
	default:
		return nil, fmt.Errorf("listen systemd: %d sockets %q were passed, must be one of that name", len(of), name)
	}
}

// Close closes the sockets that nobody listens on.
func (p *Passed) Close() {
	for _, of := range p.byName {
		for _, l := range of {
			l.Close()
		}
	}
	clear(p.byName)
}
