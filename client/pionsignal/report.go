package pionsignal

import (
	"context"
	"errors"

	"github.com/pion/webrtc/v4"

	"signal-server/client"
	"signal-server/custerrors"
)

// report tells the server how the handshake ended. It returns nil if that is not reported.
func (h *handshake) report(err error) (done <-chan struct{}) {
	if h.silent || h.follows(err) || !counts(err) {
		return nil
	}
	o := client.Outcome{Connected: err == nil, Took: h.took}
	if o.Connected {
		if o.CandidateType = localType(h.pc); o.CandidateType == "" {
			return nil // pc is closed already, and the server takes no guesses
		}
	}
	return h.session.Report(o)
}

// counts reports whether an operator wants to know of a handshake that ended with err. One that took too long counts. One that the
// caller gave up does not, and neither does one whose role another client has taken: the server would take its report for that
// client's.
func counts(err error) bool {
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, custerrors.SdpAlreadyExist):
		return false
	default:
		return !errors.Is(err, ErrClosed) || errors.Is(err, ErrDTLS)
	}
}

// localType returns the type of the local candidate that the connection uses, or "" if Pion does not know it.
func localType(pc *webrtc.PeerConnection) string {
	pair, err := pc.SCTP().Transport().ICETransport().GetSelectedCandidatePair()
	if err != nil || pair == nil || pair.Local == nil {
		return ""
	}
	return pair.Local.Typ.String()
}
