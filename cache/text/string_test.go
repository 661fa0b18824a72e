package text

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// TestPlain puts every byte at every place of a text of up to 24 bytes, at every alignment: plain reads eight bytes at once, or one.
func TestPlain(t *testing.T) {
	special := func(c byte) bool { return c < ' ' || c >= utf8.RuneSelf || c == '"' || c == '\\' }
	var memory [32]byte
	for c := range 256 {
		for align := range 8 {
			for n := range 24 {
				text := memory[align : align+n]
				for i := range text {
					text[i] = 'x'
				}
				for at := range n {
					text[at] = byte(c)
					want := n
					if special(byte(c)) {
						want = at
					}
					if got := plain(text); got != want {
						t.Fatalf("plain of %q: got %d, want %d", text, got, want)
					}
					text[at] = 'x'
				}
			}
		}
	}
}

// TestPlainFindsTheFirst puts two bytes that are special, or nearly so, next to each other: a borrow from one must not hide the
// other, or make one up before it.
func TestPlainFindsTheFirst(t *testing.T) {
	near := []byte{0, 1, 0x1f, ' ', '!', '"', '#', '[', '\\', ']', 0x7e, 0x7f, 0x80, 0x81, 0xa2, 0xdc, 0xff}
	for _, a := range near {
		for _, b := range near {
			for at := range 7 {
				text := []byte("xxxxxxxxx")
				text[at], text[at+1] = a, b
				want := 0
				for want < len(text) && text[want] >= ' ' && text[want] < 0x80 && text[want] != '"' && text[want] != '\\' {
					want++
				}
				if got := plain(text); got != want {
					t.Fatalf("plain of %q: got %d, want %d", text, got, want)
				}
			}
		}
	}
}

// TestPrintable puts every byte at every place of a text of up to 80 bytes: printable reads 64 bytes at once, or eight, or one.
func TestPrintable(t *testing.T) {
	for n := range 81 {
		text := bytes.Repeat([]byte{'x'}, n)
		if !printable(text) {
			t.Fatalf("printable of %q: got false, want true", text)
		}
		for at := range n {
			for c := range 256 {
				text[at] = byte(c)
				if got, want := printable(text), ' ' <= c && c < utf8.RuneSelf; got != want {
					t.Fatalf("printable of %q: got %v, want %v", text, got, want)
				}
			}
			text[at] = 'x'
		}
	}
}

func TestAppendEscaped(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"", ""},
		{"abc", "abc"},
		{`"`, `\"`},
		{`\`, `\\`},
		{"/", "/"},
		{"\b\f\n\r\t", `\b\f\n\r\t`},
		{"\x00\x01\x0b\x1f", `\u0000\u0001\u000b\u001f`},
		{"\x7f", "\x7f"},
		{"é键🔑", "é键🔑"},
		{"\u2028\u2029<>&'", "\u2028\u2029<>&'"},
		{"\ufeff\ufffd\uffff", "\ufeff\ufffd\uffff"},
		{"12345678\n", `12345678\n`},
		{"1234567\n8", `1234567\n8`},
		{strings.Repeat(`"`, 20), strings.Repeat(`\"`, 20)},
	} {
		got, ok := AppendEscaped([]byte("dst:"), []byte(test.text))
		if want := "dst:" + test.want; string(got) != want || !ok {
			t.Errorf("AppendEscaped of %q: got %q, %v, want %q, true", test.text, got, ok, want)
		}
		var back string
		if err := json.Unmarshal([]byte(`"`+test.want+`"`), &back); err != nil || back != test.text {
			t.Errorf("encoding/json of %q: got %q, %v, want %q", test.want, back, err, test.text)
		}
	}
}

