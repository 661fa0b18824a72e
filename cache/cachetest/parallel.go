package cachetest

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"signal-server/cache"
	"signal-server/custerrors"
)

// parallelChecks are about many callers at once.
var parallelChecks = []check{
	{name: "parallel/8 takers, 4 posters, each payload once", place: outside, limits: manyCandidates, run: parallelTakers},
	{name: "parallel/the sdp goes to one taker", place: outside, run: parallelSDP},
	{name: "parallel/one Write that opens wins", place: outside, run: parallelOpen},
	{name: "parallel/a write repeated at once is applied once", place: outside, run: parallelToken},
	{name: "parallel/the limit is exact", place: outside, run: parallelLimit},
	{name: "parallel/many sessions, nothing lost, doubled or mixed", place: outside, run: parallelSessions},
}

// together runs f(0) to f(n-1), all at the same moment, and waits for them.
func together(n int, f func(i int)) {
	var group sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		group.Go(func() {
			<-start
			f(i)
		})
	}
	close(start)
	group.Wait()
}

func parallelTakers(r *rig) {
	const posters, takers, each = 4, 8, 300
	lines := cache.Form{After: "\n"}
	var posted atomic.Int32
	taken := make([][]string, takers)
	r.open("k", sdp("o"))
	together(posters+takers, func(i int) {
		if i < posters {
			defer posted.Add(1)
			for n := 0; n < each; {
				var frames []cache.Frame
				for range min(1+n%3, each-n) {
					frames = append(frames, cand(fmt.Sprintf("%d:%04d", i, n)))
					n++
				}
				r.append("k", cache.Offer, frames...)
			}
			return
		}
		for {
			last := posted.Load() == posters // before the look, which finds all that is posted by then
			out, err := r.node().Take(r.ctx, nil, cache.Take{Key: "k", To: cache.Answer, Kind: cache.Candidate, Limit: 1 + i%3, Form: &lines})
			switch {
			case err == nil:
				taken[i-posters] = append(taken[i-posters], strings.Fields(string(out))...)
			case err != custerrors.CandidateNoValues:
				r.wantError("Take", err, nil)
				return
			case last:
				return
			default:
				runtime.Gosched()
			}
		}
	})

	times := make(map[string]int)
	for _, mine := range taken {
		var latest [posters]string
		for _, payload := range mine {
			times[payload]++
			poster := payload[0] - '0'
			if payload <= latest[poster] {
				r.Errorf("one taker: got %s after %s, want the order of posting", payload, latest[poster])
			}
			latest[poster] = payload
		}
	}
	for i := range posters {
		for n := range each {
			if got := times[fmt.Sprintf("%d:%04d", i, n)]; got != 1 {
				r.Errorf("payload %d of poster %d: got it %d times, want once", n, i, got)
			}
		}
	}
}

func parallelSDP(r *rig) {
	for i := range 50 {
		key := cache.Key(fmt.Sprintf("k%d", i))
		r.open(key, sdp("o"))
		var got atomic.Int32
		together(8, func(int) {
			text, err := r.take(key, cache.Answer, cache.SDP, 1)
			if err == nil {
				got.Add(1)
			} else if err != custerrors.SdpNoValues || text != "" {
				r.Errorf("Take: got %q (%v), want the sdp or %s", text, err, custerrors.SdpNoValues)
			}
		})
		if got.Load() != 1 {
			r.Errorf("8 takers of one sdp: got it %d times, want once", got.Load())
		}
	}
}

func parallelOpen(r *rig) {
	for i := range 50 {
		key := cache.Key(fmt.Sprintf("k%d", i))
		won := make([]bool, 8)
		together(len(won), func(i int) {
			err := r.write(r.node(), cache.Write{
				Key: key, From: cache.Roles[i%2], Opens: true, Token: cache.Token(fmt.Sprintf("token-%d", i)), Batch: batch(sdp(fmt.Sprintf("%d", i))),
			})
			r.wantError("Open", err, nil, custerrors.SdpAlreadyExist)
			won[i] = err == nil
		})
		winner := slices.Index(won, true)
		if winner < 0 || slices.Contains(won[winner+1:], true) {
			r.Errorf("8 Opens of one key: got winners %v, want one", won)
			continue
		}
		r.wantAll(key, cache.Roles[winner%2].Other(), sdp(fmt.Sprintf("%d", winner)))
	}
}

