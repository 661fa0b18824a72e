package call_test

import (
	"fmt"
	"net/http"
	"testing"

	"go.uber.org/goleak"

	"signal-server/app/wire/wiretest"
	"signal-server/cache"
	"signal-server/cache/memory"
	"signal-server/custerrors"
)

func TestMain(m *testing.M) {
	// What fasthttp leaves behind: the first sleeps on for up to 10 s after the end, the second never ends.
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"))
}

// TestWire runs the suite on each way in which the wire lets a client wait.
func TestWire(t *testing.T) {
	taking, reading := harness(), harness()
	taking.Opens = asks("POST /offer/sdp", cache.Offer, `{"data":"%s"}`)
	taking.Asks, taking.Nothing = asks("GET /answer/candidates", cache.Answer, ""), custerrors.CandidateNoValues
	taking.Waits = &wiretest.Waits{Ask: asks("GET /answer/candidates?wait=30", cache.Answer, "")}
	taking.Tells = asks("POST /offer/candidate", cache.Offer, "%s")
	taking.Streams.Ask = asks("GET /answer/events", cache.Answer, "")

	reading.Opens = asks("POST /offer/messages", cache.Offer, `{"sdp":"%s"}`)
	reading.Asks, reading.Nothing = asks("GET /offer/messages", cache.Offer, ""), custerrors.SdpNoValues
	reading.Waits = &wiretest.Waits{Ask: asks("GET /offer/messages?wait=30", cache.Offer, "")}
	reading.Tells = asks("POST /answer/messages", cache.Answer, `{"sdp":"%s"}`)
	reading.Streams.Ask = asks("GET /offer/events", cache.Offer, "")

	exchanging := reading
	exchanging.Waits = &wiretest.Waits{Ask: asks("POST /offer/messages?wait=30", cache.Offer, `{"candidates":["%s"]}`)}

	for name, h := range map[string]wiretest.Harness{"taking": taking, "reading": reading, "exchanging": exchanging} {
		t.Run(name, func(t *testing.T) { wiretest.Run(t, h) })
	}
}

// harness returns what the ways have in common.
func harness() wiretest.Harness {
	h := wiretest.Harness{
		NewStore: func(t testing.TB, limits cache.Limits) cache.Store {
			store, err := memory.New(memory.Config{Limits: limits, Memory: 8 << 20})
			if err != nil {
				t.Fatalf("memory.New: got %v, want a store", err)
			}
			return store
		},
		Refusal: wiretest.Enveloped,
		Streams: &wiretest.Streams{Status: http.StatusOK, End: `event: end
data: "` + string(custerrors.ServerIsShuttingDown) + `"

`},
	}
	for _, role := range cache.Roles {
		path := "POST /" + role.String() + "/messages"
		h.Seats = append(h.Seats, wiretest.Seat{
			Role:   role,
			Take:   asks(path, role, `{"sdp":"%s"}`),
			Ticket: func(a wiretest.Answer) string { return a.Header.Get(ticketOf[role]) },
			Act:    asks(path, role, `{"candidates":["%s"]}`),
		})
	}
	return h
}

var ticketOf = map[cache.Role]string{cache.Offer: "X-Offer-Ticket", cache.Answer: "X-Answer-Ticket"}

// asks returns how somebody asks as the role. The body is a format of the payload.
func asks(line string, role cache.Role, body string) func(wiretest.Who) wiretest.Request {
	return func(w wiretest.Who) (r wiretest.Request) {
		fmt.Sscan(line, &r.Method, &r.Path)
		r.Header = [][2]string{{"key", w.Key}}
		if w.Token != "" {
			r.Header = append(r.Header, [2]string{"Authorization", "Bearer " + w.Token})
		}
		if w.Ticket != "" {
			r.Header = append(r.Header, [2]string{ticketOf[role], w.Ticket})
		}
		if body != "" {
			r.Body = fmt.Sprintf(body, w.Payload)
		}
		return r
	}
}
