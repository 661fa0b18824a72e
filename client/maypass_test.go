package client_test

import (
	"context"
	"testing"

	"signal-server/client"
	"signal-server/custerrors"
)

func TestMayPass(t *testing.T) {
	for name, c := range map[string]struct {
		answer step
		want   bool
	}{
		"no answer":       {step{}, true},
		"overloaded":      {refusal(503, custerrors.ServerIsOverloaded), true},
		"a proxy alone":   {step{status: 502, body: "<html>"}, true},
		"a broken answer": {step{status: 200, body: `{"msg":…`}, true},
		"a full queue":    {refusal(429, custerrors.QueueIsFull), false},
		"an unknown path": {refusal(404, custerrors.RouteNotFound), false},
		"no token":        {unknownToken, false},
		"nothing yet":     {refusal(200, custerrors.SdpNoValues), false},
	} {
		t.Run(name, func(t *testing.T) {
			play(t, client.Offer, []step{c.answer}, func(t *testing.T, s *client.Session, _ *script) {
				_, err := s.Messages(t.Context(), "", 0)
				if got := client.MayPass(err); err == nil || got != c.want {
					t.Errorf("%v: got %v, want %v", err, got, c.want)
				}
			}, client.WithRetry(client.NoRetry))
		})
	}
	if client.MayPass(nil) || client.MayPass(context.Canceled) {
		t.Error("got that no error, and the end of a context, may pass, want only what the server says or does not")
	}
}
