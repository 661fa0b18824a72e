package pionsignal_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"signal-server/client"
	"signal-server/client/pionsignal"
	"signal-server/client/seal"
)

// derived caches derivations, each of which takes a tenth of a second.
var derived sync.Map // of func() (*seal.Keys, error), by secret

func keys(t *testing.T, secret string) *seal.Keys {
	t.Helper()
	once, _ := derived.LoadOrStore(secret, sync.OnceValues(func() (*seal.Keys, error) { return seal.DeriveForKey(secret, "key") }))
	k, err := once.(func() (*seal.Keys, error))()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// TestSealed connects with a secret, trickling, and looks at what the server gets.
func TestSealed(t *testing.T) {
	w := newWorld(t)
	offers, answers := newPC(t), newPC(t)
	dc := channel(t, offers)
	echo(answers)
	secret := keys(t, "correct horse battery staple")
	seen := make(chan client.Batch, 1)
	go func() { // anybody who knows the key can read this
		batch, err := w.session("key", client.Answer).Messages(within(t, 10*time.Second), "", 10*time.Second)
		if err != nil {
			t.Errorf("the onlooker: %v", err)
		}
		seen <- batch
	}()
	connect(t, w, "key", offers, answers, pionsignal.WithSeal(secret), pionsignal.WithBatchDelay(0))
	talk(t, dc)
	for _, m := range (<-seen).Messages {
		if !seal.Sealed(m.Data) || strings.Contains(m.Data, "candidate") || strings.Contains(m.Data, "fingerprint") {
			t.Errorf("the server was given %.60q, want it sealed", m.Data)
		}
	}
}

// answerSealed answers a peer that has the secret "one", and fails the test unless both are told what is wrong and nothing was applied.
func answerSealed(t *testing.T, wantOffer, wantAnswer error, offer, answer []pionsignal.Option) {
	t.Helper()
	w := newWorld(t)
	offers, answers := newPC(t), newPC(t)
	channel(t, offers)
	ctx := within(t, 20*time.Second)
	offered := make(chan error, 1)
	go func() { offered <- pionsignal.Offer(ctx, offers, w.session("key", client.Offer), offer...) }()
	if err := pionsignal.Answer(ctx, answers, w.session("key", client.Answer), answer...); !errors.Is(err, wantAnswer) {
		t.Errorf("answer: got %v, want %v", err, wantAnswer)
	}
	if answers.RemoteDescription() != nil {
		t.Error("the answerer applied a description that did not open")
	}
	if err := <-offered; !errors.Is(err, wantOffer) || ctx.Err() != nil {
		t.Errorf("offer: got %v, want %v at once", err, wantOffer)
	}
	if offers.RemoteDescription() != nil {
		t.Error("the offerer applied a refusal")
	}
}

// The answerer finds out, because it reads first, and refuses. So the offerer learns it too, and does not wait.
func TestSecretsThatDiffer(t *testing.T) {
	with := func(secret string) []pionsignal.Option {
		return []pionsignal.Option{pionsignal.WithSeal(keys(t, secret))}
	}
	t.Run("another secret", func(t *testing.T) {
		answerSealed(t, seal.ErrBroken, seal.ErrBroken, with("one"), with("another"))
	})
	t.Run("only the offerer has one", func(t *testing.T) {
		answerSealed(t, seal.ErrNotSealed, pionsignal.ErrSealed, with("one"), nil)
	})
	t.Run("only the answerer has one", func(t *testing.T) {
		answerSealed(t, pionsignal.ErrSealed, seal.ErrNotSealed, nil, with("one"))
	})
}
