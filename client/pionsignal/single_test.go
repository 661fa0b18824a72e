package pionsignal_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"

	"signal-server/app/apptest"
	"signal-server/app/gate/auth"
	"signal-server/app/gate/ticket"
	"signal-server/client"
	"signal-server/client/pionsignal"
	"signal-server/client/seal"
	"signal-server/custerrors"
	"signal-server/test/until"
)

// side is one side of a call: its only PeerConnection, and a data channel that both sides make.
type side struct {
	pc   *webrtc.PeerConnection
	dc   *webrtc.DataChannel
	opts []pionsignal.Option
}

func newSide(t *testing.T, opts ...pionsignal.Option) side {
	t.Helper()
	pc := newPC(t)
	return side{pc, negotiated(t, pc), opts}
}

// negotiated is a data channel of which each side makes its half.
func negotiated(t *testing.T, pc *webrtc.PeerConnection) *webrtc.DataChannel {
	t.Helper()
	yes, id := true, uint16(0)
	dc, err := pc.CreateDataChannel("data", &webrtc.DataChannelInit{Negotiated: &yes, ID: &id})
	if err != nil {
		t.Fatal(err)
	}
	return dc
}

// connect connects the side, by requests that the world counts.
func (s side) connect(ctx context.Context, w *world, key string) error {
	opts := append([]pionsignal.Option{pionsignal.WithHTTPClient(&http.Client{Transport: w.wire})}, s.opts...)
	return pionsignal.Connect(ctx, s.pc, w.server.URL, key, opts...)
}

// call lets both sides connect and talk; the second one begins after between.
func call(t *testing.T, w *world, key string, one, other side, between func()) {
	t.Helper()
	ctx := within(t, 30*time.Second)
	var both sync.WaitGroup
	for i, s := range []side{one, other} {
		both.Go(func() {
			if err := s.connect(ctx, w, key); err != nil {
				t.Errorf("side %d: %v", i, err)
			}
		})
		if i == 0 {
			between()
		}
	}
	both.Wait()
	if !t.Failed() {
		other.dc.OnMessage(func(m webrtc.DataChannelMessage) { other.dc.SendText(string(m.Data) + " back") })
		talk(t, one.dc)
	}
}

// awaitCounted is wantCounted for reports of Connect's own Client, which go on in the background.
func (w *world) awaitCounted(want ...string) {
	w.t.Helper()
	until.Nil(w.t, 20*time.Second, func() error {
		if got := w.counted(); !slices.Equal(got, want) {
			return fmt.Errorf("the server counted %q, want %q", got, want)
		}
		return nil
	})
}

func at(w *world, request string) func() { return func() { w.wire.await(w.t, request) } }

func TestConnect(t *testing.T) {
	w := newWorld(t)
	call(t, w, "key", newSide(t), newSide(t), at(w, "POST /offer/messages"))
	w.awaitCounted("offer connected host: 1", "answer connected host: 1")
	got := w.wire.take()
	for _, want := range []string{"GET /answer/messages", "POST /offer/messages?wait", "POST /answer/messages", "DELETE /session"} {
		if n := len(got) - len(slices.DeleteFunc(slices.Clone(got), func(s string) bool { return s == want })); n == 0 {
			t.Errorf("got %q, want %q among them", got, want)
		}
	}
	for range 5 { // again with the same key, at once
		call(t, w, "key", newSide(t), newSide(t), func() {})
	}
}

// simultaneous makes the first two offers of the world arrive at the same instant.
func (w *world) simultaneous() {
	arrived, both := make(chan struct{}, 2), make(chan struct{})
	go func() {
		for range 2 {
			select {
			case <-arrived:
			case <-w.t.Context().Done():
				return
			}
		}
		close(both)
	}()
	w.wire.failWhere(func(r *http.Request) error {
		if r.Method != http.MethodPost || r.URL.Path != "/offer/messages" {
			return nil
		}
		select {
		case arrived <- struct{}{}:
		default: // both were there
		}
		select {
		case <-both:
		case <-r.Context().Done():
		}
		return nil
	})
}

