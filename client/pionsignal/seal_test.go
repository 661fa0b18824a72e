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

// TestSealed connects with a secret, trickling, and looks at what the server was given.
func TestSealed(t *testing.T) {
	w := newWorld(t)
	offers, answers := newPC(t), newPC(t)
	dc := channel(t, offers)
	echo(answers)
	secret := keys(t, "correct horse battery staple")
	seen := make(chan client.Batch, 1)
	go func() { // what anybody who knows the key can read
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

// TestOfAnotherSecret: who has another secret learns that, and applies nothing.
func TestOfAnotherSecret(t *testing.T) {
	w := newWorld(t)
	offers, answers := newPC(t), newPC(t)
	channel(t, offers)
	ctx, stop := context.WithCancel(within(t, 20*time.Second))
	offered := make(chan error, 1)
	go func() {
		offered <- pionsignal.Offer(ctx, offers, w.session("key", client.Offer), pionsignal.WithSeal(keys(t, "one")))
	}()
	err := pionsignal.Answer(ctx, answers, w.session("key", client.Answer), pionsignal.WithSeal(keys(t, "another")))
	if !errors.Is(err, seal.ErrBroken) {
		t.Errorf("answer: got %v, want %v", err, seal.ErrBroken)
	}
	if answers.RemoteDescription() != nil {
		t.Error("the answerer applied a description that did not open")
	}
	stop()
	if err := <-offered; !errors.Is(err, context.Canceled) {
		t.Errorf("offer: got %v, want %v", err, context.Canceled)
	}
}

// TestWithoutTheSecret: who has none is told that the peer has one.
func TestWithoutTheSecret(t *testing.T) {
	w := newWorld(t)
	offers, answers := newPC(t), newPC(t)
	channel(t, offers)
	ctx, stop := context.WithCancel(within(t, 20*time.Second))
	offered := make(chan error, 1)
	go func() {
		offered <- pionsignal.Offer(ctx, offers, w.session("key", client.Offer), pionsignal.WithSeal(keys(t, "one")))
	}()
	if err := pionsignal.Answer(ctx, answers, w.session("key", client.Answer)); !errors.Is(err, pionsignal.ErrSealed) {
		t.Errorf("answer: got %v, want %v", err, pionsignal.ErrSealed)
	}
	stop()
	<-offered
}
