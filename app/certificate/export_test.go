package certificate

import "net/http"

const (
	LookEvery = lookEvery
	WarnEvery = warnEvery
	MaxFile   = maxFile

	FirstPause = firstPause
	LeastPause = leastPause
	MaxPause   = maxPause
	RequestFor = requestFor
)

var Keys = keys

// Reach makes the source reach its authority by the transport. Call it before Run.
func Reach(s Source, transport http.RoundTripper) {
	s.(*authority).manager.Client.HTTPClient.Transport = transport
}
