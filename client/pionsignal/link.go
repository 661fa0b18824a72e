package pionsignal

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/pion/webrtc/v4"
)

// link tells how the transports below a PeerConnection end up: the first of connected, failed and closed.
//
// It listens to them, not to the PeerConnection, whose OnConnectionStateChange holds a single handler, and callers have theirs.
type link struct {
	// verdict gets one value, nil for connected, from Pion. It has capacity 1 and is never closed.
	verdict chan error

	// atomic
	handshaking atomic.Bool // DTLS has begun
}

func newLink() *link { return &link{verdict: make(chan error, 1)} }

func (l *link) watch(pc *webrtc.PeerConnection) {
	dtls := pc.SCTP().Transport()
	dtls.ICETransport().OnConnectionStateChange(func(s webrtc.ICETransportState) {
		switch s {
		case webrtc.ICETransportStateFailed:
			l.settle(ErrICE)
		case webrtc.ICETransportStateClosed:
			l.settleClosed()
		}
	})
	dtls.OnStateChange(func(s webrtc.DTLSTransportState) { // called under a lock of dtls: it must not be asked anything
		switch s {
		case webrtc.DTLSTransportStateConnecting:
			l.handshaking.Store(true)
		case webrtc.DTLSTransportStateConnected: // over a connected ICE transport
			l.settle(nil)
		case webrtc.DTLSTransportStateFailed:
			l.settle(ErrDTLS)
		case webrtc.DTLSTransportStateClosed:
			l.settleClosed()
		}
	})
}

func (l *link) settle(err error) {
	select {
	case l.verdict <- err:
	default: // the first one counts
	}
}

// settleClosed tells apart what Pion does not: it closes a PeerConnection whose DTLS handshake fails, often before it says
// that it has failed.
func (l *link) settleClosed() {
	if l.handshaking.Load() {
		l.settle(fmt.Errorf("%w in the DTLS handshake: %w", ErrClosed, ErrDTLS))
		return
	}
	l.settle(ErrClosed)
}

// catchUp returns when the PeerConnection says of itself that it is connected, which it does just after its DTLS transport has
// told its handler, so that a caller who looks right after Offer or Answer finds what they returned.
func catchUp(ctx context.Context, pc *webrtc.PeerConnection) {
	const most, step = 100, time.Millisecond // it takes microseconds
	for range most {
		if s := pc.ConnectionState(); s != webrtc.PeerConnectionStateNew && s != webrtc.PeerConnectionStateConnecting {
			return
		}
		select {
		case <-time.After(step):
		case <-ctx.Done():
			return
		}
	}
}

// transports describes how far the connection has come.
func transports(pc *webrtc.PeerConnection) string {
	dtls := pc.SCTP().Transport()
	return fmt.Sprintf("connecting (ICE %s, DTLS %s)", dtls.ICETransport().State(), dtls.State())
}
