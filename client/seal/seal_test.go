package seal

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
)

// pbkdf2OneBlock is RFC 8018, Section 5.2: an independent implementation to compare with.
func pbkdf2OneBlock(secret, salt string) []byte {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(salt))
	mac.Write(binary.BigEndian.AppendUint32(nil, 1))
	u := mac.Sum(nil)
	out := append([]byte(nil), u...)
	for range iterations - 1 {
		mac.Reset()
		mac.Write(u)
		u = mac.Sum(u[:0])
		for i := range out {
			out[i] ^= u[i]
		}
	}
	return out
}

// hkdfOneBlock is RFC 5869, Section 2, for one block of SHA-256 and no salt.
func hkdfOneBlock(master []byte, info string) []byte {
	sum := func(key []byte, data ...[]byte) []byte {
		mac := hmac.New(sha256.New, key)
		for _, d := range data {
			mac.Write(d)
		}
		return mac.Sum(nil)
	}
	return sum(sum(make([]byte, sha256.Size), master), []byte(info), []byte{1})
}

// TestDerivation compares derive with the two functions above.
func TestDerivation(t *testing.T) {
	keys := keysOf(t, secret, "")
	master := pbkdf2OneBlock(secret, label)
	id := hkdfOneBlock(master, label+" session")[:sessionKeyBytes]
	if got, want := keys.SessionKey(), encoding.EncodeToString(id); got != want {
		t.Errorf("session key: got %s, want %s", got, want)
	}
	if got := len(keys.SessionKey()); got != 22 {
		t.Errorf("session key: got %d characters, want 22", got)
	}
	for role, info := range map[Role]string{Offer: label + " offer", Answer: label + " answer"} {
		key, err := expand(master, string(role), roleKeyBytes)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := hex.EncodeToString(key), hex.EncodeToString(hkdfOneBlock(master, info)); got != want {
			t.Errorf("key of %s: got %s, want %s", role, got, want)
		}
	}
}

func TestDeriveRefusesNothing(t *testing.T) {
	if _, err := Derive(""); !errors.Is(err, ErrNoSecret) {
		t.Errorf("no secret: got %v, want ErrNoSecret", err)
	}
	for _, key := range []string{"", " \t"} {
		if _, err := DeriveForKey(secret, key); !errors.Is(err, ErrNoSecret) {
			t.Errorf("key %q: got %v, want ErrNoSecret", key, err)
		}
	}
	if _, err := DeriveForKey("", "k-1"); !errors.Is(err, ErrNoSecret) {
		t.Errorf("no secret with a key: got %v, want ErrNoSecret", err)
	}
	keys, err := DeriveForKey(secret, " k-1 ")
	if err != nil || keys.SessionKey() != "k-1" {
		t.Errorf("key with spaces: got %q, %v, want k-1", keys.SessionKey(), err)
	}
}

// Two peers that have agreed on the same things name the same session, and open what the other one seals.
func TestAgreed(t *testing.T) {
	for _, tt := range []struct {
		key, secret, session string
		of                   *Keys // nil: payloads are not sealed
	}{
		{"k-1", "", "k-1", nil},
		{"", "", "", nil},
		{" ", "", " ", nil},
		{"k-1", secret, "k-1", keysOf(t, secret, "k-1")},
		{" k-1 ", secret, "k-1", keysOf(t, secret, "k-1")},
		{"", secret, keysOf(t, secret, "").SessionKey(), keysOf(t, secret, "")},
	} {
		session, keys, err := Agreed(tt.key, tt.secret)
		if err != nil || session != tt.session || (keys == nil) != (tt.of == nil) {
			t.Errorf("key %q, secret %q: got %q, %v, %v, want %q and keys: %t", tt.key, tt.secret, session, keys != nil, err, tt.session, tt.of != nil)
			continue
		}
		if keys != nil {
			must(t, tt.of.Answerer().OpenSDP, must(t, keys.Offerer().SealSDP, offer))
		}
	}
	if _, _, err := Agreed(" ", secret); !errors.Is(err, ErrNoSecret) {
		t.Errorf("a blank key: got %v, want %v", err, ErrNoSecret)
	}
}

// exchange is both sides of a sealed session.
type exchange struct {
	offerer, answerer *Session
	sdp               [2]string
	candidate         [2]string
}

// begin plays a session until both sides have sealed a description and a candidate, and the answerer has opened the offer.
func begin(t testing.TB, keys *Keys) exchange {
	t.Helper()
	e := exchange{offerer: keys.Offerer(), answerer: keys.Answerer()}
	e.sdp[0] = must(t, e.offerer.SealSDP, offer)
	e.candidate[0] = must(t, e.offerer.SealCandidate, host)
	must(t, e.answerer.OpenSDP, e.sdp[0])
	e.sdp[1] = must(t, e.answerer.SealSDP, answer)
	e.candidate[1] = must(t, e.answerer.SealCandidate, ofAnswer)
	return e
}

