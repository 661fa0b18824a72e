package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"signal-server/cache/text"
)

// validMessages reports whether the body of POST messages is the JSON asked for. It reads it with the server's own reader, as the server does:
// a checker of another make would make the server beside this one slower or faster by what is not the server's doing.
func validMessages(body []byte) bool {
	r := text.NewReader(body)
	for first := r.Begin('{'); r.More(&first, '}'); {
		switch r.Name() {
		case "sdp":
			r.String()
		case "candidates":
			for first := r.Begin('['); r.More(&first, ']'); {
				r.String()
			}
		default:
			r.Skip()
		}
	}
	return r.End() == nil
}

// measureJSONCheck counts what the check of a body of POST messages takes.
func measureJSONCheck(ctx context.Context, b *bench) error {
	body := appendPost(nil, newKey(), "offer")
	t := table{
		title: "The check of JSON",
		text: fmt.Sprintf("Instructions that the reader of this server takes to check the body of a POST of messages, %d B: an sdp of %d B, whose lines end "+
			"in two escapes, and %d candidates. Counted by callgrind.", len(body), offerSDP, candidatesASide),
		columns: []string{"instructions a body", "a byte"},
	}
	if !countsInstructions() {
		t.add(withoutValgrind, "")
		b.report.add(t)
		return nil
	}
	each, err := instructions(ctx, 10_000, func(bodies int) []string { return []string{"jsoncheck", strconv.Itoa(bodies)} })
	if err != nil {
		return err
	}
	aByte := series{each / float64(len(body))}
	t.add(series{each}.span(0), aByte.span(2))
	b.report.add(t)
	b.report.bar("instructions of the JSON check, a byte of POST messages", aByte, 2, 3.5, 0)
	return nil
}

// jsonCheckChild is the child's part: BODIES. It checks so many.
func jsonCheckChild(args []string) error {
	if len(args) != 1 {
		return errors.New("serve jsoncheck BODIES")
	}
	bodies, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	body := appendPost(nil, newKey(), "offer")
	for range bodies {
		if !validMessages(body) {
			return errors.New("the body is not valid")
		}
	}
	return nil
}
