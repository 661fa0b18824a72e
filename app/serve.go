package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"

	"signal-server/app/certificate"
	"signal-server/app/flag"
	"signal-server/app/gate"
	"signal-server/app/gate/auth"
	"signal-server/app/gate/limit"
	"signal-server/app/gate/ticket"
	"signal-server/app/iceserver"
	"signal-server/app/pages"
	"signal-server/app/server"
	"signal-server/app/watch"
	"signal-server/app/watch/accesslog"
	"signal-server/app/watch/metrics"
	"signal-server/app/wire"
	"signal-server/app/wire/call"
	"signal-server/app/wire/ice"
	"signal-server/cache"
)

// parts are what needs files or keys. Any of them may be nil: there is none.
type parts struct {
	guard   *auth.Guard
	tickets *ticket.Issuer
	certs   certificate.Source
	access  *accesslog.Log

	ice         iceserver.Source   // servers that other programs run
	turnSecrets *iceserver.Secrets // of the one that this program runs
}

// run serves until ctx ends. People, if there are any, are told where in their own words, in place of the log. wrong is what is wrong with the
// command line already.
func (s *settings) run(ctx context.Context, log *slog.Logger, people io.Writer, wrong flag.Mistakes, names flag.Names) error {
	hangup, stop := hangups()
	defer stop()
	s.readStore(&wrong, names)
	s.validate(&wrong, names)
	places := s.places(&wrong)
	p := s.open(ctx, log, &wrong, names)
	if err := errors.Join(wrong...); err != nil {
		return err
	}
	defer p.guard.Close()
	defer p.access.Close()
	if s.CheckConfig {
		return nil
	}
	store, err := s.openStore(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	sockets, err := s.openSockets(places, p.certs, log)
	if err != nil {
		return err
	}
	defer sockets.close()
	if err := s.openRelay(&sockets, p, log); err != nil {
		return err
	}

	beside, end := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { reloadOn(beside, hangup, log, p.reloadable()) })
	if p.certs != nil {
		running.Go(func() { p.certs.Run(beside) })
	}
	defer running.Wait()
	defer end()
	return s.serve(ctx, p, store, sockets, log, people)
}

// open opens the parts that need files or keys. It collects what is wrong with their settings, and with what these name.
func (s *settings) open(ctx context.Context, log *slog.Logger, wrong *flag.Mistakes, names flag.Names) (p parts) {
	var err error
	if wrong.Valid(names, &s.Tickets) && s.mayShareTickets(wrong, names) {
		p.tickets, err = ticket.Open(s.Tickets)
		wrong.Add(named("--role-tickets-secret-file", err))
	}
	if wrong.Valid(names, &s.Certificate) {
		p.certs, err = certificate.Open(s.Certificate, log)
		wrong.Add(err)
	}
	if wrong.Valid(names, &s.Access) {
		p.access, err = accesslog.New(s.Access, log.Handler())
		wrong.Add(named("--access-log-salt-file", err))
	}
	if told := flag.Mistakes(nil); told.Valid(names, &s.ICE) { // validate has told what is wrong
		p.ice, err = s.ICE.Source()
		file := "--ice-secret-file"
		if s.ICE.PasswordFile != "" {
			file = "--ice-password-file"
		}
		wrong.Add(named(file, err))
	}
	if s.Turn.On {
		p.turnSecrets, err = iceserver.OpenSecrets(s.Turn.SecretFile)
		wrong.Add(named("--turn-secret-file", err))
	}
	if wrong.Valid(names, &s.Auth) {
		p.guard, err = auth.Open(ctx, s.Auth, log)
		wrong.Add(err)
	}
	return p
}

// mayShareTickets collects that other nodes would not know the tickets that this one makes, and reports whether they would.
func (s *settings) mayShareTickets(wrong *flag.Mistakes, names flag.Names) bool {
	if !s.Tickets.RoleTickets || s.Tickets.SecretFile != "" || s.Store == inMemory {
		return true
	}
	wrong.Wrong(names, &s.Tickets.RoleTickets, "needs %v where %v is a Redis: other nodes are to know the tickets", &s.Tickets.SecretFile, &s.Store)
	return false
}

// named puts the name of a setting before an error of what it names.
func named(name string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", name, err)
}

// reloadable returns the parts that SIGHUP has read again, by what they are for people.
func (p *parts) reloadable() map[string]reloadable {
	all := map[string]reloadable{"tokens and keys": p.guard}
	if p.certs != nil {
		all["certificates"] = p.certs
	}
	if p.tickets != nil {
		all["secrets of role tickets"] = p.tickets
	}
	if p.ice.Secrets != nil {
		all["secrets of ICE servers"] = p.ice.Secrets
	}
	if p.turnSecrets != nil {
		all["secrets of TURN"] = p.turnSecrets
	}
	return all
}

// wires are the protocols that this program speaks. A new one is added here.
func (s *settings) wires(servers *iceserver.List) []wire.Wire {
	all := []wire.Wire{call.New(s.Call, s.Limits), ice.New(s.Lists, servers)}
	if s.Pages.Pages == pages.On {
		all = append(all, pages.New(ownVersion()))
	}
	return all
}

// ownNames are what this server is called.
func (s *settings) ownNames() []string {
	if len(s.Gate.OwnNames) > 0 {
		return s.Gate.OwnNames
	}
	return s.Certificate.Names()
}

// newServer puts the parts together.
func (s *settings) newServer(p parts, store cache.Store, on sockets, log *slog.Logger) (*server.Server, error) {
	proxies, err := limit.ParseProxies(s.Clients.TrustedProxies)
	if err != nil {
		return nil, fmt.Errorf("BUG: validated before: %w", err)
	}
	who := s.Gate
	who.OwnNames = s.ownNames()
	var more []metrics.Source
	if on.turn != nil {
		more = append(more, on.turn)
	}
	return server.New(server.Parts{
		Config: s.Server, More: more, Link: s.Link, Wire: s.Wire,
		Gate: gate.New(who, gate.Parts{
			Guard: p.guard, Limiter: limit.New(s.Clients), Proxies: proxies, Tickets: p.tickets,
		}),
		Watch: watch.New(ownVersion(), p.access, log),
		Store: store, Limits: s.Limits,
		Wires: s.wires(on.servers),
	})
}

// serve serves over the store until ctx ends.
func (s *settings) serve(ctx context.Context, p parts, store cache.Store, sockets sockets, log *slog.Logger, people io.Writer) error {
	server, err := s.newServer(p, store, sockets, log)
	if err != nil {
		return err
	}
	if people != nil {
		if err := s.greet(people, sockets, p); err != nil {
			return err
		}
	}
	s.warnOfStrangers(log, p, sockets.API)
	s.warnOfRelays(log, p, sockets.turn)
	if people == nil {
		sockets.log(log, "store", kindOf(s.Store), "memory", flag.FormatBytes(s.Memory.Memory))
	}
	defer log.Info("stopped")
	notify(log, stateReady)
	told := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(told)
		notify(log, stateStopping)
	})
	err = server.Serve(ctx, sockets.Listeners)
	if stop() { // it ends by itself
		notify(log, stateStopping)
	} else {
		<-told // an idle server ends sooner than that is said
	}
	return err
}
