package main

import (
	"errors"

	"signal-server/app/gate/ticket"
)

// tickets returns who makes role tickets, or nil if roles have none.
func (c *serve) tickets() (*ticket.Issuer, error) {
	switch {
	case !c.RoleTickets && c.RoleTicketsSecretFile != "":
		return nil, errors.New("--role-tickets-secret-file is for --role-tickets")
	case !c.RoleTickets:
		return nil, nil
	case c.RoleTicketsSecretFile != "":
		return ticket.Open(c.RoleTicketsSecretFile)
	case c.Store != inMemory:
		return nil, errors.New("--role-tickets needs --role-tickets-secret-file where --store is a Redis: other nodes are to know the tickets")
	default:
		return ticket.New(), nil
	}
}
