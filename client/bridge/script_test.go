package bridge

import (
	"slices"
	"strings"
	"testing"

	"signal-server/client"
)

func TestScriptHoldsCandidatesUntilTheSDP(t *testing.T) {
	s := newScript()
	for _, data := range []string{"c1", "c2"} {
		if err := s.add(candidate(data)); err != nil {
			t.Fatal(err)
		}
	}
	rest, grown := s.after(0)
	if len(rest) != 0 || s.begun() {
		t.Errorf("before the sdp: got %v, want nothing", rest)
	}
	if err := s.add(sdp("s")); err != nil {
		t.Fatal(err)
	}
	select {
	case <-grown:
	default:
		t.Error("got no word of the sdp, want one")
	}
	if err := s.add(candidate("c3")); err != nil {
		t.Fatal(err)
	}
	rest, _ = s.after(0)
	want := []client.Message{sdp("s"), candidate("c1"), candidate("c2"), candidate("c3")}
	if !slices.Equal(rest, want) {
		t.Errorf("got %v, want %v", rest, want)
	}
	if rest, _ = s.after(3); !slices.Equal(rest, want[3:]) {
		t.Errorf("after 3: got %v, want %v", rest, want[3:])
	}
	if err := s.add(sdp("again")); err != errSecond {
		t.Errorf("second sdp: got %v, want %v", err, errSecond)
	}
}

func TestScriptIsBounded(t *testing.T) {
	s := newScript()
	for i := range maxMessages {
		if err := s.add(candidate("c")); err != nil {
			t.Fatalf("message %d: got %v, want it taken", i, err)
		}
	}
	if err := s.add(candidate("c")); err != errFull {
		t.Errorf("message %d: got %v, want %v", maxMessages, err, errFull)
	}
	s = newScript()
	if err := s.add(sdp(strings.Repeat("s", maxHeld))); err != nil {
		t.Errorf("%d bytes: got %v, want them taken", maxHeld, err)
	}
	if err := s.add(candidate("c")); err != errFull {
		t.Errorf("%d bytes: got %v, want %v", maxHeld+1, err, errFull)
	}
}

func TestOutboxBeginsAnewWithASecondSDP(t *testing.T) {
	o := newOutbox()
	for _, m := range []client.Message{sdp("s1"), candidate("c1")} {
		if err := o.put(m); err != nil {
			t.Fatal(err)
		}
	}
	first, renewed := o.current()
	for _, m := range []client.Message{sdp("s2"), candidate("c2")} {
		if err := o.put(m); err != nil {
			t.Fatal(err)
		}
	}
	select {
	case <-renewed:
	default:
		t.Error("got no word of the new script, want one")
	}
	second, _ := o.current()
	for _, test := range []struct {
		script *script
		want   []client.Message
	}{
		{first, []client.Message{sdp("s1"), candidate("c1")}},
		{second, []client.Message{sdp("s2"), candidate("c2")}},
	} {
		if got, _ := test.script.after(0); !slices.Equal(got, test.want) {
			t.Errorf("got %v, want %v", got, test.want)
		}
	}
}
