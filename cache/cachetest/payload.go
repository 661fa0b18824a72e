package cachetest

import (
	"bytes"
	"fmt"
	"strings"

	"signal-server/cache"
	"signal-server/custerrors"
)

// payloadChecks are about getting out what was put in: the payload, its form, the key.
var payloadChecks = []check{
	{name: "form/all fields, all combinations", run: formFields},
	{name: "payload/comes back byte for byte", limits: roomy, run: payloadOpaque},
	{name: "payload/as long as they come", limits: roomy, run: payloadLong},
	{name: "dst/grows and is not kept", run: dstGrows},
	{name: "key/hostile ones never mix", run: keysHostile},
	{name: "arguments/are not kept", run: argumentsNotKept},
}

func roomy(l *cache.Limits) { l.SessionBytes = 4 << 20 }

func formFields(r *rig) {
	log := with(sdp("o"), cands("1", "2", "3")...)
	forms := []cache.Form{
		{},
		{SDP: "<"},
		{Candidate: "<"},
		{After: ">"},
		{Separator: ","},
		{SDP: "S:", Candidate: "C:", After: ";", Separator: "|"},
		{SDP: `{"type":"sdp","data":"`, Candidate: `{"type":"candidate","data":"`, After: `"}`, Separator: ","},
		{SDP: strings.Repeat("s", 300), Candidate: strings.Repeat("c", 300), After: strings.Repeat("a", 300)},
		{SDP: "\x00%s{}", Candidate: "$1\n", After: "\xff", Separator: "\r\n"},
	}
	for i, form := range forms {
		key := cache.Key(fmt.Sprintf("k%d", i))
		r.open(key, log...)
		render := func(frames ...cache.Frame) (out []byte) {
			for i, f := range frames {
				out = form.Begin(out, f.Kind, i == 0)
				out = form.End(append(out, f.Wire...))
			}
			return out
		}
		want := func(what string, got []byte, err error, frames ...cache.Frame) {
			r.Helper()
			if want := render(frames...); err != nil || !bytes.Equal(got, want) {
				r.Errorf("%s in form %+q: got %q (%s), want %q", what, form, got, said(err), want)
			}
		}
		got, next, err := r.node().Read(r.ctx, nil, key, cache.Answer, 0, 9, &form)
		want("Read all", got, err, log...)
		got, next, err = r.node().Read(r.ctx, nil, key, cache.Answer, cache.NewCursor(next.Epoch(), 1), 2, &form)
		want("Read after the sdp", got, err, log[1:3]...)
		got, _, err = r.node().Read(r.ctx, nil, key, cache.Answer, next, 2, &form)
		want("Read the last", got, err, log[3])
		got, err = r.node().Take(r.ctx, nil, cache.Take{Key: key, To: cache.Answer, Kind: cache.SDP, Limit: 1, Form: &form})
		want("Take sdp", got, err, log[0])
		got, err = r.node().Take(r.ctx, nil, cache.Take{Key: key, To: cache.Answer, Kind: cache.Candidate, Limit: 2, Form: &form})
		want("Take two", got, err, log[1:3]...)
		got, err = r.node().Take(r.ctx, nil, cache.Take{Key: key, To: cache.Answer, Kind: cache.Candidate, Limit: 2, Form: &form})
		want("Take the last", got, err, log[3])
	}
}

// opaque payloads, in wire form: a store neither unescapes nor escapes nor trims.
var opaque = []string{
	"", " ", "  x ", `\n`, `\r\n`, `\t`, `\"`, `\"\"`, `\\`, `\\\\u0000`, `\/`, `/`, `\u0000`, `\u0000\u0000`, `\u0022`,
	"null", "0", "{}", "[]", `{\"type\":\"offer\",\"sdp\":\"v=0\\r\\n\"}`, "%s%d%n", "$1", "'", "`", ";--", "\u007f",
	"é", "e\u0301", "日本語", "😀", "\U0010ffff", "\u2028\u2029", "\ufeff", "\ufffd", `\ud83d\ude00`, `\ud83d`, "*3", "$-1", "+OK", "-ERR",
	"candidate:1 1 udp 2130706431 192.0.2.1 54321 typ host",
}

func payloadOpaque(r *rig) {
	var candidates []cache.Frame
	for _, wire := range opaque {
		candidates = append(candidates, cand(wire))
	}
	for i, wire := range opaque {
		key := cache.Key(fmt.Sprintf("k%d", i))
		r.open(key, sdp(wire))
		r.append(key, cache.Answer, sdp(wire), cand(wire))
		r.wantAll(key, cache.Answer, sdp(wire))
		r.wantAll(key, cache.Offer, sdp(wire), cand(wire))
		r.wantTake(key, cache.Answer, cache.SDP, 1, sdp(wire))
		r.wantTake(key, cache.Offer, cache.Candidate, 1, cand(wire))
		r.refuseTake(custerrors.SdpNoValues, key, cache.Answer, cache.SDP) // "" is a value once, too
	}
	r.open("all", with(sdp(""), candidates...)...)
	r.wantAll("all", cache.Answer, with(sdp(""), candidates...)...)
	r.wantTake("all", cache.Answer, cache.Candidate, len(candidates), candidates...)
}

// payloadLong writes the longest payload that the server's defaults allow, every byte in its longest form: 64 KiB of NUL, 384 KiB in
// wire form. The other lengths are those at which buffers and counters usually end.
func payloadLong(r *rig) {
	const nul = `\u0000`
	for i, size := range []int{127, 128, 255, 256, 4095, 4096, 8191, 8192, 8193, 16383, 16384, 32768, 65535, 65536} {
		key := cache.Key(fmt.Sprintf("k%d", i))
		short := bytes.Repeat([]byte("0123456789abcdefghijklmnopqrstuvwxyz-"), size/37+1)[:size]
		long := cache.Frame{Kind: cache.SDP, Size: size, Wire: []byte(strings.Repeat(nul, size))}
		candidates := []cache.Frame{cand("1"), {Kind: cache.Candidate, Size: size, Wire: short}, cand("2")}
		r.open(key, with(long, candidates...)...)
		r.append(key, cache.Answer, candidates...)
		r.wantAll(key, cache.Answer, with(long, candidates...)...)
		r.wantTake(key, cache.Answer, cache.SDP, 1, long)
		r.wantTake(key, cache.Offer, cache.Candidate, 9, candidates...)
		r.end(key)
	}
}

// dstGrows passes buffers with no room, with some and with much. After the call the caller owns all of them again.
func dstGrows(r *rig) {
	long := sdp(strings.Repeat("x", 3000))
	r.open("k", long, cand("1"))
	var results [][]byte
	for _, room := range []int{0, 1, 100, 3000, 1 << 16} {
		buffer := append(make([]byte, 0, len(before)+room), before...)
		out, _, err := r.node().Read(r.ctx, buffer, "k", cache.Answer, 0, 9, &plain)
		if got := r.appended("Read", out, err); got != text(long, cand("1")) {
			r.Errorf("Read into room for %d bytes: got %.60q (%s), want it whole", room, got, said(err))
		}
		results = append(results, bytes.Clone(out))
		clear(out)
	}
	for _, result := range results {
		if string(result) != before+text(long, cand("1")) {
			r.Errorf("Read: got an answer that changed later, %.60q", result)
		}
	}
	r.wantTake("k", cache.Answer, cache.SDP, 1, long)
}
