package api_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"signal-server/custerrors"
)

// payloads returns the payloads of an answer, in order.
func payloads(t *testing.T, a answer) (all []string) {
	t.Helper()
	switch {
	case a.msg != "":
		return nil
	case strings.HasPrefix(a.data, `"`):
		all = make([]string, 1)
		unmarshal(t, a.data, &all[0])
	case strings.HasPrefix(a.data, `[`):
		unmarshal(t, a.data, &all)
	case strings.HasPrefix(a.data, `{`):
		var news struct{ Messages []struct{ Data string } }
		unmarshal(t, a.data, &news)
		for _, m := range news.Messages {
			all = append(all, m.Data)
		}
	}
	return all
}

// TestTakersAndPosters lets 8 take what 4 post, all at once. Each payload goes to one taker. A reader by cursor sees all of them, those of
// each poster in their order.
func TestTakersAndPosters(t *testing.T) {
	s := serve(t)
	const posters, each, takers, readers = 4, 32, 8, 2
	key := newKey()
	s.do(t, request{line: "POST /offer/sdp", key: key, body: open("o")})

	var working sync.WaitGroup
	for p := range posters {
		working.Go(func() {
			for i := 0; i < each; i++ {
				if i%4 < 2 {
					s.do(t, request{line: "POST /offer/candidate", key: key, body: fmt.Sprintf("%d-%02d", p, i)})
					continue
				}
				two := fmt.Sprintf(`["%d-%02d","%d-%02d"]`, p, i, p, i+1)
				if i++; p%2 == 0 {
					s.do(t, request{line: "POST /offer/candidates", key: key, body: two})
				} else {
					s.do(t, request{line: "POST /offer/messages", key: key, body: `{"candidates":` + two + `}`})
				}
			}
		})
	}
	var taken atomic.Int64
	got := make([][]string, takers)
	for i := range takers {
		line := []string{"GET /answer/candidate", "GET /answer/candidates"}[i%2] + []string{"", "?wait=0.05"}[i/2%2]
		working.Go(func() {
			for taken.Load() < posters*each && !t.Failed() {
				some := payloads(t, s.do(t, request{line: line, key: key}))
				got[i] = append(got[i], some...)
				taken.Add(int64(len(some)))
			}
		})
	}
	read := make([][]string, readers)
	for i := range readers {
		working.Go(func() {
			for next := ""; len(read[i]) < 1+posters*each && !t.Failed(); {
				a := s.do(t, request{line: "GET /answer/messages?wait=5&after=" + next, key: key})
				read[i] = append(read[i], payloads(t, a)...)
				next = a.next(t)
			}
		})
	}
	working.Wait()

	var want []string
	for p := range posters {
		for i := range each {
			want = append(want, fmt.Sprintf("%d-%02d", p, i))
		}
	}
	all := slices.Sorted(slices.Values(slices.Concat(got...)))
	if !slices.Equal(all, want) {
		t.Errorf("taken: got %d %v, want %d %v", len(all), all, len(want), want)
	}
	for _, one := range append(got, read...) {
		for p := range posters {
			own := slices.DeleteFunc(slices.Clone(one), func(c string) bool { return !strings.HasPrefix(c, fmt.Sprint(p, "-")) })
			if !slices.IsSorted(own) {
				t.Errorf("one poster's candidates: got %v, want them in order", own)
			}
		}
	}
	if !slices.Equal(read[0], read[1]) {
		t.Errorf("two readers: got %v and %v, want the same", read[0], read[1])
	}
}

// TestOnlyOneOpens opens one key from many sides, and repeats one write from many sides.
func TestOnlyOneOpens(t *testing.T) {
	s := serve(t)
	const n = 8
	for range 10 {
		key := newKey()
		var opened atomic.Int64
		var working sync.WaitGroup
		for i := range n {
			working.Go(func() {
				a := s.do(t, request{line: "POST /offer/sdp", key: key, body: open(fmt.Sprint(i))})
				if a.msg == "" {
					opened.Add(1)
				} else if a.msg != custerrors.SdpAlreadyExist {
					t.Errorf("open: got %q, want success or %q", a.msg, custerrors.SdpAlreadyExist)
				}
			})
		}
		working.Wait()
		if got := opened.Load(); got != 1 {
			t.Errorf("opened: got %d, want 1", got)
		}
		var taken atomic.Int64
		for range n {
			working.Go(func() {
				s.do(t, request{line: "POST /offer/candidate", key: key, body: "c", header: token("1")}).expect(t, "post", "", "")
			})
			working.Go(func() { taken.Add(int64(len(payloads(t, s.do(t, request{line: "GET /answer/sdp", key: key}))))) })
		}
		working.Wait()
		if got := taken.Load(); got != 1 {
			t.Errorf("takers of the sdp: got %d, want 1", got)
		}
		s.do(t, request{line: "GET /answer/candidates", key: key}).expect(t, "one token", "", `["c"]`)
	}
}