func must(t testing.TB, do func(string) (string, error), in string) string {
	t.Helper()
	out, err := do(in)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func refused(t *testing.T, what string, do func(string) (string, error), in string, want error) {
	t.Helper()
	if text, err := do(in); !errors.Is(err, want) || text != "" {
		t.Errorf("%s: got %q, %v, want %v", what, text, err, want)
	}
}

func TestRoundTrip(t *testing.T) {
	for _, text := range []string{offer, "", "密码 🔑", "\ufeffmark", strings.Repeat("x", 48<<10)} {
		e := begin(t, keysOf(t, secret, ""))
		sealed := must(t, e.offerer.SealCandidate, text)
		must(t, e.answerer.OpenCandidate, e.candidate[0])
		if got := must(t, e.answerer.OpenCandidate, sealed); got != text {
			t.Errorf("got %q, want %q", got, text)
		}
		if must(t, e.offerer.SealCandidate, text) == sealed {
			t.Errorf("%q sealed twice is the same twice", text)
		}
	}
}

// TestEveryBitCounts flips each bit of a sealed payload, and cuts it everywhere.
func TestEveryBitCounts(t *testing.T) {
	keys := keysOf(t, secret, "")
	sealed := must(t, keys.Offerer().SealSDP, offer)
	reader := keys.Answerer()
	raw, _ := decode(sealed[len(prefix):])
	for bit := range len(raw) * 8 {
		raw[bit/8] ^= 1 << (bit % 8)
		refused(t, "a flipped bit", reader.OpenSDP, prefix+encoding.EncodeToString(raw), ErrBroken)
		raw[bit/8] ^= 1 << (bit % 8)
	}
	for n := range len(raw) {
		refused(t, "a cut payload", reader.OpenSDP, prefix+encoding.EncodeToString(raw[:n]), ErrBroken)
	}
	for _, other := range tampered(sealed) {
		if other != sealed {
			refused(t, "a changed payload", reader.OpenSDP, other, ErrBroken)
		}
	}
	must(t, reader.OpenSDP, sealed)
}

// TestPlaces moves payloads to where they do not belong.
func TestPlaces(t *testing.T) {
	keys := keysOf(t, secret, "")
	e, old := begin(t, keys), begin(t, keys)
	refused(t, "an answer to another offer", e.offerer.OpenSDP, old.sdp[1], ErrBroken)
	refused(t, "one's own offer as the answer", e.offerer.OpenSDP, e.sdp[0], ErrBroken)
	refused(t, "a candidate as the answer", e.offerer.OpenSDP, e.candidate[1], ErrBroken)
	refused(t, "plain text as the answer", e.offerer.OpenSDP, answer, ErrNotSealed)
	must(t, e.offerer.OpenSDP, e.sdp[1])
	refused(t, "the answer again", e.offerer.OpenSDP, e.sdp[1], ErrOrder)
	refused(t, "the answer as a candidate", e.offerer.OpenCandidate, e.sdp[1], ErrBroken)
	refused(t, "one's own candidate", e.offerer.OpenCandidate, e.candidate[0], ErrBroken)
	refused(t, "a candidate of an earlier session", e.offerer.OpenCandidate, old.candidate[1], ErrBroken)
	second := must(t, e.answerer.SealCandidate, end)
	refused(t, "the second candidate first", e.offerer.OpenCandidate, second, ErrBroken)
	must(t, e.offerer.OpenCandidate, e.candidate[1])
	refused(t, "the first candidate again", e.offerer.OpenCandidate, e.candidate[1], ErrBroken)
	must(t, e.offerer.OpenCandidate, second)

	for _, foreign := range []*Keys{keysOf(t, "7", ""), keysOf(t, secret, "k-1")} {
		refused(t, "an offer under other keys", foreign.Answerer().OpenSDP, e.sdp[0], ErrBroken)
	}
}

// A refusal is never taken for an answer, not even where it opens.
func TestARefusalIsNoAnswer(t *testing.T) {
	keys := keysOf(t, secret, "")
	mine := keys.Offerer()
	sealed, err := mine.SealSDP(offer)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		of    *Keys
		offer string
	}{
		"of another secret":              {keysOf(t, "7", ""), sealed},
		"of an offer that was changed":   {keys, sealed[:len(sealed)-2] + "AA"},
		"of an offer that is not sealed": {keys, offer},
	} {
		refusal, err := c.of.Refuse(c.offer)
		if err != nil || !Sealed(refusal) {
			t.Fatalf("%s: got %q, %v, want a sealed payload", name, refusal, err)
		}
		if text, err := mine.OpenSDP(refusal); !errors.Is(err, ErrBroken) {
			t.Errorf("%s: got %q, %v, want %v", name, text, err, ErrBroken)
		}
	}
	if _, err := mine.OpenSDP(Refused); !errors.Is(err, ErrNotSealed) {
		t.Errorf("without a secret: got %v, want %v", err, ErrNotSealed)
	}
	refusal, err := keys.Refuse(sealed)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := mine.OpenSDP(refusal); !errors.Is(err, ErrBroken) {
		t.Errorf("of the same secret and offer: got %q, %v, want %v", text, err, ErrBroken)
	}
}

