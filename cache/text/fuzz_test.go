package text

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzAppendEscaped escapes any bytes. UTF-8 comes back through encoding/json, String and AppendPlain; anything else is refused.
func FuzzAppendEscaped(f *testing.F) {
	for _, text := range []string{"", "v=0\r\n", "\x00\"\\\u2028é🔑", "1234567\n", "1234567\xff"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		inside, ok := AppendEscaped([]byte{'"'}, text)
		if ok != utf8.Valid(text) {
			t.Fatalf("got %v, want %v", ok, utf8.Valid(text))
		}
		if !ok {
			return
		}
		if len(inside) > 1+6*len(text) {
			t.Errorf("got %d bytes for %d, want six for each at the most", len(inside)-1, len(text))
		}
		whole := append(inside, '"')
		var back string
		if err := json.Unmarshal(whole, &back); err != nil || back != string(text) {
			t.Fatalf("encoding/json of %q: got %q, %v, want %q", whole, back, err, text)
		}
		r := NewReader(whole)
		got, size := r.String()
		if err := r.End(); err != nil || !bytes.Equal(got, inside[1:]) || size != len(text) {
			t.Fatalf("String of %q: got %q, %d, %v, want the inside and %d", whole, got, size, err, len(text))
		}
		if got := AppendPlain([]byte("dst:"), inside[1:]); string(got) != "dst:"+string(text) {
			t.Errorf("AppendPlain of %q: got %q, want %q behind dst", inside[1:], got, text)
		}
		if got, want := Blank(inside[1:]), len(bytes.TrimSpace(text)) == 0; got != want {
			t.Errorf("Blank of %q: got %v, want %v", inside[1:], got, want)
		}
	})
}

// FuzzReader skips any bytes, and agrees with encoding/json on what is JSON, with two intended differences: a string must stand for valid
// UTF-8, where encoding/json replaces what does not by U+FFFD, and values that are nested too deeply are refused.
func FuzzReader(f *testing.F) {
	for _, text := range []string{
		``, `null`, `{"key_ttl":30,"data":"o"}`, `{"sdp":"v=0\r\n","candidates":["c","d"],"x":[-1.5e+9,true,false,{}]}`, `["\ud83d\udd11"]`,
		`["\ud800"]`, `["\\", "\"\\", "\r\n\r\n\t\/"]`, `["` + strings.Repeat("x", 70) + "\x1f\"]",
		"[\"\xff\"]", `[[[[1]]],`, `{"a":1,}`, "\ufeff1", `"\u00g0"`, `01`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		before := bytes.Clone(text)
		r := NewReader(text)
		r.Skip()
		err := r.End()
		if !bytes.Equal(text, before) {
			t.Fatalf("the text: got %q, want it as it was, %q", text, before)
		}
		harder := Reader{text: text} // which takes no string for an easy one
		if harder.Skip(); harder.End() != err {
			t.Errorf("%q: got %v, and %v where no string is easy", text, err, harder.End())
		}
		valid := json.Valid(text)
		switch err {
		case nil:
			if !valid {
				t.Errorf("%q: got no error, want one: it is not JSON", text)
			}
		case ErrUTF8: // the fault is at the first place that is at fault; what follows may be anything
			if utf8.Valid(text) && !bytes.Contains(bytes.ToLower(text), []byte(`\ud`)) {
				t.Errorf("%q: got %v, want none: it is UTF-8 and has no surrogate", text, err)
			}
		case ErrSyntax:
			if valid && depth(text) <= maxDepth {
				t.Errorf("%q: got %v, want none: it is JSON", text, err)
			}
		default:
			t.Errorf("%q: got %v, want nil, %v or %v", text, err, ErrSyntax, ErrUTF8)
		}
		checkString(t, text)
	})
}

// checkString compares String with encoding/json where the whole text is one string.
func checkString(t *testing.T, text []byte) {
	r := NewReader(text)
	inside, size := r.String()
	harder := Reader{text: text}
	if again, n := harder.String(); !bytes.Equal(again, inside) || n != size {
		t.Errorf("%q: got %q, %d, and %q, %d where no string is easy", text, inside, size, again, n)
	}
	if r.End() != nil {
		return
	}
	var want string
	if err := json.Unmarshal(text, &want); err != nil {
		t.Fatalf("%q: got %q, want an error as encoding/json: %v", text, inside, err)
	}
	if size != len(want) {
		t.Errorf("%q: size: got %d, want %d", text, size, len(want))
	}
	for rest := inside; len(rest) > 0; {
		_, n := unescapeRune(rest)
		if n == 0 {
			t.Fatalf("%q: got an inside that is not valid at %q", text, rest)
		}
		rest = rest[n:]
	}
	if got := AppendPlain(nil, inside); string(got) != want {
		t.Errorf("AppendPlain of %q: got %q, want %q", text, got, want)
	}
}

// FuzzAppendPlain turns any bytes into plain text. What Reader.String takes becomes what encoding/json says that it stands for. Anything
// else becomes UTF-8 text of bounded length.
func FuzzAppendPlain(f *testing.F) {
	for _, inside := range []string{
		"", `v=0\r\n`, `\"\\\/\b\f\n\r\t`, `\u00e9\u952e\ud83d\udd11`, `\ud83d`, `\ud83d\n`, `\ud83d\u0041`, `\udd11\ud83d`, `\`, `\u`, `\u12`, `\x`,
		`"`, "\n", "\xff", "1234567\\", "\xed\xa0\x80",
	} {
		f.Add([]byte(inside))
	}
	f.Fuzz(func(t *testing.T, inside []byte) {
		before := bytes.Clone(inside)
		got := AppendPlain(nil, inside)
		if !bytes.Equal(inside, before) {
			t.Fatalf("the inside: got %q, want it as it was, %q", inside, before)
		}
		if !utf8.Valid(got) || len(got) > 3*len(inside) {
			t.Errorf("AppendPlain of %q: got %q, want UTF-8 text of three bytes for each at the most", inside, got)
		}
		whole := append(append([]byte{'"'}, inside...), '"')
		r := NewReader(whole)
		same, size := r.String()
		if r.End() != nil || !bytes.Equal(same, inside) { // or a string ends within
			return
		}
		var want string
		if err := json.Unmarshal(whole, &want); err != nil || string(got) != want || len(got) != size {
			t.Errorf("AppendPlain of %q: got %q, want %q (%v) and %d bytes", inside, got, want, err, size)
		}
		if again, ok := AppendEscaped(nil, got); !ok || string(AppendPlain(nil, again)) != want {
			t.Errorf("AppendPlain of %q: got another text than %q", again, want)
		}
	})
}

// depth returns how many values of a JSON text lie within each other, itself counted.
func depth(text []byte) int {
	d := json.NewDecoder(bytes.NewReader(text))
	deepest, now := 1, 0
	for {
		token, err := d.Token()
		if err != nil {
			return deepest
		}
		switch token {
		case json.Delim('['), json.Delim('{'):
			now++
			deepest = max(deepest, now+1) // with a value in it, which may be missing
		case json.Delim(']'), json.Delim('}'):
			now--
		}
	}
}
