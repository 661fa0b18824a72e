package main

import (
	"errors"
	"fmt"

	"github.com/alecthomas/kong"

	"signal-server/app/gate/ticket"
)

// tickets returns what makes role tickets, or nil if roles have none or something is wrong with them.
func (c *serve) tickets(wrong *mistakes, flags []*kong.Flag) *ticket.Issuer {
	if !wrong.valid(flags, &c.Tickets) {
		return nil
	}
	if c.Tickets.RoleTickets && c.Tickets.SecretFile == "" && c.Store != inMemory {
		*wrong = append(*wrong, errors.New("--role-tickets needs --role-tickets-secret-file where --store is a Redis: other nodes are to know the tickets"))
		return nil
	}
	tickets, err := ticket.Open(c.Tickets)
	if err != nil {
		*wrong = append(*wrong, fmt.Errorf("--role-tickets-secret-file: %w", err))
	}
	return tickets
}
