package pionsignal

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/pion/webrtc/v4"
)

// link finds out which state the transports below a PeerConnection reach first: connected, failed or closed.
//
// It listens to the transports, because the PeerConnection holds a single OnConnectionStateChange, which is the caller's.
type link struct {
	// verdict gets one value from Pion's handlers, nil for connected. It has capacity 1 and is never closed.
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
	dtls.OnStateChange(func(s webrtc.DTLSTransportState) { // called under a lock of dtls: do not ask dtls anything here
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
	default: // the first verdict counts
	}
}

// settleClosed distinguishes what Pion does not: when a DTLS handshake fails, Pion closes the PeerConnection, often before it
// reports the failure.
func (l *link) settleClosed() {
	if l.handshaking.Load() {
		l.settle(fmt.Errorf("%w in the DTLS handshake: %w", ErrClosed, ErrDTLS))
		return
	}
	l.settle(ErrClosed)
}

// catchUp returns when pc's own state is connected. Pion sets it just after the DTLS transport has called its handler. A caller
// that looks at pc right after Offer or Answer then finds the state that they returned.
func catchUp(ctx context.Context, pc *webrtc.PeerConnection) {
	const most, step = 100, time.Millisecond // Pion takes microseconds
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
