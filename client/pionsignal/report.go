package pionsignal

import (
	"context"
	"errors"
	"time"

	"github.com/pion/webrtc/v4"

	"signal-server/client"
	"signal-server/custerrors"
)

// report has the server told how the handshake ended, unless that is nothing to count. A nil channel means the latter.
func (h *handshake) report(err error) (done <-chan struct{}) {
	if h.silent || !counts(err) {
		return nil
	}
	o := client.Outcome{Connected: err == nil, Took: time.Since(h.began)}
	if o.Connected {
		if o.CandidateType = localType(h.pc); o.CandidateType == "" {
			return nil // it is closed already, and the server takes no guesses
		}
	}
	return h.session.Report(o)
}

// counts reports whether a handshake that ended with err is one of those of which an operator wants to know how many succeed. One
// that took too long is; one that the caller gave up is not, and neither is one whose place was taken: there its report would pass
// for that of the peer who has the place.
func counts(err error) bool {
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, custerrors.SdpAlreadyExist):
		return false
	default:
		return !errors.Is(err, ErrClosed) || errors.Is(err, ErrDTLS)
	}
}

// localType returns the type of the local candidate that the connection uses, empty if Pion does not know.
func localType(pc *webrtc.PeerConnection) string {
	pair, err := pc.SCTP().Transport().ICETransport().GetSelectedCandidatePair()
	if err != nil || pair == nil || pair.Local == nil {
		return ""
	}
	return pair.Local.Typ.String()
}
