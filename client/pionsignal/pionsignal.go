// Package pionsignal connects a Pion PeerConnection over a signaling session, with trickle ICE (RFC 8838). It knows WebRTC and
// the conventions below, and no HTTP: package client does that part.
//
//	offerer: err := pionsignal.Offer(ctx, pc, session)     answerer: err := pionsignal.Answer(ctx, pc, session)
//	either:  pc, err := pionsignal.Connect(ctx, meeting, newPC)
//
// Offer and Answer do what can be done with one PeerConnection, which Pion connects with one peer only. Connect makes another one where
// that is not enough: the other side, or this program, was killed and started again, or the two have not agreed who offers.
//
// # Conventions
//
// The server relays opaque text. Beyond that the two peers agree on the following, which a browser reads and writes with
// JSON.parse and JSON.stringify:
//
//   - an sdp is the JSON of an RTCSessionDescriptionInit: {"type":"offer","sdp":"v=0…"};
//   - a candidate is the JSON of an RTCIceCandidateInit: {"candidate":"candidate:…","sdpMid":"0","sdpMLineIndex":0};
//   - the last candidate has an empty "candidate": the end of candidates (RFC 8838, Section 13). After it nobody needs to
//     read on. If a peer does not send it, that costs a long poll and nothing more.
//
// What else is read: null as the end of candidates, and the attribute alone, candidate:…, for one of the first media section.
//
// A candidate that cannot be read is left out. With [WithSeal] all of these are sealed; docs/sealing.md has the format.
//
// # Requests
//
// The first write waits for gathering to end, at most the batch delay. If it ends in time, sdp, candidates and end of
// candidates go in one request, in which the offerer also waits for the answer. Then a handshake is four requests, those of both
// sides counted:
//
//	GET  /answer/messages?wait   the answerer gets the offer
//	POST /offer/messages?wait    the offerer puts it, and gets the answer
//	POST /answer/messages        the answerer puts the answer
//	DELETE /session              the offerer, when connected
//
// Besides these, each side reports the outcome in one more, POST /{role}/outcome; see WithoutReport.
//
// If gathering takes longer, the offerer's first write does not wait for the answer. Later candidates are posted as they come: one
// request posts all that came during the request before. Meanwhile each side reads by long poll until it is connected.
//
// A server takes 128 candidates of one side by default, their end included. Of more, those of the highest priority go. If the server takes
// fewer, the request is refused, and goes again with half of them.
//
// # The end of the session
//
// Offer ends the session before it returns. On failure that tells the answerer. On success the answerer may still have candidates
// to send or to read, but it no longer needs them: the offerer has finished ICE and DTLS, so there is a path on which the answerer
// finishes too, and the offerer, which decides about the path, keeps the one that it has chosen. So once both descriptions are
// exchanged, Answer does not take the end of the session for a failure. In return the key is free at once for the next offer.
//
// A session whose offerer was killed ends after 10 s without a request. One that ends before the answer is followed by another one with
// the same offer.
package pionsignal

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/pion/webrtc/v4"

	"signal-server/client"
	"signal-server/client/seal"
)

// Why a handshake failed, besides the context, custerrors and what the PeerConnection itself returns.
var (
	// ErrICE says that no pair of candidates lets packets through (ICE state failed).
	ErrICE = errors.New("ICE failed")
	// ErrDTLS says that packets got through, and the DTLS handshake did not succeed: the certificate is not that of the peer whose
	// description came, or the two do not agree about DTLS. If the error is ErrClosed too, the handshake may only have been cut short.
	ErrDTLS = errors.New("DTLS failed")
	// ErrClosed says that the PeerConnection was closed meanwhile, by this program or by the peer.
	ErrClosed = errors.New("the PeerConnection was closed")
	// ErrSealed says that the peer has a secret and this side has none: see WithSeal.
	ErrSealed = errors.New("the peer seals what it says")
	// ErrUsed says that the PeerConnection has a description already. A handshake needs a fresh PeerConnection.
	ErrUsed = errors.New("the PeerConnection is not new")
)

// Option changes how Offer, Answer and Connect work. A nil argument means the default; where that would be dangerous, and where a number is
// negative, Offer, Answer and Connect return an error.
type Option func(*handshake)

// DefaultBatchDelay is long enough for a STUN server nearby, and for host candidates, which take 0.2 ms on a loopback interface
// (BenchmarkGathering) and about 1 ms on a virtual Ethernet. A person does not notice it. Gathering ends when the last STUN server
// has answered, or after Pion's 5 s if one does not answer.
const DefaultBatchDelay = 50 * time.Millisecond

