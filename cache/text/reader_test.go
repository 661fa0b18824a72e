package text

import (
	"bytes"
	"errors"
	"math"
	"strings"
	"testing"
)

func TestString(t *testing.T) {
	for _, test := range []struct {
		text   string
		inside string
		size   int // of what it stands for, in bytes
		want   error
	}{
		{`""`, "", 0, nil},
		{" \t\r\n\"x\" \n", "x", 1, nil},
		{`"a\"b\\c\/d"`, `a\"b\\c\/d`, 7, nil},
		{`"\b\f\n\r\t"`, `\b\f\n\r\t`, 5, nil},
		{`"\u0041\u00e9\u952e\ud83d\udd11"`, `\u0041\u00e9\u952e\ud83d\udd11`, 1 + 2 + 3 + 4, nil},
		{`"\u00E9\uD83D\uDD11"`, `\u00E9\uD83D\uDD11`, 2 + 4, nil},
		{`"é键🔑"`, "é键🔑", 2 + 3 + 4, nil},
		{`"\ufffd\uffff"`, `\ufffd\uffff`, 6, nil},
		{`"12345678\n12345678"`, `12345678\n12345678`, 17, nil},

		{``, "", 0, ErrSyntax},
		{`x`, "", 0, ErrSyntax},
		{`"`, "", 0, ErrSyntax},
		{`"x`, "", 0, ErrSyntax},
		{`"\`, "", 0, ErrSyntax},
		{`"\"`, "", 0, ErrSyntax},
		{`"\u`, "", 0, ErrSyntax},
		{`"\u004`, "", 0, ErrSyntax},
		{`"\u004"`, "", 0, ErrSyntax},
		{`"\u00g1"`, "", 0, ErrSyntax},
		{`"\u+041"`, "", 0, ErrSyntax},
		{`"\U0041"`, "", 0, ErrSyntax},
		{`"\x41"`, "", 0, ErrSyntax},
		{`"\a"`, "", 0, ErrSyntax},
		{`"\'"`, "", 0, ErrSyntax},
		{"\"\n\"", "", 0, ErrSyntax},
		{"\"\x00\"", "", 0, ErrSyntax},
		{"\"12345678\x1f\"", "", 0, ErrSyntax},
		{`"x"y`, "x", 1, ErrSyntax},
		{`"x""y"`, "x", 1, ErrSyntax},

		{`"\ud800"`, "", 0, ErrUTF8},
		{`"\udfff"`, "", 0, ErrUTF8},
		{`"\ud800x"`, "", 0, ErrUTF8},
		{`"\ud800\n"`, "", 0, ErrUTF8},
		{`"\ud800\u"`, "", 0, ErrUTF8},
		{`"\ud800\u0041"`, "", 0, ErrUTF8},
		{`"\ud800\ud800"`, "", 0, ErrUTF8},
		{`"\udc00\ud800"`, "", 0, ErrUTF8},
		{`"\ud83d\udd11\ud83d"`, "", 0, ErrUTF8},
		{"\"\xff\"", "", 0, ErrUTF8},
		{"\"\xed\xa0\x80\"", "", 0, ErrUTF8},
	} {
		r := NewReader([]byte(test.text))
		inside, size := r.String()
		if err := r.End(); string(inside) != test.inside || size != test.size || err != test.want {
			t.Errorf("%s: got %q, %d, %v, want %q, %d, %v", test.text, inside, size, err, test.inside, test.size, test.want)
		}
		if cap(inside) != len(inside) {
			t.Errorf("%s: capacity: got %d, want %d, so that nobody appends to the text", test.text, cap(inside), len(inside))
		}
	}
}

func TestNumber(t *testing.T) {
	for text, want := range map[string]float64{
		"0": 0, "-0": math.Copysign(0, -1), "1": 1, "-12.5": -12.5, "1e3": 1000, "1E+3": 1000, "15e-1": 1.5, "0.001": 0.001, " 7 ": 7,
		"1e999": math.Inf(1), "-1e999": math.Inf(-1), "1e-999": 0, "18446744073709551616": 18446744073709551616,
		strings.Repeat("9", 400): math.Inf(1),
	} {
		r := NewReader([]byte(text))
		if got := r.Number(); got != want || r.End() != nil {
			t.Errorf("%s: got %v, %v, want %v", text, got, r.End(), want)
		}
	}
	for _, text := range []string{
		"", "-", "+1", ".5", "5.", "01", "-01", "1e", "1e+", "1.e1", "0x1", "1_0", "NaN", "Infinity", "-Infinity", "1 2", `"1"`, "true", "１",
	} {
		r := NewReader([]byte(text))
		if got := r.Number(); r.End() != ErrSyntax {
			t.Errorf("%s: got %v, %v, want %v", text, got, r.End(), ErrSyntax)
		}
	}
}

func TestSkip(t *testing.T) {
	nested := func(n int, begin, end string) string { return strings.Repeat(begin, n) + "0" + strings.Repeat(end, n) }
	for _, text := range []string{
		"null", "true", "false", "0", `""`, "[]", "{}", "[ ]", "{ }", `[1,"a",null,[],{}]`, `{"a":1,"a":[{"b":{}}],"":""}`,
		nested(maxDepth-1, "[", "]"), nested(maxDepth-1, `{"a":`, "}"), " \t\n\r1 \t\n\r",
	} {
		r := NewReader([]byte(text))
		if r.Skip(); r.End() != nil {
			t.Errorf("%s: got %v, want nil", text, r.End())
		}
	}
	for _, text := range []string{
		"", " ", "nul", "nulll", "True", "tru", "[", "]", "[1", "[1,", "[1,]", "[,]", "[,1]", "[1 2]", "{", "}", "{1:2}", `{"a"}`, `{"a":}`,
		`{"a":1,}`, `{,}`, `{"a" 1}`, `{"a":1 "b":2}`, "[}", "{]", `["a]`, "undefined", "\ufeff1", "1\x00", "//1", "[1]x",
		nested(maxDepth, "[", "]"), nested(maxDepth, `{"a":`, "}"), strings.Repeat("[", 1_000_000), strings.Repeat(`{"":`, 1_000_000),
	} {
		r := NewReader([]byte(text))
		if r.Skip(); r.End() != ErrSyntax {
			t.Errorf("%.50s: got %v, want %v", text, r.End(), ErrSyntax)
		}
	}
}

func TestName(t *testing.T) {
	for text, want := range map[string]string{
		`"a":`: "a", ` "a" : `: "a", `"":`: "", `"d\u0061ta":`: "data", `"\"\\\/\b":`: "\"\\/\b", `"é\u00e9\ud83d\udd11":`: "éé🔑",
	} {
		r := NewReader([]byte(text))
		if got := r.Name(); got != want || r.End() != nil {
			t.Errorf("%s: got %q, %v, want %q", text, got, r.End(), want)
		}
	}
	for text, want := range map[string]error{
		`"a"`: ErrSyntax, `a:`: ErrSyntax, `"a";`: ErrSyntax, `"a`: ErrSyntax, `"\ud800":`: ErrUTF8, "\"\xff\":": ErrUTF8,
	} {
		r := NewReader([]byte(text))
		if got := r.Name(); got != "" || r.End() != want {
			t.Errorf("%s: got %q, %v, want nothing, %v", text, got, r.End(), want)
		}
	}
}

func TestText(t *testing.T) {
	for text, want := range map[string]string{
		`"a"`: "a", ` "" `: "", `"conn\u0065cted"`: "connected", `"\"\\\/\b"`: "\"\\/\b", `"é\u00e9\ud83d\udd11"`: "éé🔑",
	} {
		r := NewReader([]byte(text))
		if got := r.Text(); got != want || r.End() != nil {
			t.Errorf("%s: got %q, %v, want %q", text, got, r.End(), want)
		}
	}
	for text, want := range map[string]error{`a`: ErrSyntax, `"a`: ErrSyntax, `null`: ErrSyntax, `"\ud800"`: ErrUTF8, "\"\xff\"": ErrUTF8} {
		r := NewReader([]byte(text))
		if got := r.Text(); got != "" || r.End() != want {
			t.Errorf("%s: got %q, %v, want nothing, %v", text, got, r.End(), want)
		}
	}
}

// TestAReaderThatFailedStaysSo calls everything after a failure: the first error counts, and nothing more is read.
func TestAReaderThatFailedStaysSo(t *testing.T) {
	for want, text := range map[error]string{ErrSyntax: `x"a":[1]`, ErrUTF8: "\"\xff\"\"a\":[1]"} {
		r := NewReader([]byte(text))
		r.String()
		if !r.Failed() {
			t.Errorf("%q: got no failure, want one", text)
		}
		at := r.at
		r.Fail()
		r.Skip()
		r.Begin('[')
		first := true
		inside, size := r.String()
		if more, name, null, number := r.More(&first, ']'), r.Name()+r.Text(), r.Null(), r.Number(); more || name != "" || null || number != 0 ||
			inside != nil || size != 0 {
			t.Errorf("after a failure: got %v, %q, %v, %v, %q, %d, want nothing", more, name, null, number, inside, size)
		}
		if got := r.End(); !errors.Is(got, want) || r.at != at {
			t.Errorf("got %v at %d, want %v at %d", got, r.at, want, at)
		}
	}
	var zero Reader
	if zero.Skip(); zero.End() != ErrSyntax {
		t.Errorf("the zero Reader: got %v, want %v", zero.End(), ErrSyntax)
	}
}

func TestReaderDoesNotAllocate(t *testing.T) {
	text := []byte(`{"key_ttl":30,"x":[true,{"y":null}],"sdp":"v=0\r\n` + strings.Repeat("x", 2000) + `","candidates":["a","b"]}`)
	got := testing.AllocsPerRun(100, func() {
		r := NewReader(text)
		for first := r.Begin('{'); r.More(&first, '}'); {
			switch r.Name() {
			case "key_ttl":
				r.Number()
			case "sdp":
				r.String()
			default:
				r.Skip()
			}
		}
		if err := r.End(); err != nil {
			t.Fatal(err)
		}
	})
	if want := 0.0; got != want {
		t.Errorf("allocations: got %v, want %v", got, want)
	}
}

// messagesBody is as the body of POST messages that a browser's client sends: an sdp of 2,100 bytes in lines of 42, and six candidates of 120.
var messagesBody = []byte(`{"key_ttl":30,"sdp":"` + strings.Repeat(`a=rtcp-fb:111 transport-cc and nothing 0\r\n`, 50) + `","candidates":["` +
	strings.Repeat(candidate+`","`, 5) + candidate + `"]}`)

const candidate = "candidate:842163049 1 udp 1677729535 203.0.113.7 46154 typ srflx raddr 10.0.0.1 rport 46154 generation 0 ufrag 8hhy net1"

// readMessages reads a body of POST messages and returns how long its payloads are.
func readMessages(text []byte) (size int, err error) {
	r := NewReader(text)
	for first := r.Begin('{'); r.More(&first, '}'); {
		switch r.Name() {
		case "sdp":
			_, n := r.String()
			size += n
		case "candidates":
			for first := r.Begin('['); r.More(&first, ']'); {
				_, n := r.String()
				size += n
			}
		default:
			r.Number()
		}
	}
	return size, r.End()
}

func BenchmarkReadMessages(b *testing.B) {
	for name, text := range map[string][]byte{
		"as browsers write it": messagesBody, "with more than ASCII": bytes.Replace(messagesBody, []byte(" nothing"), []byte(" nöthing"), 1),
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				if size, err := readMessages(text); err != nil || size < 50*42+6*120 {
					b.Fatalf("got %d, %v, want all that was sent", size, err)
				}
			}
		})
	}
}
