package cachetest

import (
	"fmt"
	"strings"

	"signal-server/cache"
	"signal-server/custerrors"
)

// hostile are keys with characters that mean something to some engine, keys that begin with each other, and keys that look the same.
var hostile = []cache.Key{
	"a", "A", "aa", "a ", " a", "ab", "a:b", "a:", ":a", "a\x00", "a\x00b", "\x00", "\x00a", "a\n", "\n", "a\r\n", "\t",
	"{", "}", "{}", "{a}", "{a}b", "a{b}", "{a", "a}", "{}a", "{{a}}", "a*", "*", "?", "[a]", "^a", "a/b", "/", "../a", "%00", "%s",
	"$a", "'a'", `"a"`, `\`, `\\`, "a\\x00", ";", "#", "key", "offer", "answer", "a:offer", "a:answer", "0", "00", "-1", "1e3",
	"é", "e\u0301", "É", "ﬁ", "fi", "日本語", "\ufeffa", "a\u200b", "\ufffd", "\xff", "\xff\xfe", "\xc3\x28", "a\xff",
	cache.Key(strings.Repeat("😀", cache.MaxKeyLength)), cache.Key(strings.Repeat("😀", cache.MaxKeyLength-1)),
	cache.Key(strings.Repeat("a", cache.MaxKeyLength)), cache.Key(strings.Repeat("a", cache.MaxKeyLength-1)),
	cache.Key(strings.Repeat("\x00", cache.MaxKeyLength)), cache.Key(strings.Repeat("{", cache.MaxKeyLength)),
}

// keysHostile opens a session for each key before it looks at any, ends every other one, and makes the bells ring one by one.
func keysHostile(r *rig) {
	offer := func(i int) cache.Frame { return sdp(fmt.Sprintf("offer %d", i)) }
	answer := func(i int) cache.Frame { return sdp(fmt.Sprintf("answer %d", i)) }
	bells := make([]cache.Chime, len(hostile))
	for i, key := range hostile {
		r.wantError(fmt.Sprintf("Touch %q before it is open", key), r.touch(key), custerrors.KeyNotFound)
		r.wantOpen(nil, key, "token", offer(i), cand("1"))
	}
	for i, key := range hostile {
		bells[i] = r.hang(r.last(), key, cache.Offer)
	}
	for i, key := range hostile {
		r.wantAppend(nil, key, cache.Answer, "token", answer(i), cand("2"))
		r.wantRung(fmt.Sprintf("Append to %q", key), bells[i])
	}
	if r.h.Virtual { // in real time a ring may come late, and one too many is allowed
		for i, bell := range bells {
			r.wantSilent(fmt.Sprintf("Append to other keys than %q", hostile[i]), bell)
		}
	}
	for i, key := range hostile {
		r.wantAll(key, cache.Answer, offer(i), cand("1"))
		r.wantTake(key, cache.Offer, cache.SDP, 1, answer(i))
		r.wantTake(key, cache.Offer, cache.Candidate, 9, cand("2"))
	}
	for i := 0; i < len(hostile); i += 2 {
		r.end(hostile[i])
	}
	for i, key := range hostile {
		r.last().Unhang(key, cache.Offer, bells[i])
		if i%2 == 0 {
			r.wantError(fmt.Sprintf("Touch %q after its end", key), r.touch(key), custerrors.KeyIsExpired)
		} else {
			r.wantAll(key, cache.Offer, answer(i), cand("2"))
		}
	}
}
