package client

import (
	"context"
	"net/http"
	"time"
)

// Outcome is how an attempt to connect ended. It tells the server's operator what signaling alone does not show: whether the
// peers reached each other.
type Outcome struct {
	// Connected says that they did.
	Connected bool
	// CandidateType is that of the local candidate which the connection uses: host, srflx, prflx or relay (RFC 8839,
	// Section 5.1). Empty where there is no connection.
	CandidateType string
	// Took is the time from the beginning of the attempt to its end. It goes over the wire in whole milliseconds.
	Took time.Duration
}

// reportTimeout is how long a report may take: a slow mobile uplink has to open a connection for it, perhaps, and nobody waits.
const reportTimeout = 5 * time.Second

// Report tells the server how the attempt of this role ended, in the background, and returns at once. It is best effort: the
// report is sent once and given up after 5 s, and what comes of it is logged only, at debug level. A server that takes no
// reports does no harm. done is closed when all is over; nobody has to wait for it, and Client.Wait waits for all.
//
// The server learns from it what o says, and nothing of what the peers have said to each other.
func (s *Session) Report(o Outcome) (done <-chan struct{}) {
	over := make(chan struct{})
	s.client.reports.Go(func() {
		defer close(over)
		ctx, cancel := context.WithTimeout(context.Background(), reportTimeout)
		defer cancel()
		if err := s.report(ctx, o); err != nil {
			s.client.log.DebugContext(ctx, "the outcome was not reported", "error", err)
		}
	})
	return over
}

func (s *Session) report(ctx context.Context, o Outcome) error {
	result := "failed"
	if o.Connected {
		result = "connected"
	}
	body, err := encode(struct {
		Result        string `json:"result"`
		CandidateType string `json:"candidate_type,omitempty"`
		Milliseconds  int64  `json:"ms"`
	}{result, o.CandidateType, max(o.Took, 0).Milliseconds()})
	if err != nil {
		return err
	}
	_, err = s.attempt(ctx, request{
		method: http.MethodPost, path: "/" + string(s.role) + "/outcome", contentType: jsonType, body: body,
	}, "")
	return err
}
