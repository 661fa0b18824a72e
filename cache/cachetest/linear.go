package cachetest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/anishathalye/porcupine"

	"signal-server/cache"
	"signal-server/custerrors"
)

// linearChecks are about calls on one session that overlap. There must be an order in which the calls, made one after the other, have
// these answers. In that order a call must not come before another that had ended when it began.
var linearChecks = []check{
	{name: "linear/calls on one session", place: outside, limits: fewCandidates, run: linearHistories},
}

// op is one call.
type op struct {
	name  string // Write, Exchange (a Write that also reads), Take, Read or End
	role  cache.Role
	kind  cache.Kind // of Take
	opens bool       // whether a write does
	sdp   bool       // whether it has one
	cands int        // and how many candidates
	id    string     // what its payloads begin with
	token string
	body  string // what the token of a write is bound to
}

// route is what the token is bound to, beside the body. A Take's tells the kind.
func (o op) route() string {
	if o.name == "Take" {
		return fmt.Sprint("GET ", o.kind)
	}
	return "POST"
}

// outcome is what came of a call.
type outcome struct {
	text string
	err  error
}

func (o op) frames() (frames []cache.Frame) {
	if o.sdp {
		frames = append(frames, sdp(o.id))
	}
	for i := range o.cands {
		frames = append(frames, cand(fmt.Sprintf("%s.%d", o.id, i)))
	}
	return frames
}

// order is the session as its calls have left it. It is the model again, but as a value, because the checker tries many orders. Role
// is the index of the arrays, so that their first element is not used.
type order struct {
	opened, live bool
	sdp          [3]string
	sdpTaken     [3]bool
	cands        [3]string // each with a space behind it
	taken        [3]int    // bytes of cands
	tokens       [3]string // a line for each: token, what it is bound to, and what a take got
}

// used returns what the token of the call got, if it was used before, and whether it was bound to something else.
func (s order) used(o op) (got string, again, reused bool) {
	if o.token == "" {
		return "", false, false
	}
	for line := range strings.Lines(s.tokens[o.role]) {
		if fields := strings.Split(strings.TrimSuffix(line, "\n"), "\t"); fields[0] == o.token {
			return fields[2], true, fields[1] != o.route()+o.body
		}
	}
	return "", false, false
}

// use notes what the token of the call was used for.
func (s *order) use(o op, got string) {
	if o.token != "" {
		s.tokens[o.role] += o.token + "\t" + o.route() + o.body + "\t" + got + "\n"
	}
}

func (s order) step(o op) (order, outcome) {
	if o.name != "Exchange" {
		return s.stepOne(o)
	}
	write, read := o, op{name: "Read", role: o.role}
	write.name = "Write"
	next, out := s.stepOne(write)
	if out.err != nil {
		return next, out
	}
	return next.stepOne(read)
}

// stepOne is step for a call that does one thing.
func (s order) stepOne(o op) (order, outcome) {
	from, to := o.role, o.role.Other()
	another := s.live && o.opens
	switch {
	case !s.live && o.opens:
		s = order{opened: true, live: true}
	case !s.live && s.opened:
		return s, outcome{err: custerrors.KeyIsExpired}
	case !s.live:
		return s, outcome{err: custerrors.KeyNotFound}
	}
	if o.name == "Write" || o.name == "Take" {
		got, again, reused := s.used(o)
		if reused {
			return s, outcome{err: custerrors.IdempotencyKeyIsReused}
		}
		if again {
			return s, outcome{text: got}
		}
	}
	switch o.name {
	case "Write":
		switch {
		case another, o.sdp && s.sdp[from] != "":
			return s, outcome{err: custerrors.SdpAlreadyExist}
		case strings.Count(s.cands[from], " ")+o.cands > maxCandidates:
			return s, outcome{err: custerrors.QueueIsFull}
		}
		for _, f := range o.frames() {
			if f.Kind == cache.SDP {
				s.sdp[from] = string(f.Wire)
			} else {
				s.cands[from] += string(f.Wire) + " "
			}
		}
		s.use(o, "")
	case "Take":
		if o.kind == cache.SDP {
			if s.sdp[to] == "" || s.sdpTaken[to] {
				return s, outcome{err: custerrors.SdpNoValues}
			}
			s.sdpTaken[to] = true
			got := text(sdp(s.sdp[to]))
			s.use(o, got)
			return s, outcome{text: got}
		}
		left := strings.Fields(s.cands[to][s.taken[to]:])
		if len(left) == 0 {
			return s, outcome{err: custerrors.CandidateNoValues}
		}
		left = left[:min(2, len(left))]
		for _, c := range left {
			s.taken[to] += len(c) + 1
		}
		got := text(cands(left...)...)
		s.use(o, got)
		return s, outcome{text: got}
	case "Read":
		if s.sdp[to] == "" {
			return s, outcome{err: custerrors.SdpNoValues}
		}
		return s, outcome{text: text(with(sdp(s.sdp[to]), cands(strings.Fields(s.cands[to])...)...)...)}
	case "End":
		s.live = false
	}
	return s, outcome{}
}

