package cachetest

import (
	"slices"

	"signal-server/cache"
)

// rig is what a check works on: it calls an engine, and compares what the calls return. Its methods fail the test by themselves.
type rig struct {
	engine
	asleep bool // waits of its mailrooms have a cache.Sleeper, in place of a goroutine that sleeps
}

// plain is the Form of a rig's calls. It makes s(…) of an sdp and c(…) of a candidate, so that neither passes for the other.
var plain = cache.Form{SDP: "s(", Candidate: "c(", After: ")", Separator: " "}

// before stands in every dst that a rig hands in.
const before = "before:"

// dst returns a buffer that holds before, with room behind it. A call that fails must return it as it was.
func dst() []byte { return append(make([]byte, 0, 64), before...) }

// appended returns what a call appended to dst. It checks that the call left alone what was there, and appended nothing on an error.
func (r *rig) appended(what string, out []byte, err error) string {
	r.Helper()
	text := string(out)
	if len(text) < len(before) || text[:len(before)] != before {
		r.Errorf("%s: got dst %q, want %q and what was read", what, text, before)
		return text
	}
	if err != nil && len(text) > len(before) {
		r.Errorf("%s: got %q appended to dst by a call that failed with %v, want nothing", what, text[len(before):], err)
	}
	return text[len(before):]
}

// said names an error, nil too.
func said(err error) string {
	if err == nil {
		return "no error"
	}
	return err.Error()
}

// wantError compares as the callers do: with ==.
func (r *rig) wantError(what string, got error, want ...error) {
	r.Helper()
	if slices.Contains(want, got) {
		return
	}
	names := said(want[0])
	for _, err := range want[1:] {
		names += " or " + said(err)
	}
	r.Errorf("%s: got %s, want %s", what, said(got), names)
}