// What was sealed and not posted leaves no gap.
func TestTakeBack(t *testing.T) {
	o, a := keysOf(t, secret, "").Offerer(), keysOf(t, secret, "").Answerer()
	must := func(text string, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	must(a.OpenSDP(must(o.SealSDP(offer))))
	posted := must(o.SealCandidate(host))
	must(o.SealCandidate(srflx))
	must(o.SealCandidate(srflx))
	o.TakeBack(2)
	last := must(o.SealCandidate(end))
	for _, c := range []string{posted, last} {
		must(a.OpenCandidate(c))
	}
	o.TakeBack(7) // more than there are
	if _, err := a.OpenCandidate(must(o.SealCandidate(host))); !errors.Is(err, ErrBroken) {
		t.Errorf("in the place of the first one: got %v, want %v", err, ErrBroken)
	}
}

func TestOrder(t *testing.T) {
	keys := keysOf(t, secret, "")
	e := begin(t, keys)
	refused(t, "a candidate before the offer", keys.Offerer().SealCandidate, host, ErrOrder)
	refused(t, "an answer before the offer is opened", keys.Answerer().SealSDP, answer, ErrOrder)
	refused(t, "an answer before the offer is sealed", keys.Offerer().OpenSDP, e.sdp[1], ErrOrder)
	refused(t, "a candidate before its description", keys.Answerer().OpenCandidate, e.candidate[0], ErrOrder)
	refused(t, "a second offer", e.offerer.SealSDP, offer, ErrOrder)
	refused(t, "a second answer", e.answerer.SealSDP, answer, ErrOrder)
	refused(t, "the offer again", e.answerer.OpenSDP, e.sdp[0], ErrOrder)
}

func TestNoRandomBytes(t *testing.T) {
	s := keysOf(t, secret, "").Offerer()
	s.random = strings.NewReader("short")
	if sealed, err := s.SealSDP(offer); err == nil {
		t.Errorf("sealed without a nonce: %q", sealed)
	}
	s.random = strings.NewReader("long enough.")
	must(t, s.SealSDP, offer) // the failure took no position
}

// TestSize checks what docs/sealing.md says of the sizes that fit into the server's limits.
func TestSize(t *testing.T) {
	for limit, fits := range map[int]int{64 << 10: 49_121, 4 << 10: 3_041} { // bytes
		for _, tt := range []struct {
			n  int
			ok bool
		}{{fits, true}, {fits + 1, false}} {
			sealed := must(t, keysOf(t, secret, "").Offerer().SealSDP, strings.Repeat("x", tt.n))
			if got := len(sealed) <= limit; got != tt.ok {
				t.Errorf("%d bytes are %d sealed: within %d is %t, want %t", tt.n, len(sealed), limit, got, tt.ok)
			}
		}
	}
}

// FuzzOpen looks for a payload that opens and is not the one that was sealed.
func FuzzOpen(f *testing.F) {
	keys := keysOf(f, secret, "")
	offerer := keys.Offerer()
	offerer.random = &nonces{seed: "fuzz"} // all fuzzing processes seal the same
	sealed := must(f, offerer.SealSDP, offer)
	for _, t := range append(tampered(sealed), offer, sealed) {
		f.Add(t)
	}
	f.Fuzz(func(t *testing.T, payload string) {
		text, err := keys.Answerer().OpenSDP(payload)
		switch {
		case payload == sealed && (err != nil || text != offer):
			t.Errorf("the offer does not open: %q, %v", text, err)
		case payload != sealed && !errors.Is(err, ErrBroken) && !errors.Is(err, ErrNotSealed):
			t.Errorf("%q opens: %q, %v", payload, text, err)
		}
	})
}

func BenchmarkDerive(b *testing.B) {
	for b.Loop() {
		if _, err := Derive(secret); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSeal(b *testing.B) {
	b.ReportAllocs()
	e := begin(b, keysOf(b, secret, ""))
	for b.Loop() {
		if _, err := e.offerer.SealCandidate(host); err != nil {
			b.Fatal(err)
		}
	}
}
