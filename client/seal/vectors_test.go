package seal

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
)

var update = flag.Bool("update", false, "write testdata/vectors.json")

// vectors are what every implementation of the format must agree on. client/js runs the same file.
type vectors struct {
	Format      string       `json:"format"`
	Derivations []derivation `json:"derivations"`
	Cases       []sideOf     `json:"cases"`
}

// derivation is what is derived from a secret, and from a key if one is given. Keys of roles are in hex.
type derivation struct {
	Secret     string `json:"secret"`
	Key        string `json:"key,omitempty"`
	SessionKey string `json:"sessionKey"`
	OfferKey   string `json:"offerKey"`
	AnswerKey  string `json:"answerKey"`
}

// sideOf is what one side of a session seals and opens, in this order.
type sideOf struct {
	Name   string `json:"name"`
	Secret string `json:"secret"`
	Key    string `json:"key,omitempty"`
	Role   Role   `json:"role"`
	Steps  []step `json:"steps"`
}

// step seals or opens one payload. If the payload opens, the step has its text. If it is refused, the step has an error: NotSealed,
// Broken or Order.
type step struct {
	Do     string `json:"do"`
	Type   string `json:"type"`
	Nonce  string `json:"nonce,omitempty"` // of a seal, in hex
	Bound  string `json:"bound,omitempty"` // of a seal: the associated data
	Text   string `json:"text,omitempty"`
	Sealed string `json:"sealed"`
	Error  string `json:"error,omitempty"`
}

const (
	vectorsFile = "testdata/vectors.json"

	secret   = "correct horse battery staple"
	offer    = `{"type":"offer","sdp":"v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\n"}`
	answer   = `{"type":"answer","sdp":"v=0\r\no=- 2 1 IN IP4 0.0.0.0\r\n"}`
	host     = `{"candidate":"candidate:1 1 udp 2130706431 192.0.2.1 5000 typ host","sdpMid":"0","sdpMLineIndex":0}`
	srflx    = `{"candidate":"candidate:2 1 udp 1694498815 203.0.113.7 6000 typ srflx","sdpMid":"0","sdpMLineIndex":0}`
	ofAnswer = `{"candidate":"candidate:3 1 udp 2130706431 198.51.100.9 7000 typ host","sdpMid":"0","sdpMLineIndex":0}`
	end      = `{"candidate":"","sdpMid":"0","sdpMLineIndex":0}`
)

func TestVectorsAreUpToDate(t *testing.T) {
	var want bytes.Buffer
	e := json.NewEncoder(&want)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(generate(t)); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(filepath.FromSlash(vectorsFile), want.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(filepath.FromSlash(vectorsFile))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want.Bytes()) {
		t.Errorf("%s is not what this package does: a change of the format? go test -update ./client/seal writes it", vectorsFile)
	}
}

// TestVectors replays the file as another implementation would, knowing nothing of how it was made.
func TestVectors(t *testing.T) {
	raw, err := os.ReadFile(filepath.FromSlash(vectorsFile))
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	for _, d := range v.Derivations {
		if got := keysOf(t, d.Secret, d.Key).SessionKey(); got != d.SessionKey {
			t.Errorf("session key of %q, %q: got %s, want %s", d.Secret, d.Key, got, d.SessionKey)
		}
	}
	for _, c := range v.Cases {
		t.Run(c.Name, func(t *testing.T) {
			s := keysOf(t, c.Secret, c.Key).side(c.Role)
			for i, step := range c.Steps {
				step.play(t, s, i)
			}
		})
	}
}

func (want step) play(t *testing.T, s *Session, i int) {
	t.Helper()
	if want.Do == "seal" {
		nonce, err := hex.DecodeString(want.Nonce)
		if err != nil {
			t.Fatal(err)
		}
		s.random = bytes.NewReader(nonce)
		got, err := call(s, want.Do, want.Type, want.Text)
		if got != want.Sealed || nameOf(err) != want.Error {
			t.Errorf("step %d: sealed got %q, %v, want %q, %s", i, got, err, want.Sealed, want.Error)
		}
		return
	}
	got, err := call(s, want.Do, want.Type, want.Sealed)
	if got != want.Text || nameOf(err) != want.Error {
		t.Errorf("step %d: opened got %q, %v, want %q, %s", i, got, err, want.Text, want.Error)
	}
}

