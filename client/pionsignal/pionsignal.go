// Package pionsignal connects a Pion PeerConnection over a signaling session, with trickle ICE (RFC 8838). It knows WebRTC and
// the conventions below, and no HTTP: package client does that part.
//
//	offerer: err := pionsignal.Offer(ctx, pc, session)     answerer: err := pionsignal.Answer(ctx, pc, session)
//
// # Conventions
//
// What the two peers agree on beyond the server, which relays opaque text; a browser reads and writes the same with
// JSON.stringify and JSON.parse:
//
//   - an sdp is the JSON of an RTCSessionDescriptionInit: {"type":"offer","sdp":"v=0…"};
//   - a candidate is the JSON of an RTCIceCandidateInit: {"candidate":"candidate:…","sdpMid":"0","sdpMLineIndex":0};
//   - the last candidate has an empty "candidate": the end of candidates (RFC 8838, Section 13). After it nobody needs to
//     read on. A peer that does not send it costs a long poll, no more.
//
// A candidate that cannot be read is left out. With [WithSeal] all of these are sealed; docs/sealing.md has the format.
//
// # Requests
//
// The first write waits for gathering to end, at most the batch delay. If it ends in time, sdp, candidates and end of
// candidates go in one request; the offerer's waits for the answer. Then a handshake is four requests on both sides together:
//
//	GET  /answer/messages?wait   the answerer gets the offer
//	POST /offer/messages?wait    the offerer puts it, and gets the answer
//	POST /answer/messages        the answerer puts the answer
//	DELETE /session              the offerer, when connected
//
// Beside these each side reports the outcome in one more, POST /{role}/outcome; see WithoutReport.
//
// Otherwise the offerer's first write does not wait. What is gathered later is posted as it comes, everything that came during
// one post in the next one, and beside that each side reads by long poll until it is connected.
//
// # The end of the session
//
// The offerer ends it when it returns. On failure that tells the answerer. On success the answerer may have candidates to
// send or to read yet, and needs them no more: who has finished ICE and DTLS has a path on which the other finishes too, and
// Pion, which as the offerer decides about the path, keeps the one it has chosen. So to an answerer, once both descriptions
// are exchanged, the end of the session is no failure. In return the key is free at once for the next offer.
package pionsignal

import (
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
	// ErrDTLS says that packets went through and the DTLS handshake did not succeed: by its certificate it was not the peer
	// whose description came, or it is of another mind about DTLS. Together with ErrClosed, it may have been cut short only.
	ErrDTLS = errors.New("DTLS failed")
	// ErrClosed says that the PeerConnection was closed meanwhile, by this program or by the peer.
	ErrClosed = errors.New("the PeerConnection was closed")
	// ErrSealed says that the peer was given a secret and this side was not: see WithSeal.
	ErrSealed = errors.New("the peer seals what it says")
	// ErrUsed says that the PeerConnection has a description already; a handshake needs a fresh one.
	ErrUsed = errors.New("the PeerConnection is not new")
)

// Option changes how Offer and Answer work.
type Option func(*handshake)

// DefaultBatchDelay is long enough to gather host candidates, which takes 0.2 ms on a loopback interface (BenchmarkGathering)
// and about 1 ms on a virtual Ethernet, and for a STUN server nearby, and short beside what a person notices. Gathering ends no
// sooner than the last STUN server answers, or after Pion's 5 s if one does not.
const DefaultBatchDelay = 50 * time.Millisecond

// WithBatchDelay sets how long the first write waits for gathering to end; DefaultBatchDelay by default. 0 trickles at once.
func WithBatchDelay(d time.Duration) Option { return func(h *handshake) { h.batchDelay = d } }

// WithLogger logs what is left out, such as a candidate of the peer that cannot be read, to l. The default is not to log.
func WithLogger(l *slog.Logger) Option { return func(h *handshake) { h.log = l } }

