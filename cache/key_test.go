package cache_test

import (
	"strings"
	"testing"
	"unsafe"

	"signal-server/cache"
	"signal-server/custerrors"
)

func TestParseKey(t *testing.T) {
	const limit = cache.MaxKeyLength
	if limit != 32 {
		t.Errorf("MaxKeyLength: got %d, want 32, which clients rely on", limit)
	}
	tests := []struct {
		name, in string
		want     cache.Key
		err      error
	}{
		{name: "nothing", in: "", err: custerrors.KeyIsEmpty},
		{name: "a space", in: " ", err: custerrors.KeyIsEmpty},
		{name: "white space of all kinds", in: " \t\r\n\v\f\u0085\u00a0\u2003\u2028\u3000", err: custerrors.KeyIsEmpty},
		{name: "many spaces", in: strings.Repeat(" ", 100), err: custerrors.KeyIsEmpty},
		{name: "one character", in: "k", want: "k"},
		{name: "a NUL is no space", in: "\x00", want: "\x00"},
		{name: "nor is one without width", in: "\u200b", want: "\u200b"},
		{name: "spaces around", in: "  k \t", want: "k"},
		{name: "wide spaces around", in: "\u3000k\u00a0", want: "k"},
		{name: "spaces within", in: " a  b ", want: "a  b"},
		{name: "31 characters", in: strings.Repeat("a", limit-1), want: cache.Key(strings.Repeat("a", limit-1))},
		{name: "32 characters", in: strings.Repeat("a", limit), want: cache.Key(strings.Repeat("a", limit))},
		{name: "33 characters", in: strings.Repeat("a", limit+1), err: custerrors.KeyIsTooLong},
		{name: "32 and spaces", in: "   " + strings.Repeat("a", limit) + "   ", want: cache.Key(strings.Repeat("a", limit))},
		{name: "33, one a space within", in: "a " + strings.Repeat("a", limit-1), err: custerrors.KeyIsTooLong},
		{name: "31 of 2 bytes", in: strings.Repeat("é", limit-1), want: cache.Key(strings.Repeat("é", limit-1))},
		{name: "32 of 3 bytes", in: strings.Repeat("键", limit), want: cache.Key(strings.Repeat("键", limit))},
		{name: "32 of 4 bytes", in: strings.Repeat("😀", limit), want: cache.Key(strings.Repeat("😀", limit))},
		{name: "33 of 4 bytes", in: strings.Repeat("😀", limit+1), err: custerrors.KeyIsTooLong},
		{name: "16 and 16 that combine", in: strings.Repeat("e\u0301", limit/2), want: cache.Key(strings.Repeat("e\u0301", limit/2))},
		{name: "17 and 16 that combine", in: "e" + strings.Repeat("e\u0301", limit/2), err: custerrors.KeyIsTooLong},
		{name: "not UTF-8", in: "\xff", want: "\xff"},
		{name: "32 bytes that are not UTF-8", in: strings.Repeat("\xff", limit), want: cache.Key(strings.Repeat("\xff", limit))},
		{name: "33 bytes that are not UTF-8", in: strings.Repeat("\xff", limit+1), err: custerrors.KeyIsTooLong},
		{name: "endless", in: strings.Repeat("a", 1<<20), err: custerrors.KeyIsTooLong},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := cache.ParseKey(test.in)
			if got != test.want || err != test.err {
				t.Errorf("ParseKey(%+.40q): got %+q, %v, want %+q, %v", test.in, got, err, test.want, test.err)
			}
		})
	}
}

func TestParseKeyCopiesNothing(t *testing.T) {
	in := "  some key "
	got, err := cache.ParseKey(in)
	if err != nil || unsafe.StringData(string(got)) != unsafe.StringData(in[2:]) {
		t.Errorf("ParseKey(%q): got %q, %v elsewhere in memory, want the same bytes", in, got, err)
	}
	if got := testing.AllocsPerRun(100, func() { _, _ = cache.ParseKey(in) }); got != 0 {
		t.Errorf("ParseKey: got %v allocations, want 0", got)
	}
}

func TestRole(t *testing.T) {
	tests := []struct {
		role, other cache.Role
		name        string
	}{
		{cache.Offer, cache.Answer, "offer"},
		{cache.Answer, cache.Offer, "answer"},
	}
	for _, test := range tests {
		if got := test.role.Other(); got != test.other {
			t.Errorf("%v.Other(): got %v, want %v", test.role, got, test.other)
		}
		if got := test.role.String(); got != test.name {
			t.Errorf("String: got %q, want %q", got, test.name)
		}
	}
	if got := cache.Role(0).String(); got != "none" {
		t.Errorf("String of no role: got %q, want none", got)
	}
	if cache.Roles != [...]cache.Role{cache.Offer, cache.Answer} {
		t.Errorf("Roles: got %v, want both", cache.Roles)
	}
}