func call(s *Session, do, kind, payload string) (string, error) {
	switch do + " " + kind {
	case "seal sdp":
		return s.SealSDP(payload)
	case "seal candidate":
		return s.SealCandidate(payload)
	case "open sdp":
		return s.OpenSDP(payload)
	case "open candidate":
		return s.OpenCandidate(payload)
	default:
		panic("BUG: " + do + " " + kind)
	}
}

func nameOf(err error) string {
	switch {
	case err == nil:
		return ""
	case errors.Is(err, ErrNotSealed):
		return "NotSealed"
	case errors.Is(err, ErrBroken):
		return "Broken"
	case errors.Is(err, ErrOrder):
		return "Order"
	default:
		return err.Error()
	}
}

// derived caches derivations, each of which takes a tenth of a second.
var derived sync.Map // of func() (*Keys, error)

func keysOf(t testing.TB, secret, key string) *Keys {
	t.Helper()
	once, _ := derived.LoadOrStore(secret+"\n"+key, sync.OnceValues(func() (*Keys, error) { return derive(secret, key) }))
	k, err := once.(func() (*Keys, error))()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// actor is a side that records its steps.
type actor struct {
	t    testing.TB
	side *Session
	out  sideOf
}

// cast returns the two sides of a session. Their nonces differ from those of a session with another name.
func cast(t testing.TB, name, secret, key string) (offerer, answerer *actor) {
	keys := keysOf(t, secret, key)
	act := func(role Role) *actor {
		a := &actor{t: t, side: keys.side(role), out: sideOf{Name: name, Secret: secret, Key: key, Role: role}}
		a.side.random = &nonces{seed: name + " " + string(role)}
		return a
	}
	return act(Offer), act(Answer)
}

// nonces stand in for random bytes, and are the same in each run.
type nonces struct {
	seed string
	n    int
}

func (r *nonces) Read(p []byte) (int, error) {
	r.n++
	sum := sha256.Sum256([]byte(r.seed + " " + strconv.Itoa(r.n)))
	return copy(p, sum[:]), nil
}

func (a *actor) seal(kind, text string) string {
	position := 0
	if kind == "candidate" {
		position = a.side.progressLocked(a.side.role).candidates + 1
	}
	bound, err := a.side.associatedDataLocked(a.side.role, position)
	if err != nil {
		a.t.Fatal(err)
	}
	sealed, err := call(a.side, "seal", kind, text)
	if err != nil {
		a.t.Fatal(err)
	}
	raw, _ := decode(strings.TrimPrefix(sealed, prefix))
	a.out.Steps = append(a.out.Steps, step{
		Do: "seal", Type: kind, Nonce: hex.EncodeToString(raw[:12]), Bound: string(bound), Text: text, Sealed: sealed,
	})
	return sealed
}

func (a *actor) open(kind string, payloads ...string) *actor {
	for _, p := range payloads {
		text, err := call(a.side, "open", kind, p)
		a.out.Steps = append(a.out.Steps, step{Do: "open", Type: kind, Text: text, Sealed: p, Error: nameOf(err)})
	}
	return a
}

// generate makes the vectors. seal_test.go asserts what must open and what must not.
func generate(t testing.TB) vectors {
	v := vectors{Format: label}
	for _, d := range []derivation{{Secret: secret}, {Secret: secret, Key: "k-1"}, {Secret: "7"}, {Secret: "密码 🔑"}} {
		v.Derivations = append(v.Derivations, d.derive(t))
	}
	show := func(actors ...*actor) {
		for i, a := range actors {
			a.out.Name = fmt.Sprintf("%02d %s: %s", len(v.Cases)+1, a.out.Name, a.out.Role)
			v.Cases = append(v.Cases, actors[i].out)
		}
	}

	first := perform(t, "a whole session", secret, "")
	show(first.offerer, first.answerer)
	given := perform(t, "a session with a given key", secret, "k-1")
	show(given.offerer, given.answerer)
	later := perform(t, "a later session of the same secret", secret, "")
	show(later.offerer, later.answerer)
	other := perform(t, "another secret", "7", "")

	stage := func(name string) (o, a *actor) { return cast(t, name, secret, "") }

	_, a := stage("tampered descriptions")
	show(a.open("sdp", tampered(first.offer)...).open("sdp", first.offer))

	_, a = stage("not sealed, or not in this format")
	show(a.open("sdp", offer, "", "s2."+first.offer[3:], "S1."+first.offer[3:], " "+first.offer))

	_, a = stage("candidates out of order, twice, strays between them")
	a.open("candidate", first.candidates[0]).open("sdp", first.offer).open("candidate",
		first.candidates[1], first.candidates[0], first.candidates[0], host, later.candidates[1], first.candidates[1])
	show(a.open("sdp", first.offer))

	_, a = stage("a description in a candidate's place and the other way round")
	show(a.open("sdp", first.candidates[0], first.offer).open("candidate", first.offer, first.candidates[0]))

	o, _ := stage("what one has sealed is handed back")
	o.open("sdp", first.answer)
	mine := o.seal("sdp", offer)
	own := o.seal("candidate", host)
	show(o.open("sdp", mine, own))

	o, _ = stage("an answer to an earlier offer")
	o.seal("sdp", offer)
	show(o.open("sdp", first.answer))

	_, a = stage("candidates of an earlier session")
	show(a.open("sdp", later.offer).open("candidate", first.candidates...).open("candidate", later.candidates...))

	o, b := stage("candidates of another answer to the same offer")
	both := o.seal("sdp", offer)
	_, c := stage("the other answer")
	b.open("sdp", both)
	c.open("sdp", both)
	o.open("sdp", b.seal("sdp", answer))
	c.seal("sdp", answer)
	show(o.open("candidate", c.seal("candidate", ofAnswer), b.seal("candidate", ofAnswer)))

	_, a = stage("another secret, another key")
	show(a.open("sdp", other.offer, given.offer, first.offer))

	o, _ = stage("refusals of answerers with another secret, and without one")
	mine = o.seal("sdp", offer)
	_, b = cast(t, "the one with another secret", "7", "")
	refusal, err := b.side.refuse(mine)
	if err != nil {
		t.Fatal(err)
	}
	show(o.open("sdp", refusal, Refused))
	return v
}

func (d derivation) derive(t testing.TB) derivation {
	salt := label
	if d.Key != "" {
		salt += "\n" + d.Key
	}
	master := pbkdf2OneBlock(d.Secret, salt)
	d.SessionKey = keysOf(t, d.Secret, d.Key).SessionKey()
	d.OfferKey = hex.EncodeToString(hkdfOneBlock(master, label+" offer"))
	d.AnswerKey = hex.EncodeToString(hkdfOneBlock(master, label+" answer"))
	return d
}

// played is a regular session, and what went over the wire in it.
type played struct {
	offerer, answerer *actor
	offer, answer     string
	candidates        []string // of the offer
}

func perform(t testing.TB, name, secret, key string) played {
	p := played{}
	p.offerer, p.answerer = cast(t, name, secret, key)
	p.offer = p.offerer.seal("sdp", offer)
	for _, c := range []string{host, srflx, end} {
		p.candidates = append(p.candidates, p.offerer.seal("candidate", c))
	}
	p.answerer.open("sdp", p.offer).open("candidate", p.candidates[0])
	p.answer = p.answerer.seal("sdp", answer)
	c := p.answerer.seal("candidate", ofAnswer)
	p.answerer.open("candidate", p.candidates[1:]...)
	p.offerer.open("sdp", p.answer).open("candidate", c)
	return p
}

// tampered returns what an adversary, or a careless proxy, might make of a sealed payload.
func tampered(sealed string) []string {
	body := sealed[len(prefix):]
	flip := func(i int) string {
		raw, _ := decode(body)
		raw[(i+len(raw))%len(raw)] ^= 1
		return prefix + encoding.EncodeToString(raw)
	}
	raw, _ := decode(body)
	return []string{
		flip(0),  // nonce
		flip(12), // ciphertext
		flip(-1), // tag
		prefix + encoding.EncodeToString(raw[:len(raw)-1]),
		prefix + encoding.EncodeToString(append(raw, 0)),
		prefix + encoding.EncodeToString(raw[:27]), // shorter than nonce and tag
		prefix + encoding.EncodeToString(raw[:11]),
		prefix,
		sealed + "\n",
		sealed + "=",
		prefix + body[:8] + "\r\n" + body[8:],
		prefix + "!" + body[1:],
		prefix + strings.NewReplacer("-", "+", "_", "/").Replace(body),
		strayBits(sealed),
	}
}

// strayBits returns another spelling of the same bytes: the last character of base64 may carry bits that nobody reads.
func strayBits(sealed string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := strings.IndexByte(alphabet, sealed[len(sealed)-1])
	return sealed[:len(sealed)-1] + alphabet[last^1:last^1+1]
}