// WithCursor is for an answerer that answers one offer of a key after the other: pass the same variable, empty at first, to
// each Answer. It holds what was read, so that no offer is answered twice, even while its session still lives. It is
// written to before Answer returns.
func WithCursor(c *client.Cursor) Option { return func(h *handshake) { h.cursor = c } }

// WithSeal seals every payload and opens the peer's, end to end, with keys that both peers derived from one secret: the server
// can neither read descriptions and addresses nor put others in their place. The session is of keys.SessionKey. A description
// that does not open is an error, seal.ErrBroken or seal.ErrNotSealed; such a candidate is logged and left out.
func WithSeal(keys *seal.Keys) Option { return func(h *handshake) { h.keys = keys } }

// WithoutReport keeps it from the server how the handshake ended. By default the server's operator is told: connected, over what
// type of local candidate (host, srflx, prflx, relay) and after how many milliseconds, or failed; see client.Session.Report. A
// handshake that the caller gave up, by cancelling the context or closing the PeerConnection, has no outcome.
func WithoutReport() Option { return func(h *handshake) { h.silent = true } }

// Offer connects pc as the offerer: it creates the offer, opens the session with it, and returns nil when ICE and DTLS are
// connected. Before, pc has at least one data channel or transceiver.
//
// When it returns an error, the error says at which step and why, and the session is ended if it may be open. errors.Is finds
// the context's error, custerrors.Error, ErrICE, ErrDTLS, ErrClosed and ErrUsed. A live session of that key means
// custerrors.SdpAlreadyExist; one that a crashed offerer left behind is ended with client.Session.End. Reporting and
// ending the session may take a second more, after the context's end too. pc is left open.
//
// It takes pc's OnICECandidate, and OnStateChange and OnConnectionStateChange of its DTLS and ICE transports
// (pc.SCTP().Transport()), of which Pion keeps one handler each; they stay taken, and do nothing after the return. The other
// handlers, pc.OnConnectionStateChange among them, are the caller's.
func Offer(ctx context.Context, pc *webrtc.PeerConnection, session *client.Session, opts ...Option) error {
	return start(ctx, pc, session, client.Offer, opts)
}

// Answer connects pc as the answerer: it waits for the offer as long as the context lives, whether a session is open yet or
// not, answers it, and returns nil when ICE and DTLS are connected.
//
// Errors and handlers are as Offer's, except that the session is left as it is. An offer that has been answered already
// means custerrors.SdpAlreadyExist; see WithCursor.
func Answer(ctx context.Context, pc *webrtc.PeerConnection, session *client.Session, opts ...Option) error {
	return start(ctx, pc, session, client.Answer, opts)
}

func start(ctx context.Context, pc *webrtc.PeerConnection, session *client.Session, role client.Role, opts []Option) error {
	if session.Role() != role {
		return fmt.Errorf("pionsignal: a session for role %s cannot %s", session.Role(), role)
	}
	if pc.LocalDescription() != nil || pc.RemoteDescription() != nil {
		return fmt.Errorf("pionsignal: %s: %w", role, ErrUsed)
	}
	h := &handshake{
		pc:         pc,
		session:    session,
		log:        slog.New(slog.DiscardHandler),
		batchDelay: DefaultBatchDelay,
		began:      time.Now(),
		cursor:     new(client.Cursor),
		out:        newOutbox(),
		link:       newLink(),
	}
	for _, o := range opts {
		o(h)
	}
	if role == client.Offer { // it opens a session of its own
		h.cursor = new(client.Cursor)
	}
	h.words = newWords(h.keys, role)
	h.inbox = session.Inbox(*h.cursor)
	pc.OnICECandidate(h.out.add)
	h.link.watch(pc)
	err := h.run(ctx)
	h.out.close()
	*h.cursor = h.inbox.Cursor()
	if err != nil {
		return fmt.Errorf("pionsignal: %s: %w", role, err)
	}
	return nil
}
