package pionsignal_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"

	"signal-server/app/apptest"
	"signal-server/client"
	"signal-server/client/pionsignal"
)

// many gives a PeerConnection that number of addresses, of which only its own works.
func many(n int) func(*webrtc.SettingEngine) {
	var others []string
	for i := range n - 1 {
		others = append(others, fmt.Sprintf("127.1.%d.%d", i/250, i%250+1))
	}
	return func(s *webrtc.SettingEngine) {
		s.SetICETimeouts(10*time.Second, 20*time.Second, time.Second)
		err := s.SetICEAddressRewriteRules(webrtc.ICEAddressRewriteRule{
			External: others, AsCandidateType: webrtc.ICECandidateTypeHost, Mode: webrtc.ICEAddressRewriteAppend,
		})
		if err != nil {
			panic(err)
		}
	}
}

// One side has more candidates than the server takes of it: the best go with the first write, the others are left out, and the two connect.
func TestMoreCandidatesThanTheServerTakes(t *testing.T) {
	together := pionsignal.WithBatchDelay(10 * time.Second)
	for name, c := range map[string]struct {
		takes int
		want  []int // candidates in each request, the end of candidates included; nil: as many as the server takes
		opts  []pionsignal.Option
	}{
		"as by default":             {128, []int{128}, []pionsignal.Option{together}},
		"a server that takes fewer": {40, []int{128, 64, 32}, []pionsignal.Option{together}},
		"a server that takes one":   {1, []int{128, 64, 32, 16, 8, 4, 2, 1}, []pionsignal.Option{together}},
		"sealed, to one that does":  {40, []int{128, 64, 32}, []pionsignal.Option{together, pionsignal.WithSeal(keys(t, "one"))}},
		"trickled":                  {128, nil, []pionsignal.Option{pionsignal.WithBatchDelay(0)}},
		"trickled, and sealed":      {128, nil, []pionsignal.Option{pionsignal.WithBatchDelay(0), pionsignal.WithSeal(keys(t, "one"))}},
	} {
		for _, role := range []client.Role{client.Offer, client.Answer} {
			t.Run(name+", of the "+string(role)+"er", func(t *testing.T) {
				w := newWorld(t, func(config *apptest.Config) { config.Limits.Candidates = c.takes })
				offers, answers := newPC(t), newPC(t)
				if role == client.Offer {
					offers = newPC(t, many(140))
				} else {
					answers = newPC(t, many(140))
				}
				dc := channel(t, offers)
				echo(answers)
				var posts posts
				w.wire.failWhere(posts.note)
				var log strings.Builder
				connect(t, w, "key", offers, answers, append(c.opts, pionsignal.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))...)
				talk(t, dc)
				if got := posts.of(role); !slices.Equal(got, c.want) && (c.want != nil || sum(got) > c.takes) {
					t.Errorf("got %d candidates in the requests, want %d", got, c.want)
				}
				if c.want != nil && !strings.Contains(log.String(), "left_out=") { // who trickles may be connected before
					t.Errorf("got the log %q, want it to say how many were left out", log.String())
				}
			})
		}
	}
}

// posts are the numbers of candidates in the requests of each role, as a counter's failWhere notes them.
type posts struct {
	mu sync.Mutex
	// guarded by mu
	numbers map[client.Role][]int
}

func (p *posts) note(r *http.Request) error {
	role, ok := strings.CutSuffix(strings.Trim(r.URL.Path, "/"), "/messages")
	if r.Method != http.MethodPost || !ok {
		return nil
	}
	body, err := r.GetBody()
	if err != nil {
		return err
	}
	var write struct{ Candidates []string }
	if err := json.NewDecoder(body).Decode(&write); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.numbers == nil {
		p.numbers = map[client.Role][]int{}
	}
	p.numbers[client.Role(role)] = append(p.numbers[client.Role(role)], len(write.Candidates))
	return nil
}

func (p *posts) of(role client.Role) []int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.numbers[role]
}

func sum(all []int) (n int) {
	for _, one := range all {
		n += one
	}
	return n
}

// A peer of another kind posts candidates as pion-to-pion does, the attribute alone, and null as their end.
func TestCandidatesOfOtherPeers(t *testing.T) {
	w := newWorld(t)
	offers, answers := newPC(t), newPC(t)
	dc := channel(t, offers)
	echo(answers)
	session := w.session("key", client.Answer)
	answered := make(chan error, 1)
	go func() { answered <- answerAsPionToPion(t, session, answers) }()
	if err := pionsignal.Offer(within(t, 20*time.Second), offers, w.session("key", client.Offer)); err != nil {
		t.Error(err)
	}
	if err := <-answered; err != nil {
		t.Error(err)
	}
	talk(t, dc)
}

func answerAsPionToPion(t *testing.T, session *client.Session, pc *webrtc.PeerConnection) error {
	in := session.Inbox("")
	m, err := in.Next(within(t, 10*time.Second))
	if err != nil {
		return err
	}
	var offer webrtc.SessionDescription
	if err := json.Unmarshal([]byte(m.Data), &offer); err != nil {
		return err
	}
	if err := pc.SetRemoteDescription(offer); err != nil {
		return err
	}
	answer, err := pc.CreateAnswer(nil)
	if err != nil {
		return err
	}
	text, err := json.Marshal(answer) // without candidates
	if err != nil {
		return err
	}
	if err := session.PutSDP(t.Context(), string(text), 0); err != nil {
		return err
	}
	var candidates []string
	gathered := make(chan struct{})
	pc.OnICECandidate(func(c *webrtc.ICECandidate) {
		if c == nil {
			close(gathered)
			return
		}
		candidates = append(candidates, c.ToJSON().Candidate)
	})
	if err := pc.SetLocalDescription(answer); err != nil {
		return err
	}
	<-gathered
	for _, c := range candidates {
		if !strings.HasPrefix(c, "candidate:") {
			return fmt.Errorf("got %q, want the attribute", c)
		}
	}
	return session.AddCandidates(t.Context(), append(candidates, "null"))
}
