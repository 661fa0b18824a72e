package app

import (
	"errors"
	"fmt"
	"log/slog"
	"syscall"

	"signal-server/app/certificate"
	"signal-server/app/flag"
	"signal-server/app/iceserver"
	"signal-server/app/turn"
)

// checkTurn collects what is wrong with the settings of relays that no part can tell alone.
func (s *settings) checkTurn(wrong *flag.Mistakes, names flag.Names) {
	if !s.Turn.On || len(s.Turn.TLSListen) == 0 {
		return
	}
	if s.Certificate.CertFile == "" && len(s.Certificate.Domains) == 0 {
		wrong.Wrong(names, &s.Turn.TLSListen, "needs a certificate: %v or %v", &s.Certificate.CertFile, &s.Certificate.Domains)
	}
	if s.turnHost() == "" && len(s.Turn.URIs) == 0 {
		wrong.Wrong(names, &s.Turn.TLSListen, "needs %v: a certificate is for a name", &s.Turn.Host)
	}
}

// turnHost returns the name of the TURN server; "": it has none.
func (s *settings) turnHost() string {
	if s.Turn.Host == "" && len(s.Certificate.Domains) > 0 {
		return s.Certificate.Names()[0]
	}
	return s.Turn.Host
}

// turnFlags are what the settings are called that may not fit the machine.
var turnFlags = map[turn.Setting]string{turn.OfListen: "--turn-listen", turn.OfTLSListen: "--turn-tls-listen", turn.OfAddresses: "--turn-address"}

// openTurn opens the TURN server, if there is one.
func (s *settings) openTurn(p parts, log *slog.Logger) (*turn.Server, error) {
	if !s.Turn.On {
		return nil, nil
	}
	c := s.Turn
	c.Host = s.turnHost()
	shared := turn.Parts{Secrets: p.turnSecrets, Log: log}
	if p.certs != nil {
		shared.TLS = certificate.WithoutProtocols(p.certs.Server())
	}
	relay, err := turn.Open(c, shared)
	if wrong, ok := errors.AsType[*turn.OpenError](err); ok {
		err = fmt.Errorf("%w (%s)", err, turnFlags[wrong.Of])
	}
	if errors.Is(err, syscall.EADDRINUSE) {
		err = fmt.Errorf("%w: another program listens there, or this one does for another flag; give another address", err)
	}
	return relay, err
}

// openRelay opens the TURN server's sockets, too, if there is one, and makes the list of ICE servers.
func (s *settings) openRelay(on *sockets, p parts, log *slog.Logger) (err error) {
	if on.turn, err = s.openTurn(p, log); on.turn != nil {
		on.Relay = on.turn
	}
	if err == nil {
		on.servers = s.iceServers(p, on.turn)
	}
	return err
}

// iceServers returns the list of servers that clients are told of.
func (s *settings) iceServers(p parts, relay *turn.Server) *iceserver.List {
	var own iceserver.Source
	if relay != nil {
		own = iceserver.Source{URIs: relay.URIs(), Secrets: p.turnSecrets}
	}
	return iceserver.NewList(s.ICE.TTL, own, p.ice)
}
