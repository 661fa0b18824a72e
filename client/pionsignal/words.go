package pionsignal

import (
	"signal-server/client"
	"signal-server/client/seal"
)

// words turns what this side says into payloads and the peer's payloads into what it said: sealed, or with a nil seal as they
// are.
type words struct{ seal *seal.Session }

// newWords returns the words of one handshake: a sealed session is good for one offer.
func newWords(keys *seal.Keys, role client.Role) words {
	switch {
	case keys == nil:
		return words{}
	case role == client.Offer:
		return words{keys.Offerer()}
	default:
		return words{keys.Answerer()}
	}
}

func (w words) description(text string) (string, error) {
	if w.seal == nil {
		return text, nil
	}
	return w.seal.SealSDP(text)
}

// candidates turns all of them, in place, in the order in which they are posted.
func (w words) candidates(texts []string) error {
	if w.seal == nil {
		return nil
	}
	for i, text := range texts {
		sealed, err := w.seal.SealCandidate(text)
		if err != nil {
			return err
		}
		texts[i] = sealed
	}
	return nil
}

func (w words) readDescription(payload string) (string, error) {
	switch {
	case w.seal != nil:
		return w.seal.OpenSDP(payload)
	case seal.Sealed(payload):
		return "", ErrSealed
	default:
		return payload, nil
	}
}

func (w words) readCandidate(payload string) (string, error) {
	if w.seal == nil {
		return payload, nil
	}
	return w.seal.OpenCandidate(payload)
}