// WithBatchDelay sets how long the first write waits for gathering to end; DefaultBatchDelay by default. 0 trickles at once.
func WithBatchDelay(d time.Duration) Option {
	return func(h *handshake) {
		h.batchDelay = d
		if d < 0 {
			h.mistake = fmt.Errorf("the batch delay is %v, must not be negative", d)
		}
	}
}

// WithLogger logs to l what is left out, such as a candidate of the peer that cannot be read. The default is not to log.
func WithLogger(l *slog.Logger) Option {
	return func(h *handshake) { h.log = cmp.Or(l, slog.New(slog.DiscardHandler)) }
}

// WithCursor is for an answerer that answers one offer of a key after the other: pass the same variable, empty at first, to each
// Answer. It says how far was read, so that no offer is answered twice, even while its session is still open. Answer sets it
// before it returns. A Meeting does without.
func WithCursor(c *client.Cursor) Option {
	return func(h *handshake) { h.cursor = cmp.Or(c, new(client.Cursor)) }
}

// WithSeal seals every payload and opens the peer's, end to end, with keys that both peers derived from one secret: the server
// can neither read descriptions and addresses nor put others in their place. The session is that of keys.SessionKey. A description
// that does not open is an error, seal.ErrBroken or seal.ErrNotSealed, on both sides: the answerer, which reads first, refuses. A candidate
// that does not open is logged and left out. Without keys nothing would be sealed, so nil is an error, seal.ErrNoSecret.
func WithSeal(keys *seal.Keys) Option {
	return func(h *handshake) {
		if h.keys = keys; keys == nil {
			h.mistake = seal.ErrNoSecret
		}
	}
}

// WithoutReport does not report to the server how the handshake ended. By default the server's operator learns that: connected, over
// which type of local candidate (host, srflx, prflx, relay) and after how many milliseconds, or failed; see client.Session.Report.
// If the caller gave the handshake up, by cancelling the context or closing the PeerConnection, nothing is reported.
func WithoutReport() Option { return func(h *handshake) { h.silent = true } }

// Offer connects pc as the offerer: it creates the offer, opens the session with it, and returns nil when ICE and DTLS are connected. pc
// must have at least one data channel or transceiver already.
//
// If the session ends before the answer has come (it was there for its lifetime, or the server was restarted), Offer opens another one with
// the same offer. While another session of the key is open, it waits until that is over: most likely it is one that this program has left
// behind. It ends that session itself only if session has its ticket. All this goes on until ctx ends.
//
// An error says at which step Offer failed and why. The session is then ended if it may be open. errors.Is finds the context's
// error, custerrors.Error, ErrICE, ErrDTLS, ErrClosed and ErrUsed; custerrors.SdpAlreadyExist if the key was in use until ctx ended.
// Reporting and ending the session may take a second more, also after the context's end. pc is left open.
//
// Offer sets pc's OnICECandidate, and OnStateChange and OnConnectionStateChange of its DTLS and ICE transports
// (pc.SCTP().Transport()), of which Pion keeps one handler each. These handlers stay set, and do nothing after the return. The
// others, pc.OnConnectionStateChange among them, are the caller's.
func Offer(ctx context.Context, pc *webrtc.PeerConnection, session *client.Session, opts ...Option) error {
	return start(ctx, pc, session, client.Offer, opts)
}

// Answer connects pc as the answerer: it waits for the offer until the context ends, whether a session is open yet or not,
// answers it, and returns nil when ICE and DTLS are connected.
//
// Errors and handlers are those of Offer, but the session is left as it is. If the offer has been answered already, the error is
// custerrors.SdpAlreadyExist; see WithCursor, and Connect, which goes on. If the server gives tickets and the session before, which
// another one answers, is still open, Answer waits.
func Answer(ctx context.Context, pc *webrtc.PeerConnection, session *client.Session, opts ...Option) error {
	return start(ctx, pc, session, client.Answer, opts)
}

func start(ctx context.Context, pc *webrtc.PeerConnection, session *client.Session, role client.Role, opts []Option) error {
	if session.Role() != role {
		return fmt.Errorf("pionsignal: a session for role %s cannot %s", session.Role(), role)
	}
	h, err := newHandshake(pc, session, opts)
	if err != nil {
		return err
	}
	return h.run(ctx)
}
