package cache

import (
	"math"
	"testing"
)

// newsOf returns news at the cursor of an sdp, if its text is not empty, and candidates.
func newsOf(at Cursor, sdp string, candidates ...string) News {
	var b Batch
	if sdp != "" {
		b.Add(Frame{Kind: SDP, Size: len(sdp), Wire: []byte(sdp)})
	}
	for _, c := range candidates {
		b.Add(Frame{Kind: Candidate, Size: len(c), Wire: []byte(c)})
	}
	return News{At: at, Frames: b.Frames()}
}

func TestNewsStanding(t *testing.T) {
	at := func(n int) Cursor { return NewCursor(7, n) }
	for _, tt := range []struct {
		name  string
		news  News
		after Cursor
		want  standing
	}{
		{"the reader's next", newsOf(at(3), "", "a", "b"), at(3), next},
		{"the first, of a session that the reader waits for", newsOf(at(0), "sdp"), 0, next},
		{"the first, of the reader's session", newsOf(at(0), "sdp", "a"), at(0), next},
		{"something is missing in between", newsOf(at(4), "", "a"), at(3), elsewhere},
		{"read already", newsOf(at(3), "", "a", "b"), at(5), known},
		{"read in part", newsOf(at(3), "", "a", "b"), at(4), elsewhere},
		{"of another session", newsOf(NewCursor(8, 3), "", "a"), at(3), elsewhere},
		{"candidates of a session that the reader does not know", newsOf(at(1), "", "a"), 0, elsewhere},
		{"the reader's own opening", News{At: at(0)}, at(0), known},
		{"the opening of a session that the reader waits for", News{At: at(0)}, 0, elsewhere},
		{"damaged", News{At: at(3), Frames: []byte{1, 2, 3}}, at(3), elsewhere},
		{"nothing is said", News{}, at(3), elsewhere},
		{"nothing is said to who knows nothing", News{}, 0, elsewhere},
	} {
		if got := tt.news.standing(tt.after); got != tt.want {
			t.Errorf("%s: got %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestNewsRead(t *testing.T) {
	form := Form{SDP: "s:", Candidate: "c:", After: ";", Separator: ","}
	n := newsOf(NewCursor(7, 0), "sdp", "a", "b")
	for _, want := range []struct {
		limit int
		text  string
		at    int
		rest  bool
	}{{1, "s:sdp;", 1, true}, {1, "c:a;", 2, true}, {9, "c:b;", 3, false}} {
		var got []byte
		if got, n = n.read(nil, want.limit, &form); string(got) != want.text || n.At != NewCursor(7, want.at) || len(n.Frames) > 0 != want.rest {
			t.Errorf("got %q, at %x with %d bytes left, want %q, at %d, something left: %v", got, n.At, len(n.Frames), want.text, want.at, want.rest)
		}
	}
	if got, _ := newsOf(NewCursor(7, 0), "sdp", "a", "b").read([]byte("x"), math.MaxInt, &form); string(got) != "xs:sdp;,c:a;,c:b;" {
		t.Errorf("all at once: got %q", got)
	}
}