// Both sides find no session and offer. One is told that there is one already, and answers with the same PeerConnection.
func TestConnectAtTheSameInstant(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*apptest.Config)
		key    string
		opts   []pionsignal.Option
	}{
		"plain":        {func(*apptest.Config) {}, "key", nil},
		"with tickets": {func(c *apptest.Config) { c.Tickets = ticket.New() }, "key", nil},
		"trickling":    {func(*apptest.Config) {}, "key", []pionsignal.Option{pionsignal.WithBatchDelay(0)}},
		"sealed":       {func(*apptest.Config) {}, "", []pionsignal.Option{pionsignal.WithSecret("one")}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, c.change)
			for range 3 {
				w.simultaneous()
				w.wire.take()
				call(t, w, c.key, newSide(t, c.opts...), newSide(t, c.opts...), func() {})
				offers := 0
				for _, r := range w.wire.take() {
					if strings.HasPrefix(r, "POST /offer/messages?wait") {
						offers++
					}
				}
				if offers < 2 {
					t.Errorf("got %d offers, want two at once", offers)
				}
			}
		})
	}
}

// With media it does, too, if both sides have the same; if not, one of them says what to do.
func TestConnectWithMediaAtTheSameInstant(t *testing.T) {
	video, audio := webrtc.RTPCodecTypeVideo, webrtc.RTPCodecTypeAudio
	with := func(kinds ...webrtc.RTPCodecType) side {
		s := newSide(t)
		for _, kind := range kinds {
			if _, err := s.pc.AddTransceiverFromKind(kind); err != nil {
				t.Fatal(err)
			}
		}
		return s
	}
	w := newWorld(t)
	w.simultaneous()
	call(t, w, "same", with(audio, video), with(audio, video), func() {})
	w.simultaneous()
	call(t, w, "more", with(audio), with(audio, video), func() {})

	w.simultaneous()
	ctx, cancel := context.WithCancel(within(t, 20*time.Second))
	told := make(chan error, 2)
	for _, s := range []side{with(audio, video), with(video, audio)} {
		go func() { told <- s.connect(ctx, w, "other order") }()
	}
	wantError(t, <-told, "ConnectNew", pionsignal.ErrSpent)
	cancel()
	wantError(t, <-told, "waiting for the answer", context.Canceled)

	// One after the other, they connect.
	w = newWorld(t)
	call(t, w, "in turn", with(audio, video), with(video, audio), func() { w.awaitOpened(1) })
}

// A side that finds its role out meets one that has it given, whichever comes first.
func TestConnectInGivenRoles(t *testing.T) {
	auto := func() side { return newSide(t) }
	offers := func() side { return newSide(t, pionsignal.WithRole(client.Offer)) }
	answers := func() side { return newSide(t, pionsignal.WithRole(client.Answer)) }
	for name, c := range map[string]struct {
		one, other func() side
		between    string
	}{
		"auto first, then an offerer":     {auto, offers, "POST /offer/messages"},
		"auto first, then an answerer":    {auto, answers, "POST /offer/messages"},
		"an offerer first, then auto":     {offers, auto, "POST /offer/messages"},
		"an answerer first, then auto":    {answers, auto, "GET /answer/messages"},
		"an offerer, then an answerer":    {offers, answers, "POST /offer/messages"},
		"an answerer, then an offerer":    {answers, offers, "GET /answer/messages"},
		"auto and an offerer at once":     {auto, offers, ""},
		"auto and an answerer at once":    {auto, answers, ""},
		"an offerer and answerer at once": {offers, answers, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			for range 2 {
				w.wire.take()
				call(t, w, "key", c.one(), c.other(), at(w, c.between))
			}
		})
	}
}

// The other functions of this package are a peer, too.
func TestConnectMeetsTheOthers(t *testing.T) {
	w := newWorld(t)
	sealed := pionsignal.WithSeal(keys(t, "one"))
	ctx := within(t, 30*time.Second)
	met := make(chan error, 1)

	offers := newPC(t)
	dc := negotiated(t, offers)
	go func() { met <- pionsignal.Offer(ctx, offers, w.session("key", client.Offer), sealed) }()
	w.awaitOpened(1)
	one := newSide(t, pionsignal.WithSecret("one"))
	one.dc.OnMessage(func(m webrtc.DataChannelMessage) { one.dc.SendText(string(m.Data) + " back") })
	if err := one.connect(ctx, w, "key"); err != nil {
		t.Errorf("Connect: %v", err)
	}
	if err := <-met; err != nil {
		t.Errorf("Offer: %v", err)
	}
	talk(t, dc)

	two := newSide(t, sealed) // the same keys, derived once
	go func() { met <- two.connect(ctx, w, "") }()
	answers := newPC(t)
	if err := pionsignal.Answer(ctx, answers, w.session("key", client.Answer), sealed); err != nil {
		t.Errorf("Answer: %v", err)
	}
	if err := <-met; err != nil {
		t.Errorf("Connect and Answer: %v", err)
	}

	three := newSide(t, sealed)
	go func() { met <- three.connect(ctx, w, "key") }()
	m := maker{t: t}
	pc, err := pionsignal.ConnectNew(ctx, w.meeting("key"), m.newPC, sealed)
	if err != nil || pc.ConnectionState() != webrtc.PeerConnectionStateConnected {
		t.Errorf("ConnectNew: got %v, want it connected", err)
	}
	if err := <-met; err != nil {
		t.Errorf("Connect and ConnectNew: %v", err)
	}
}