// TestManySessionsAtOnce runs handshakes side by side. Each side goes the classic way or uses messages. Each payload names its session, so
// the test sees if one is lost, doubled or mixed up.
func TestManySessionsAtOnce(t *testing.T) {
	s := serve(t)
	const sessions, candidates = 200, 6
	var working sync.WaitGroup
	for i := range sessions {
		key := newKey()
		late := map[int]string{5: "offer", 6: "answer"}[i%8] // this side comes when the other one waits; "": both come at once
		working.Go(func() {
			if late == "offer" {
				s.store.await(t, key, 1)
			}
			s.peer(t, "offer", key, i&1 == 0, candidates)
		})
		working.Go(func() {
			if late == "answer" {
				s.store.await(t, key, 1)
			}
			s.peer(t, "answer", key, i&2 == 0, candidates)
		})
	}
	working.Wait()
}

// peer is one side of a handshake: it writes its sdp and candidates, and checks that it gets the other side's.
func (s *server) peer(t *testing.T, role, key string, classic bool, candidates int) {
	other := map[string]string{"offer": "answer", "answer": "offer"}[role]
	payload := func(role string, i int) string {
		return fmt.Sprintf("%s of %s: %d %s", role, key, i, strings.Repeat("x", 50*(i%3)))
	}
	var own, want []string
	for i := range candidates + 1 { // the first one is the sdp
		own = append(own, payload(role, i))
		want = append(want, payload(other, i))
	}
	var got []string
	if classic {
		got = s.classicPeer(t, role, key, own)
	} else {
		got = s.messagesPeer(t, role, key, own)
	}
	if !slices.Equal(got, want) {
		t.Errorf("%s, classic %v: got %q, want %q", role, classic, got, want)
	}
}

func (s *server) classicPeer(t *testing.T, role, key string, own []string) (got []string) {
	take := func(line string) {
		got = append(got, payloads(t, s.do(t, request{line: line + "?wait=20", key: key}))...)
	}
	put := func() {
		line, body := "POST /"+role+"/sdp", own[0]
		if role == "offer" {
			body = open(own[0])
		}
		s.do(t, request{line: line, key: key, body: body}).expect(t, line, "", "")
		for _, c := range own[1:] {
			s.do(t, request{line: "POST /" + role + "/candidate", key: key, body: c}).expect(t, "candidate", "", "")
		}
	}
	if role == "offer" {
		put()
	}
	take("GET /" + role + "/sdp")
	if role == "answer" {
		put()
	}
	for len(got) < len(own) && !t.Failed() {
		if len(got)%2 == 0 {
			take("GET /" + role + "/candidate")
		} else {
			take("GET /" + role + "/candidates")
		}
	}
	return got
}

func (s *server) messagesPeer(t *testing.T, role, key string, own []string) (got []string) {
	next := ""
	ask := func(line, body string) {
		a := s.do(t, request{line: line + "&after=" + next, key: key, body: body})
		got = append(got, payloads(t, a)...)
		if n := a.next(t); n != "" {
			next = n
		}
	}
	put, err := json.Marshal(map[string]any{"sdp": own[0], "candidates": own[1:]})
	if err != nil {
		t.Error(err)
	}
	path := "/" + role + "/messages?wait="
	if role == "offer" {
		ask("POST "+path+"20", string(put))
	} else {
		ask("GET "+path+"20", "")
		ask("POST "+path+"0", string(put))
	}
	for len(got) < len(own) && !t.Failed() {
		ask("GET "+path+"20", "")
	}
	return got
}
