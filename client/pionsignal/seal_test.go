package pionsignal_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"signal-server/client"
	"signal-server/client/pionsignal"
	"signal-server/client/seal"
)

func keys(t *testing.T, secret string) *seal.Keys {
	t.Helper()
	k, err := seal.DeriveForKey(secret, "key")
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

// answerSealed answers a peer that has the secret "one", and fails the test unless the error is want and nothing was applied.
func answerSealed(t *testing.T, want error, opts ...pionsignal.Option) {
	t.Helper()
	w := newWorld(t)
	offers, answers := newPC(t), newPC(t)
	channel(t, offers)
	ctx, stop := context.WithCancel(within(t, 20*time.Second))
	offered := make(chan error, 1)
	go func() {
		offered <- pionsignal.Offer(ctx, offers, w.session("key", client.Offer), pionsignal.WithSeal(keys(t, "one")))
	}()
	if err := pionsignal.Answer(ctx, answers, w.session("key", client.Answer), opts...); !errors.Is(err, want) {
		t.Errorf("answer: got %v, want %v", err, want)
	}
	if answers.RemoteDescription() != nil {
		t.Error("the answerer applied a description that did not open")
	}
	stop()
	if err := <-offered; !errors.Is(err, context.Canceled) {
		t.Errorf("offer: got %v, want %v", err, context.Canceled)
	}
}

func TestOfAnotherSecret(t *testing.T) {
	answerSealed(t, seal.ErrBroken, pionsignal.WithSeal(keys(t, "another")))
}

func TestWithoutTheSecret(t *testing.T) { answerSealed(t, pionsignal.ErrSealed) }