func TestConnectWithSecretsThatDiffer(t *testing.T) {
	w := newWorld(t)
	ctx := within(t, 20*time.Second)
	first := make(chan error, 1)
	go func() { first <- newSide(t, pionsignal.WithSecret("one")).connect(ctx, w, "key") }()
	at(w, "POST /offer/messages")()
	wantError(t, newSide(t, pionsignal.WithSecret("another")).connect(ctx, w, "key"), "opening the offer", seal.ErrBroken)
	wantError(t, <-first, "opening the answer", seal.ErrBroken)
}

// An offerer that waits loses nothing when the session ends: it offers again with the same PeerConnection, or answers.
func TestConnectOutlivesTheSession(t *testing.T) {
	w := newWorld(t)
	one, other := newSide(t), newSide(t)
	call(t, w, "key", one, other, func() {
		for n := range int64(3) {
			w.awaitOpened(n + 1)
			if n == 2 {
				break
			}
			if err := w.session("key", client.Answer).End(t.Context()); err != nil {
				t.Error(err)
			}
		}
	})
}

// away is a transport that loses the answer to the first POST, and those to the requests after it, so many in all.
type away struct {
	next http.RoundTripper

	mu sync.Mutex
	// guarded by mu
	left int
	lost bool // the first one is
}

func (a *away) RoundTrip(r *http.Request) (*http.Response, error) {
	a.mu.Lock()
	lose, first := a.left > 0 && (a.lost || r.Method == http.MethodPost), !a.lost
	if lose {
		a.lost = true
		a.left--
	}
	a.mu.Unlock()
	if !lose {
		return a.next.RoundTrip(r)
	}
	if first { // the server gets it, and waits for the answer: it does not know that nobody is there any more
		go func() {
			if answer, err := a.next.RoundTrip(r.Clone(context.WithoutCancel(r.Context()))); err == nil {
				answer.Body.Close()
			}
		}()
	}
	return nil, errors.New("the server is away")
}

// Who waits outlives a server that is away for longer than requests are repeated, and does not answer its own offer, which it finds there
// when the server is back.
func TestConnectOutlivesAServerThatIsAway(t *testing.T) {
	for name, lost := range map[string]int{"for a moment": 6, "for longer": 12} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			way := &away{next: w.wire, left: lost}
			call(t, w, "key", newSide(t, pionsignal.WithHTTPClient(&http.Client{Transport: way})), newSide(t), func() { w.awaitOpened(2) })
		})
	}
}

// A server that has never answered is an error, as is one that is away from a side whose role is given.
func TestConnectToAServerThatIsNotThere(t *testing.T) {
	w := newWorld(t)
	w.wire.failWhere(func(*http.Request) error { return errors.New("the server is away") })
	for _, s := range []side{newSide(t), newSide(t, pionsignal.WithRole(client.Answer))} {
		wantError(t, s.connect(within(t, 20*time.Second), w, "key"), "the server is away")
	}
}

// An offer that is answered already does not use the PeerConnection up: it is that of two others, one of which is gone.
func TestConnectLeavesWhatIsAnswered(t *testing.T) {
	for name, role := range map[string][]pionsignal.Option{
		"auto":    nil,
		"answer":  {pionsignal.WithRole(client.Answer)},
		"offerer": {pionsignal.WithRole(client.Offer)},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			if _, err := w.session("key", client.Offer).Exchange(t.Context(), client.Write{SDP: "of one that is gone"}, "", 0); err != nil {
				t.Fatal(err)
			}
			if _, err := w.session("key", client.Answer).Exchange(t.Context(), client.Write{SDP: "its answer"}, "", 0); err != nil {
				t.Fatal(err)
			}
			w.wire.take()
			call(t, w, "key", newSide(t, role...), newSide(t), at(w, "GET /"))
		})
	}
}

