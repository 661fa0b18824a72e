package pionsignal

import (
	"context"

	"github.com/pion/webrtc/v4"

	"signal-server/client"
)

// WithoutICEServers leaves the PeerConnection's ICE servers as they are. By default a PeerConnection that has none is given those that the signaling
// server tells of (client.Client.ICEServers), before it gathers candidates. A server that tells of none, or not within 2 s, holds up nothing else.
func WithoutICEServers() Option { return func(o *options) { o.noServers = true } }

// wantsServers reports whether pc takes the ICE servers of the signaling server.
func (o *options) wantsServers(pc *webrtc.PeerConnection) bool {
	return !o.noServers && len(pc.GetConfiguration().ICEServers) == 0
}

// ask asks for the ICE servers that pc will be given, so that they are there when it gathers. stop ends that, and waits until it has ended.
func (o *options) ask(ctx context.Context, pc *webrtc.PeerConnection, session *client.Session) (stop func()) {
	if !o.wantsServers(pc) {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	asked := make(chan struct{})
	o.asked = asked
	go func() {
		defer close(asked)
		session.ICEServers(ctx) // useServers gets the answer, too
	}()
	return func() {
		cancel()
		<-asked
	}
}

// useServers gives pc the ICE servers that the signaling server tells of, if it has none. Candidates that pc gathers afterwards come by them.
func (h *handshake) useServers(ctx context.Context) {
	if !h.wantsServers(h.pc) {
		return
	}
	if h.asked != nil {
		select {
		case <-h.asked: // a second question at the same time may have another token, and would be one to the server
		case <-ctx.Done():
			return
		}
	}
	all, err := h.session.ICEServers(ctx)
	if err != nil {
		h.log.DebugContext(ctx, "the server tells of no ICE servers", "why", err)
		return
	}
	config := h.pc.GetConfiguration()
	for _, s := range all {
		server := webrtc.ICEServer{URLs: s.URLs, Username: s.Username}
		if s.Credential != "" {
			server.Credential = s.Credential
		}
		config.ICEServers = append(config.ICEServers, server)
	}
	if len(all) == 0 {
		return
	}
	if err := h.pc.SetConfiguration(config); err != nil {
		h.log.WarnContext(ctx, "the server's ICE servers cannot be used", "error", err)
	}
}