func TestAppendPlain(t *testing.T) {
	for _, test := range []struct{ inside, want string }{
		{"", ""},
		{"abc", "abc"},
		{`\"\\\/`, `"\/`},
		{`\b\f\n\r\t`, "\b\f\n\r\t"},
		{`v=0\r\ns=-\r\n`, "v=0\r\ns=-\r\n"},
		{`\u0000\u0022\u005c\u002F`, "\x00\"\\/"},
		{`\u00e9\u952E`, "é键"},
		{`\ud83d\uDD11`, "🔑"},
		{`\ud800\udc00\udbff\udfff`, "\U00010000\U0010ffff"},
		{`\ud7ff\ue000\ufffd\uffff`, "\ud7ff\ue000\ufffd\uffff"},
		{"é键🔑", "é键🔑"},
		{`é\n键\n🔑`, "é\n键\n🔑"},
		{"/\u2028<>&'", "/\u2028<>&'"},
		{`1234567\n1234567\n`, "1234567\n1234567\n"},
		{`12345678\u006e12345678`, "12345678n12345678"},
		{`\\n\\u0041`, `\n\u0041`}, // an escaped reverse solidus, and behind it what only looks like an escape
		{strings.Repeat(`\"`, 20), strings.Repeat(`"`, 20)},

		// What no checked inside holds.
		{`\ud800`, "\ufffdud800"},
		{`\ud800\n`, "\ufffdud800\n"},
		{`\udd11\ud83d`, "\ufffdudd11\ufffdud83d"},
		{`\`, "\ufffd"},
		{`\x`, "\ufffdx"},
		{`\u004`, "\ufffdu004"},
		{`"`, "\ufffd"},
		{"a\nb", "a\ufffdb"},
		{"a\xffb", "a\ufffdb"},
	} {
		if got, want := string(AppendPlain([]byte("dst:"), []byte(test.inside))), "dst:"+test.want; got != want {
			t.Errorf("AppendPlain of %q: got %q, want %q", test.inside, got, want)
		}
	}
}

// notUTF8 are bytes that are not UTF-8 text.
var notUTF8 = []string{
	"\xff", "\xfe", "\x80", "\xbf", "\xc3", "\xc3(", "\xc0\xaf", "\xc1\xbf", "\xe2\x82", "\xe2\x28\xa1", "\xe0\x80\xaf", "\xed\xa0\x80",
	"\xed\xbf\xbf", "\xed\xa0\xbd\xed\xb4\x91", "\xf0\x9f\x94", "\xf0\x80\x80\x80", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xf8\x88\x80\x80\x80",
}

func TestTextThatIsNotUTF8(t *testing.T) {
	for _, bad := range notUTF8 {
		for _, before := range []string{"", "x", "1234567", "12345678", "é", `"`} {
			for _, after := range []string{"", "x", "\n"} {
				text := before + bad + after
				if got, ok := AppendEscaped(nil, []byte(text)); ok {
					t.Errorf("AppendEscaped of %q: got %q, true, want false", text, got)
				}
				r := NewReader([]byte(`"` + strings.ReplaceAll(before, `"`, "") + bad + after + `"`))
				if inside, _ := r.String(); inside != nil || r.End() != ErrUTF8 && after != "\n" {
					t.Errorf("String of %q: got %q, %v, want nil, %v", text, inside, r.End(), ErrUTF8)
				}
			}
		}
	}
}

// TestEveryCharacter escapes each character that there is and reads it back, escaped in each way.
func TestEveryCharacter(t *testing.T) {
	for c := rune(0); c <= unicode.MaxRune; c++ {
		if !utf8.ValidRune(c) {
			if _, ok := AppendEscaped(nil, fmt.Appendf(nil, "\\u%04x", c)); !ok {
				t.Fatalf("the escape of %U, as text: got false, want true", c)
			}
			continue
		}
		text := utf8.AppendRune(nil, c)
		inside, ok := AppendEscaped(nil, text)
		if !ok {
			t.Fatalf("AppendEscaped of %U: got false, want true", c)
		}
		r := NewReader(append(append([]byte{'"'}, inside...), '"'))
		got, size := r.String()
		if !bytes.Equal(got, inside) || size != len(text) || r.End() != nil {
			t.Fatalf("String of %q: got %q, %d, %v, want the same and %d", inside, got, size, r.End(), len(text))
		}
		if got, n := unescapeRune(inside); got != c || n != len(inside) {
			t.Fatalf("unescapeRune of %q: got %U, %d, want %U, %d", inside, got, n, c, len(inside))
		}
		escaped := fmt.Appendf(nil, "\\u%04x", c)
		if high, low := utf16.EncodeRune(c); c > 0xffff {
			escaped = fmt.Appendf(nil, "\\u%04x\\u%04X", high, low)
		}
		for _, inside := range [][]byte{inside, escaped} {
			if got := AppendPlain(nil, inside); !bytes.Equal(got, text) {
				t.Fatalf("AppendPlain of %q: got %q, want %q", inside, got, text)
			}
		}
		if got, want := Blank(inside), unicode.IsSpace(c); got != want {
			t.Fatalf("Blank of %q: got %v, want %v", inside, got, want)
		}
	}
}

func TestBlank(t *testing.T) {
	for inside, want := range map[string]bool{
		"": true, " ": true, `\n\r\t\f`: true, `\u0020\u00a0\u2003\u3000\u0085`: true, "\u00a0\u2003": true, ` \u000b `: true,
		"x": false, ` \" `: false, `\\`: false, `\u0000`: false, `\ufeff`: false, `\u200b`: false, ` 🔑`: false, `\ud83d\udd11`: false, `\b`: false,
	} {
		if got := Blank([]byte(inside)); got != want {
			t.Errorf("Blank of %q: got %v, want %v", inside, got, want)
		}
	}
}

func TestAppendEscapedDoesNotAllocate(t *testing.T) {
	text := []byte(strings.Repeat("a=line of an sdp \"é\"\r\n", 100))
	dst := make([]byte, 0, 2*len(text))
	if got, want := testing.AllocsPerRun(100, func() { AppendEscaped(dst, text) }), 0.0; got != want {
		t.Errorf("allocations: got %v, want %v", got, want)
	}
}

func TestAppendPlainDoesNotAllocate(t *testing.T) {
	text := []byte(strings.Repeat(`a=line of an sdp \"é\u00e9\ud83d\udd11\"\r\n`, 100))
	dst := make([]byte, 0, len(text))
	if got, want := testing.AllocsPerRun(100, func() { AppendPlain(dst, text) }), 0.0; got != want {
		t.Errorf("allocations: got %v, want %v", got, want)
	}
}

// benchmarked are texts, by what they consist of.
var benchmarked = map[string]string{
	"plain": strings.Repeat("0123456789abcdef", 160), "sdp": strings.Repeat("a=extmap:3 urn:ietf:params:rtp-hdrext\r\n", 64),
	"quotes": strings.Repeat(`"`, 2560), "not ASCII": strings.Repeat("é", 1280),
}

func BenchmarkAppendPlain(b *testing.B) {
	for name, text := range benchmarked {
		b.Run(name, func(b *testing.B) {
			inside, _ := AppendEscaped(nil, []byte(text))
			dst := make([]byte, 0, len(text))
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				AppendPlain(dst, inside)
			}
		})
	}
}

func BenchmarkAppendEscaped(b *testing.B) {
	for name, text := range benchmarked {
		b.Run(name, func(b *testing.B) {
			dst := make([]byte, 0, 6*len(text))
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				AppendEscaped(dst, []byte(text))
			}
		})
	}
}