// Whoever answers an offer whose offerer was killed cannot go on with the same PeerConnection, and learns what can.
func TestConnectWithOneThatIsGone(t *testing.T) {
	for name, c := range map[string]struct {
		candidates []string
		want       error
		text       string
	}{
		"with candidates":    {[]string{`{"candidate":"candidate:1 1 udp 2130706431 127.0.0.1 9 typ host","sdpMid":"0","sdpMLineIndex":0}`}, pionsignal.ErrICE, "ICE failed"},
		"without candidates": {nil, pionsignal.ErrSpent, "it has sent no candidates"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			dead := offered(t)
			dead.Candidates = c.candidates
			if _, err := w.session("key", client.Offer).Exchange(t.Context(), dead, "", 0); err != nil {
				t.Fatal(err)
			}
			pc := newPC(t, func(s *webrtc.SettingEngine) {
				if c.candidates != nil {
					s.SetICETimeouts(time.Second, time.Second, 100*time.Millisecond)
				}
			})
			negotiated(t, pc)
			ctx := within(t, 20*time.Second)
			err := pionsignal.Connect(ctx, pc, w.server.URL, "key", pionsignal.WithHTTPClient(&http.Client{Transport: w.wire}))
			wantError(t, err, c.text, c.want, pionsignal.ErrSpent)
			wantError(t, err, "ConnectNew")
			if c.candidates == nil { // nobody else is to answer it
				if _, err := w.session("key", client.Answer).Messages(t.Context(), "", 0); !errors.Is(err, custerrors.KeyIsExpired) {
					t.Errorf("afterwards the session says %v, want %v", err, custerrors.KeyIsExpired)
				}
			}
		})
	}
}

func TestConnectIsCancelled(t *testing.T) {
	for name, role := range map[string][]pionsignal.Option{
		"auto":   nil,
		"offers": {pionsignal.WithRole(client.Offer)},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			ctx, cancel := context.WithCancel(t.Context())
			go func() { w.awaitOpened(1); cancel() }()
			s := newSide(t, role...)
			wantError(t, s.connect(ctx, w, "key"), "waiting for the answer", context.Canceled)
			if _, err := w.session("key", client.Answer).Messages(t.Context(), "", 0); !errors.Is(err, custerrors.KeyIsExpired) {
				t.Errorf("afterwards the session says %v, want %v: nobody must answer it", err, custerrors.KeyIsExpired)
			}
			if name == "auto" { // the PeerConnection is as new
				call(t, w, "key", s, newSide(t), func() {})
			}
		})
	}
	w := newWorld(t)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { w.wire.await(t, "GET /answer/messages"); cancel() }()
	s := newSide(t, pionsignal.WithRole(client.Answer))
	wantError(t, s.connect(ctx, w, "key"), "waiting for the offer", context.Canceled)
}

