package bridge

import (
	"errors"

	"signal-server/client"
	"signal-server/client/seal"
)

// codec seals what this side writes in one session, and opens what the other side has written. Without a seal it passes everything as it
// is, whatever it is. It is safe for concurrent use by one that seals and one that opens.
type codec struct {
	// set at construction
	seal *seal.Session // nil: none

	// owned by whoever seals
	sdp string // this side's, sealed; empty: not yet
}

// newCodec returns the codec of a session that is about to be opened, or to be read from its beginning.
func (b *bridge) newCodec() *codec {
	switch {
	case b.keys == nil:
		return &codec{}
	case b.line.session.Role() == client.Offer:
		return &codec{seal: b.keys.Offerer()}
	default:
		return &codec{seal: b.keys.Answerer()}
	}
}

// close returns the messages as they are written, in the order in which they have to be. A second time, the sdp is the same.
func (c *codec) close(messages []client.Message) ([]client.Message, error) {
	if c.seal == nil {
		return messages, nil
	}
	closed := make([]client.Message, 0, len(messages))
	for _, m := range messages {
		var err error
		switch {
		case m.Kind == client.Candidate:
			m.Data, err = c.seal.SealCandidate(m.Data)
		case c.sdp == "":
			m.Data, err = c.seal.SealSDP(m.Data)
			c.sdp = m.Data
		default:
			m.Data = c.sdp
		}
		if err != nil {
			return nil, err
		}
		closed = append(closed, m)
	}
	return closed, nil
}

// takeBack says that the messages that were closed last are refused, and not written.
func (c *codec) takeBack(messages []client.Message) {
	if c.seal == nil {
		return
	}
	candidates := 0
	for _, m := range messages {
		if m.Kind == client.Candidate {
			candidates++
		}
	}
	c.seal.TakeBack(candidates)
}

// errOtherSecret says that the other side's sdp does not open.
var errOtherSecret = errors.New("the two sides do not have the same secret")

// open returns the message as the other side's program has written it.
func (c *codec) open(m client.Message) (client.Message, error) {
	var err error
	switch {
	case c.seal == nil:
	case m.Kind == client.SDP:
		if m.Data, err = c.seal.OpenSDP(m.Data); err != nil {
			err = errors.Join(errOtherSecret, err)
		}
	default:
		m.Data, err = c.seal.OpenCandidate(m.Data)
	}
	return m, err
}

// opened returns the messages as the other side's program has written them. A candidate that does not open is left out; if the sdp does not, it
// returns an error, which is errOtherSecret.
func (b *bridge) opened(c *codec, messages []client.Message) ([]client.Message, error) {
	var opened []client.Message
	for _, m := range messages {
		if m.Kind == client.SDP && c.seal == nil && seal.Sealed(m.Data) {
			b.log.Warn("the other side seals what it says: if the local program does not open it, give this bridge the same secret")
		}
		plain, err := c.open(m)
		switch {
		case err == nil:
			opened = append(opened, plain)
		case m.Kind == client.Candidate:
			b.log.Warn("a candidate of the other side does not open; leaving it out", "why", err)
		default:
			return nil, err
		}
	}
	return opened, nil
}
