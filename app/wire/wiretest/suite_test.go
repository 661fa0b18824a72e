package wiretest

import (
	"net/http"
	"testing"

	"go.uber.org/goleak"

	"signal-server/app/apptest"
	"signal-server/app/wire"
	"signal-server/cache"
	"signal-server/cache/memory"
	"signal-server/custerrors"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, ignoreSleepers, ignoreDate) }

// newStore returns the embedded store.
func newStore(t testing.TB, limits cache.Limits) cache.Store {
	t.Helper()
	store, err := memory.New(memory.Config{Limits: limits, Memory: 8 << 20})
	if err != nil {
		t.Fatalf("memory.New: got %v, want a store", err)
	}
	return store
}

// echoes returns the harness of an echo.
func echoes(w wire.Wire) Harness {
	ask := func(method, path, body string, role cache.Role) func(Who) Request {
		return func(w Who) Request {
			r := Request{Method: method, Path: "/echo/" + w.Key + "/" + role.String() + path}
			if body != "" {
				r.Body = body + w.Payload
			}
			if w.Token != "" {
				r.Header = append(r.Header, [2]string{"Authorization", "Bearer " + w.Token})
			}
			if w.Ticket != "" {
				r.Header = append(r.Header, [2]string{ticketOf[role], w.Ticket})
			}
			return r
		}
	}
	h := Harness{
		Wire:     func(apptest.Config) wire.Wire { return w },
		NewStore: newStore,
		Refusal: func(msg custerrors.Error) Form {
			status := msg.Status()
			switch msg {
			case custerrors.KeyNotFound, custerrors.SdpNoValues, custerrors.CandidateNoValues:
				status = http.StatusNotFound
			case custerrors.SdpAlreadyExist:
				status = http.StatusConflict
			}
			return Form{status, "text/plain", "sorry: " + msg.Name() + "\n"}
		},
		Opens:   ask(http.MethodPut, "", "I am ", cache.Offer),
		Asks:    ask(http.MethodGet, "", "", cache.Answer),
		Nothing: custerrors.CandidateNoValues,
		Waits:   &Waits{Ask: ask(http.MethodGet, "?wait=30", "", cache.Answer)},
		Streams: &Streams{Ask: ask(http.MethodGet, "/live", "", cache.Answer), Status: http.StatusOK, End: "sorry: ServerIsShuttingDown\n"},
		Tells:   ask(http.MethodPost, "", "I say ", cache.Offer),
	}
	for _, role := range cache.Roles {
		h.Seats = append(h.Seats, Seat{
			Role:   role,
			Take:   ask(http.MethodPut, "", "I am ", role),
			Ticket: func(a Answer) string { return a.Header.Get(ticketOf[role]) },
			Act:    ask(http.MethodPost, "", "I say ", role),
		})
	}
	return h
}

var ticketOf = map[cache.Role]string{cache.Offer: "X-Offer-Ticket", cache.Answer: "X-Answer-Ticket"}

func TestEcho(t *testing.T) { Run(t, echoes(Echo{})) }

// TestEchoWithLess runs the suite on a wire that neither waits nor streams, and has no seats.
func TestEchoWithLess(t *testing.T) {
	h := echoes(Echo{})
	h.Waits, h.Streams, h.Tells, h.Seats = nil, nil, nil, nil
	const why = "they are left out"
	h.NoWaits, h.NoStreams, h.NoSeats = why, why, why
	Run(t, h)
}