// guarded returns a change that makes a server ask for a token, and that token.
func guarded(t *testing.T) (change func(*apptest.Config), token string) {
	t.Helper()
	token, line, err := auth.Mint(auth.Grant{})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "tokens")
	if err := os.WriteFile(path, []byte(line+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	guard, err := auth.Open(t.Context(), auth.Config{TokensFile: path}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(guard.Close)
	return func(c *apptest.Config) { c.Guard = guard }, token
}

func TestConnectWithAToken(t *testing.T) {
	change, token := guarded(t)
	w := newWorld(t, change)
	renewed := pionsignal.WithTokenFunc(func() func(context.Context) (string, error) {
		var mu sync.Mutex
		asked := 0
		return func(context.Context) (string, error) {
			mu.Lock()
			defer mu.Unlock()
			if asked++; asked == 1 {
				return "expired", nil
			}
			return token, nil
		}
	}())
	call(t, w, "key", newSide(t, pionsignal.WithToken(token)), newSide(t, renewed), func() {})
	w.awaitCounted("offer connected host: 1", "answer connected host: 1")

	for name, opts := range map[string][]pionsignal.Option{
		"no token":                  nil,
		"a wrong one":               {pionsignal.WithToken("wrong")},
		"a wrong one, as offerer":   {pionsignal.WithToken("wrong"), pionsignal.WithRole(client.Offer)},
		"a wrong one, as answerer":  {pionsignal.WithToken("wrong"), pionsignal.WithRole(client.Answer)},
		"ever new ones, all wrong":  {pionsignal.WithTokenFunc(func(context.Context) (string, error) { return client.RandomKey(), nil })},
		"a wrong one, and a secret": {pionsignal.WithToken("wrong"), pionsignal.WithSecret("one")},
	} {
		ctx := within(t, 20*time.Second)
		w.wire.take()
		err := newSide(t, opts...).connect(ctx, w, "key")
		wantError(t, err, "NotAuthenticated (this server asks for a token", custerrors.NotAuthenticated)
		if ctx.Err() != nil || strings.Contains(err.Error(), "wrong") {
			t.Errorf("%s: got %v, want it at once and without the token", name, err)
		}
		if got := w.wire.take(); len(got) > 4 {
			t.Errorf("%s: got %d requests, %q, want a few", name, len(got), got)
		}
	}
}

func TestConnectSaysWhatIsWrong(t *testing.T) {
	ctx := within(t, 20*time.Second)
	w := newWorld(t)
	fresh := func() *webrtc.PeerConnection { s := newSide(t); return s.pc }
	closed := newPC(t)
	closed.Close()
	used := newPC(t)
	channel(t, used)
	offer, err := used.CreateOffer(nil)
	if err == nil {
		err = used.SetLocalDescription(offer)
	}
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		pc       *webrtc.PeerConnection
		url, key string
		opts     []pionsignal.Option
		want     string
	}{
		"no pc":             {nil, w.server.URL, "key", nil, "pionsignal: there is no PeerConnection: it is nil"},
		"no scheme":         {fresh(), "localhost", "key", nil, `pionsignal: client: base URL "localhost" is not http or https`},
		"no key":            {fresh(), w.server.URL, "", nil, "pionsignal: client: KeyIsEmpty (the request names no key, or a blank one): key为空"},
		"long key":          {fresh(), w.server.URL, strings.Repeat("k", 33), nil, "pionsignal: client: KeyIsTooLong (the key has more than 32 characters (Unicode code points)): key太长，长度不能超过32位"},
		"blank key, secret": {fresh(), w.server.URL, " ", []pionsignal.Option{pionsignal.WithSecret("one")}, "pionsignal: seal: no secret, or no key, to derive from"},
		"empty secret":      {fresh(), w.server.URL, "key", []pionsignal.Option{pionsignal.WithSecret("")}, "pionsignal: seal: no secret, or no key, to derive from"},
		"no such role":      {fresh(), w.server.URL, "key", []pionsignal.Option{pionsignal.WithRole("auto")}, `pionsignal: the role "auto" is neither "offer" nor "answer"`},
		"bad token":         {fresh(), w.server.URL, "key", []pionsignal.Option{pionsignal.WithToken("a\n")}, "pionsignal: client: the token: it has the end of a line at byte 2 of 2: a token is one word of visible ASCII characters"},
		"negative delay":    {fresh(), w.server.URL, "key", []pionsignal.Option{pionsignal.WithBatchDelay(-1)}, "pionsignal: the batch delay is -1ns, must not be negative"},
		"cursor":            {fresh(), w.server.URL, "key", []pionsignal.Option{pionsignal.WithCursor(new(client.Cursor))}, "pionsignal: WithCursor is not for Connect, which answers no offer that has been answered"},
		"secret and keys":   {fresh(), w.server.URL, "key", []pionsignal.Option{pionsignal.WithSecret("one"), pionsignal.WithSeal(keys(t, "one"))}, "pionsignal: WithSecret and WithSeal: give one of them"},
		"keys of another":   {fresh(), w.server.URL, "other", []pionsignal.Option{pionsignal.WithSeal(keys(t, "one"))}, "pionsignal: the key is not the one that WithSeal's keys were derived for"},
		"closed":            {closed, w.server.URL, "key", nil, "pionsignal: offer: the PeerConnection was closed"},
		"used":              {used, w.server.URL, "key", nil, "pionsignal: offer: the PeerConnection is not new"},
		"nothing to offer":  {newPC(t), w.server.URL, "key", nil, "pionsignal: offer: creating the offer: the PeerConnection has neither a data channel nor a transceiver"},
	} {
		opts := append(c.opts, pionsignal.WithHTTPClient(&http.Client{Transport: w.wire}))
		if err := pionsignal.Connect(ctx, c.pc, c.url, c.key, opts...); err == nil || err.Error() != c.want {
			t.Errorf("%s: got %v, want %s", name, err, c.want)
		}
	}
	for want, option := range map[string]pionsignal.Option{
		"WithRole": pionsignal.WithRole(client.Offer), "WithSecret": pionsignal.WithSecret("one"), "WithToken": pionsignal.WithToken("t"),
		"WithTokenFunc": pionsignal.WithTokenFunc(nil), "WithHTTPClient": pionsignal.WithHTTPClient(nil),
	} {
		want := want + " is for Connect"
		wantError(t, pionsignal.Offer(ctx, fresh(), w.session("key", client.Offer), option), want)
		wantError(t, pionsignal.Answer(ctx, fresh(), w.session("key", client.Answer), option), want)
		_, err := pionsignal.ConnectNew(ctx, w.meeting("key"), (&maker{t: t}).newPC, option)
		wantError(t, err, want)
	}
}