// call makes the call on the store.
func call(r *rig, store cache.Store, key cache.Key, o op) outcome {
	var out []byte
	var err error
	switch o.name {
	case "Write", "Exchange":
		w := cache.Write{
			Key: key, From: o.role, Opens: o.opens, Batch: batch(o.frames()...),
			Token: cache.Token(o.token), Route: o.route(), Body: []byte(o.body),
		}
		if o.name == "Exchange" {
			w.Limit, w.Form = cache.MaxLog, &plain
		}
		out, _, err = store.Write(r.ctx, nil, w)
	case "Take":
		out, err = store.Take(r.ctx, nil, cache.Take{
			Key: key, To: o.role, Kind: o.kind, Limit: 2, Form: &plain, Token: cache.Token(o.token), Route: o.route(),
		})
	case "Read":
		out, _, err = store.Read(r.ctx, nil, key, o.role, 0, cache.MaxLog, &plain)
	case "End":
		err = store.End(r.ctx, key)
	}
	return outcome{string(out), err}
}

func randomOp(random *rand.Rand, id string) op {
	o := op{role: cache.Roles[random.IntN(2)], kind: cache.SDP + cache.Kind(random.IntN(2)), id: id}
	if random.IntN(3) == 0 {
		o.token = fmt.Sprintf("token%d", random.IntN(2))
	}
	body := ""
	if random.IntN(4) == 0 {
		body = "another body"
	}
	switch n := random.IntN(20); {
	case n < 4:
		o.name, o.opens, o.sdp, o.cands = "Write", true, true, random.IntN(2)
		if random.IntN(4) > 0 {
			o.role = cache.Offer
		}
	case n < 9:
		o.name, o.sdp, o.cands = "Write", random.IntN(3) == 0, 1+random.IntN(2)
	case n < 12:
		o.name, o.sdp, o.cands = "Exchange", random.IntN(3) == 0, 1+random.IntN(2)
		o.opens = o.sdp && random.IntN(2) == 0
	case n < 15:
		o.name = "Take"
	case n < 19:
		o.name = "Read"
	default:
		o.name = "End"
	}
	if o.name != "Take" {
		o.body = body
	}
	return o
}

// linearHistories records short histories, because the checker's work grows fast with what overlaps, and many of them.
func linearHistories(r *rig) {
	const histories, clients, each = 400, 5, 7
	linear := porcupine.Model{
		Init: func() any { return order{} },
		Step: func(state, input, output any) (bool, any) {
			next, want := state.(order).step(input.(op))
			return want == output.(outcome), next
		},
	}
	unknown := 0
	for history := range histories {
		key := cache.Key(fmt.Sprintf("k%d", history))
		records := make([][]porcupine.Operation, clients)
		start := time.Now()
		together(clients, func(client int) {
			random := rand.New(rand.NewPCG(uint64(history), uint64(client))) // #nosec G404 -- its seed gives the same again
			store := r.nodes[client%len(r.nodes)]
			for i := range each {
				o := randomOp(random, fmt.Sprintf("%d-%d", client, i))
				called := time.Since(start)
				out := call(r, store, key, o)
				records[client] = append(records[client], porcupine.Operation{
					ClientId: client, Input: o, Call: int64(called), Output: out, Return: int64(time.Since(start)),
				})
			}
		})
		all := slices.Concat(records...)
		switch porcupine.CheckOperationsTimeout(linear, all, 5*time.Second) {
		case porcupine.Illegal:
			slices.SortFunc(all, func(a, b porcupine.Operation) int { return int(a.Call - b.Call) })
			for _, o := range all {
				r.Logf("client %d, %v to %v: %+v: %+v", o.ClientId, time.Duration(o.Call), time.Duration(o.Return), o.Input, o.Output)
			}
			r.Fatalf("history %d: got answers that no order of the calls explains", history)
		case porcupine.Unknown:
			unknown++
		}
	}
	if unknown > histories/10 {
		r.Errorf("got %d of %d histories without a verdict in time, want few", unknown, histories)
	}
}
