// Package pionsignal connects a Pion PeerConnection over a signaling session, with trickle ICE (RFC 8838). It knows WebRTC and
// the conventions below, and no HTTP: package client does that part.
//
//	err := pionsignal.Connect(ctx, pc, "https://signal.example", key)
//
// Two programs that do so with the same key connect, whichever comes first. That is all that most programs need. The others:
//
//   - ConnectNew makes PeerConnections by itself, one after the other, and so connects though a peer is killed and started again at any
//     time. Pion connects a PeerConnection with one peer only.
//   - Offer and Answer are one handshake each, over a Session of a Client of yours.
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
// Besides these, each side reports the outcome in one more, POST /{role}/outcome; see WithoutReport. And a program asks for ICE servers in one
// more, GET /ice, beside the others, unless it has the answer from before; see WithoutICEServers.
//
// That is so for Offer, Answer and ConnectNew. In Connect each side asks first who offers, the answerer asks whether the offer is answered
// already, and the offerer gathers candidates when it has the answer, and sends them then.
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
	"context"
	"errors"
	"fmt"

	"github.com/pion/webrtc/v4"

	"signal-server/client"
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
	// ErrSpent says that Connect has used the PeerConnection up: it has taken the description of a peer that is gone, or that another one
	// has answered. ConnectNew would go on with another PeerConnection.
	ErrSpent = errors.New("one PeerConnection serves one attempt: pionsignal.ConnectNew makes another one and goes on")
	// ErrNothing says that there is nothing to offer: a PeerConnection needs a data channel or a transceiver before it offers.
	ErrNothing = errors.New("the PeerConnection has neither a data channel nor a transceiver")
	// ErrUsed says that the PeerConnection has a description already. A handshake needs a fresh PeerConnection.
	ErrUsed = errors.New("the PeerConnection is not new")
)

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
// custerrors.SdpAlreadyExist; see WithCursor, and ConnectNew, which goes on. If the server gives tickets and the session before, which
// another one answers, is still open, Answer waits.
func Answer(ctx context.Context, pc *webrtc.PeerConnection, session *client.Session, opts ...Option) error {
	return start(ctx, pc, session, client.Answer, opts)
}

func start(ctx context.Context, pc *webrtc.PeerConnection, session *client.Session, role client.Role, opts []Option) error {
	if session.Role() != role {
		return fmt.Errorf("pionsignal: a session for role %s cannot %s", session.Role(), role)
	}
	o, err := sessionOptions(opts)
	if err != nil {
		return fmt.Errorf("pionsignal: %w", err)
	}
	h, err := newHandshake(pc, session, o)
	if err != nil {
		return err
	}
	defer h.ask(ctx, pc, session)()
	return h.run(ctx)
}
