package main

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
)

// measureRelayed measures what relayed packets cost both versions, and the other one twice: what it differs by from itself is what the ratio may be
// wrong by.
func measureRelayed(ctx context.Context, b *bench) error {
	if !hasTURN(ctx, b.other) {
		b.report.add(table{title: "Relayed packets of two versions", text: "Not measured: the other version has no --turn."})
		return nil
	}
	var candidates [3]candidate
	for i, program := range [...]string{b.server, b.other, b.other} {
		var err error
		if candidates[i], err = b.relaying([...]string{"this version", "the other version", "the other version, again"}[i], program); err != nil {
			return err
		}
	}
	t := table{
		title: "Relayed packets of two versions",
		text: fmt.Sprintf("CPU time of the server's process for a Mbit of payload that was delivered, between %d clients in pairs, over %v at a steady pace. "+
			"The control is the other version ÷ itself.", relayClients, b.size.relaying),
		columns: []string{"pace", "this, ms", "the other, ms", "ratio", "control", "this, lost %", "the other, lost %"},
	}
	for i, pace := range paces {
		b.progress.rowBegins(pace.name, i+1, len(paces))
		var cpu, lost [len(candidates)]series
		err := b.turns(ctx, len(candidates), func(c int) error {
			r, err := relayPackets(ctx, b, candidates[c], pace)
			if err != nil {
				return fmt.Errorf("%s, %s: %w", candidates[c].name, pace.name, err)
			}
			cpu[c], lost[c] = append(cpu[c], r.perMbit()), append(lost[c], r.lost())
			return nil
		})
		if err != nil {
			return err
		}
		t.add(pace.name, cpu[0].span(2), cpu[1].span(2), cpu[0].over(cpu[1]).span(3), cpu[2].over(cpu[1]).span(3), lost[0].span(3), lost[1].span(3))
	}
	b.report.add(t)
	return nil
}

// hasTURN reports whether a signaling server's executable can be a TURN server.
func hasTURN(ctx context.Context, program string) bool {
	out, err := exec.CommandContext(ctx, program, "--help").CombinedOutput()
	return err == nil && strings.Contains(string(out), "--turn ")
}
