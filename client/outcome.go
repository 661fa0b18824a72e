package client

import (
	"context"
	"net/http"
	"time"
)

// Outcome is how an attempt to connect ended. It shows the server's operator what signaling alone does not: whether the peers
// reached each other.
type Outcome struct {
	// Connected says that the peers reached each other.
	Connected bool
	// CandidateType is the type of the local candidate that the connection uses: host, srflx, prflx or relay (RFC 8839,
	// Section 5.1). It is empty if there is no connection.
	CandidateType string
	// Took is the time from the beginning of the attempt to its end. It goes over the wire in whole milliseconds.
	Took time.Duration
}

// reportTimeout is how long a report may take. A slow mobile uplink may have to open a connection for it, and nobody waits.
const reportTimeout = 5 * time.Second

// Report tells the server in the background how the attempt of this role ended, and returns at once. It is best effort: the
// report is sent once and given up after 5 s, and a failure is only logged, at debug level, also if the server takes no reports.
// done is closed when the report is sent or given up. Nobody has to wait for it; Client.Wait waits for all reports.
//
// The server learns from it what o says, and nothing that the peers have said to each other.
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
	})
	return err
}
