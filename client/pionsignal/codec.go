package pionsignal

import (
	"errors"

	"signal-server/client"
	"signal-server/client/seal"
)

// codec turns this side's descriptions and candidates into payloads, and the peer's payloads back. It seals and opens them, or
// passes them as they are if seal is nil.
type codec struct{ seal *seal.Session }

// newCodec returns the codec of one handshake: a seal.Session serves for one offer.
func newCodec(keys *seal.Keys, role client.Role) codec {
	switch {
	case keys == nil:
		return codec{}
	case role == client.Offer:
		return codec{keys.Offerer()}
	default:
		return codec{keys.Answerer()}
	}
}

func (c codec) description(text string) (string, error) {
	if c.seal == nil {
		return text, nil
	}
	return c.seal.SealSDP(text)
}

// candidates turns the candidates into payloads, in place, in the order in which they are posted.
func (c codec) candidates(texts []string) error {
	if c.seal == nil {
		return nil
	}
	for i, text := range texts {
		sealed, err := c.seal.SealCandidate(text)
		if err != nil {
			return err
		}
		texts[i] = sealed
	}
	return nil
}

// takeBack says that the last n candidates will not be posted.
func (c codec) takeBack(n int) {
	if c.seal != nil {
		c.seal.TakeBack(n)
	}
}

// refusal returns what an answerer says of an offer that it cannot open because of err, or "" if that is none of the secret's matter.
func (c codec) refusal(keys *seal.Keys, offer string, err error) (string, error) {
	switch {
	case errors.Is(err, ErrSealed):
		return seal.Refused, nil
	case errors.Is(err, seal.ErrBroken) || errors.Is(err, seal.ErrNotSealed):
		return keys.Refuse(offer)
	default:
		return "", nil
	}
}

func (c codec) readDescription(payload string) (string, error) {
	switch {
	case c.seal != nil:
		return c.seal.OpenSDP(payload)
	case seal.Sealed(payload):
		return "", ErrSealed
	default:
		return payload, nil
	}
}

func (c codec) readCandidate(payload string) (string, error) {
	if c.seal == nil {
		return payload, nil
	}
	return c.seal.OpenCandidate(payload)
}
