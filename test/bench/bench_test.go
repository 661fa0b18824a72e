package main

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// The test's executable is a candidate too, as the program's is.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "serve" {
		exit(serve(os.Args[2:]))
	}
	os.Exit(m.Run())
}

// TestGroups measures every group without PeerServer, as little as it can.
func TestGroups(t *testing.T) {
	tiny := size{
		rounds: 1, requests: 1, handshakes: 2 * atOnce, dials: atOnce, sessions: 500, connections: 50, quiet: 40, handoffs: 1, churn: 11_000, operations: 1,
		relaying: 50 * time.Millisecond, connects: 1,
	}
	b, err := prepare(t.Context(), tiny, "../..", "../..")
	if err != nil {
		t.Fatal(err)
	}
	defer b.close()
	for i, g := range slices.Concat(groups, versionGroups) {
		t.Run(g.name, func(t *testing.T) {
			b.progress.groupBegins(g.name, i+1, len(groups)+len(versionGroups))
			if g.name == "calls" && !straceInstalled() {
				if os.Getenv("CI") == "true" {
					t.Fatal("strace is not installed")
				}
				t.Skip("strace is not installed")
			}
			before := b.faults.checked.Load()
			if err := g.run(t.Context(), b); err != nil {
				t.Fatal(err)
			}
			if b.faults.checked.Load() == before {
				t.Error("got no answers checked, want some")
			}
		})
	}
	if err := b.faults.err(); err != nil {
		t.Error(err)
	}
	dir := t.TempDir()
	if err := b.report.write(dir, b.conditions(time.Second)); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(dir + "/benchmarks.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, bar := range b.report.bars {
		if !strings.Contains(string(page), bar.name) {
			t.Errorf("the page has no %q", bar.name)
		}
	}
	drawn, err := os.Open(dir + "/benchmarks.svg")
	if err != nil {
		t.Fatal(err)
	}
	defer drawn.Close()
	for d := xml.NewDecoder(drawn); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("the drawing: %v", err)
		}
	}
}

// TestFaults checks that each kind of wrong answer is counted as what it is.
func TestFaults(t *testing.T) {
	key, other := newKey(), newKey()
	one := func(p payload) string { return string(appendOne(nil, p)) }
	want := one(long(key, "offer", 2))
	for _, test := range []struct {
		name, got                    string
		lost, doubled, mixed, wrongs int64
	}{
		{name: "right", got: want},
		{name: "nothing", got: nothing, lost: 1},
		{name: "again", got: one(long(key, "offer", 1)), lost: 1, doubled: 1},
		{name: "another's", got: one(long(other, "offer", 2)), lost: 1, mixed: 1},
		{name: "twice", got: want + want, doubled: 1},
		{name: "torn", got: want[:len(want)-1], wrongs: 1},
	} {
		var f faults
		if got := f.check([]byte(test.got), []byte(want), key); got != (test.name == "right") {
			t.Errorf("%s: got %v", test.name, got)
		}
		if f.lost.Load() != test.lost || f.doubled.Load() != test.doubled || f.mixed.Load() != test.mixed || f.wrongs.Load() != test.wrongs {
			t.Errorf("%s: got %v, want %d lost, %d doubled, %d mixed up, %d wrong",
				test.name, f.err(), test.lost, test.doubled, test.mixed, test.wrongs)
		}
	}
}

func TestPayloadSizes(t *testing.T) {
	key := newKey()
	for _, test := range []struct {
		p    payload
		want int
	}{
		{sdp(key, "offer"), offerSDP},
		{sdp(key, "answer"), answerSDP},
		{short(key, "answer", 6), shortCandidate},
		{long(key, "offer", 128), longCandidate},
	} {
		if got := len(test.p.appendText(nil)); got != test.want {
			t.Errorf("%s %d: got %d bytes, want %d", test.p.role, test.p.n, got, test.want)
		}
	}
}

func TestMatches(t *testing.T) {
	want := `{"next":"` + anyCursor + `","messages":[]}`
	for got, ok := range map[string]bool{
		`{"next":"abc","messages":[]}`:  true,
		`{"next":"","messages":[]}`:     false,
		`{"next":"abc","messages":[1]}`: false,
		`{"next":"abc`:                  false,
		`{}`:                            false,
	} {
		if matches([]byte(got), []byte(want)) != ok {
			t.Errorf("%s: got %v, want %v", got, !ok, ok)
		}
	}
}

func TestSeries(t *testing.T) {
	s := series{4, 1, 3, 2}
	if got, want := s.span(1), "2.5 (1.0–4.0)"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := s.over(series{2, 2, 2, 2}).median(), 1.25; got != want {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestCollected(t *testing.T) {
	trace := "signal-server: serving\ngc 3 @1.9s 0%: 0.01+1.5+0.002 ms clock, 0.5+1.0/2.0/9.0+0.5 ms cpu, 4->4->2 MB, 5 MB goal, 0 MB stacks\n"
	runs, spent, err := collected(trace)
	if err != nil || runs != 1 || spent != 4*time.Millisecond {
		t.Errorf("got %d, %v, %v, want 1, 4ms", runs, spent, err)
	}
}

// TestSameFasthttp checks that the servers beside this one are built with the same fasthttp.
func TestSameFasthttp(t *testing.T) {
	required := regexp.MustCompile(`github\.com/valyala/fasthttp (v\S+)`)
	var versions [2]string
	for i, name := range [...]string{"go.mod", "../../go.mod"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		found := required.FindSubmatch(text)
		if found == nil {
			t.Fatalf("%s names no fasthttp", name)
		}
		versions[i] = string(found[1])
	}
	if versions[0] != versions[1] {
		t.Errorf("fasthttp: got %s here and %s in the server, want the same", versions[0], versions[1])
	}
}