func parallelToken(r *rig) {
	for i := range 30 {
		key := cache.Key(fmt.Sprintf("k%d", i))
		together(6, func(int) { r.wantOpen(nil, key, "open", sdp("o"), cand("1")) })
		together(6, func(int) { r.wantAppend(nil, key, cache.Offer, "append", cands("2", "3")...) })
		together(6, func(int) { r.wantAppend(nil, key, cache.Answer, "append", sdp("a"), cand("1")) })
		r.wantAll(key, cache.Answer, sdp("o"), cand("1"), cand("2"), cand("3"))
		r.wantAll(key, cache.Offer, sdp("a"), cand("1"))
	}
}

func parallelLimit(r *rig) {
	const posters = 8
	for i := range 20 {
		key := cache.Key(fmt.Sprintf("k%d", i))
		r.open(key, sdp("o"))
		var accepted atomic.Int32
		together(posters, func(i int) {
			n := 1 + i%3
			for {
				if err := r.write(r.node(), cache.Write{Key: key, From: cache.Offer, Batch: batch(numbered(n)...)}); err != nil {
					r.wantError("Append", err, custerrors.QueueIsFull)
					return
				}
				accepted.Add(int32(n))
			}
		})
		log, next, err := r.read(key, cache.Answer, 0, cache.MaxLog)
		r.wantError("Read", err, nil)
		for what, got := range map[string]int{
			"accepted": int(accepted.Load()), "before the cursor": next.Position() - 1, "read": strings.Count(log, "c("),
		} {
			if got != r.limits.Candidates {
				r.Errorf("%d posters: got %d candidates %s, want the limit, %d", posters, got, what, r.limits.Candidates)
			}
		}
	}
}

// parallelSessions lets pairs of peers shake hands, all pairs at once. Every payload says whose it is. Each key serves two sessions,
// one after the other. The second is opened before its answerer comes, because a key whose session has just ended is not waited
// for.
func parallelSessions(r *rig) {
	const pairs, sessions = 16, 12
	together(pairs, func(pair int) {
		for session := range sessions {
			p := peers{r: r, key: cache.Key(fmt.Sprintf("pair %d, session %d", pair, session/2)), session: session}
			again := session%2 == 1
			if again {
				p.open()
			}
			together(2, func(i int) {
				if cache.Roles[i] == cache.Offer && !again {
					p.open()
				}
				p.shake(cache.Roles[i])
			})
			r.end(p.key)
		}
	})
}

// peers are the two roles of one session. Each posts messagesEach messages, its sdp first.
type peers struct {
	r       *rig
	key     cache.Key
	session int
}

const messagesEach = 6

func (p *peers) message(from cache.Role, i int) cache.Frame {
	f := cand(fmt.Sprintf("%s/%d/%v/%d", p.key, p.session, from, i))
	if i == 0 {
		f.Kind = cache.SDP
	}
	return f
}

func (p *peers) open() { p.r.wantOpen(nil, p.key, "open", p.message(cache.Offer, 0)) }

// shake reads what the other role writes, and after the first message writes what self has to say.
func (p *peers) shake(self cache.Role) {
	post := func(i int) { p.r.append(p.key, self, p.message(self, i)) }
	posted := 0
	if self == cache.Offer { // open has posted the sdp; one candidate may come before the answer
		post(1)
		posted = 2
	}
	m, after, read := cache.NewMailroom(p.r.node(), p.r.limits), cache.Cursor(0), 0
	for read < messagesEach {
		w := cache.Wait{For: long, Unopened: true}
		out, next, err := m.Read(p.r.ctx, nil, p.key, self, after, 2, &plain, &w)
		w.End()
		if err != nil {
			p.r.Errorf("%s, %v: got %v after %d messages, want %d", p.key, self, err, read, messagesEach)
			return
		}
		var want []cache.Frame
		for ; read < next.Position(); read++ {
			want = append(want, p.message(self.Other(), read))
		}
		if string(out) != text(want...) {
			p.r.Errorf("%s, %v: got %q, want %q", p.key, self, out, text(want...))
		}
		if after == 0 {
			for i := posted; i < messagesEach; i++ {
				post(i)
			}
		}
		after = next
	}
}
