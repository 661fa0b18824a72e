package api_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"

	"signal-server/custerrors"
)

// texts are payloads that something on the way might change.
var texts = []string{
	"v=0\r\no=- 46117317 2 IN IP4 127.0.0.1\r\ns=-\r\n",
	` {"type":"offer","sdp":"v=0\r\n"} `,
	"\n\r\t\b\f\v\a\x00\x01\x1f\x7f", `"`, `\`, `\\"`, `\u0041\n`, `/\/`, "</script>&<>'",
	"\u2028\u2029\ufeff\u00a0x\u200b", "\ufeffx", "\ufffd\ufffe\uffff", "é键🔑", "\U0010ffff\U00010000\ud7ff\ue000",
	strings.Repeat("0123456\"", 5), strings.Repeat("🔑", 1000), "null", "[]", "0", "true", " x ", "x\n", "\x00",
	"data: x\n\nevent: end\n\n", "HTTP/1.1 200 OK\r\n\r\n", "a\x80b"[:1] + "\u0080",
}

// TestPayloadsComeOutAsTheyWentIn relays each text in each way: put as text or as JSON, then taken alone, taken in an array, or read.
func TestPayloadsComeOutAsTheyWentIn(t *testing.T) {
	s := serve(t)
	random := rand.New(rand.NewPCG(1, 2))
	for range 50 { // random characters; every other one is ASCII
		var b strings.Builder
		for range 1 + random.IntN(40) {
			b.WriteRune(rune(random.IntN(0x80)))
			b.WriteRune(rune(random.IntN(0xd800))) // below the surrogates
		}
		texts = append(texts, b.String())
	}
	for _, text := range texts {
		t.Run(quote(text)[:min(len(quote(text)), 40)], func(t *testing.T) {
			key := newKey()
			want := func(line string, body string, want ...string) {
				t.Helper()
				a := s.do(t, request{line: line, key: key, body: body})
				var got []string
				switch {
				case a.msg != "" || a.data == "null":
				case strings.HasSuffix(line, "candidates"):
					unmarshal(t, a.data, &got)
				case strings.HasSuffix(line, "messages"):
					var news struct{ Messages []struct{ Data string } }
					unmarshal(t, a.data, &news)
					for _, m := range news.Messages {
						got = append(got, m.Data)
					}
				default:
					got = make([]string, 1)
					unmarshal(t, a.data, &got[0])
				}
				if strings.Join(got, "|") != strings.Join(want, "|") || len(got) != len(want) {
					t.Errorf("%s: got %.300q, msg %q, want %.300q", line, got, a.msg, want)
				}
			}
			escaped, err := json.Marshal(text) // escaped the way encoding/json does it
			if err != nil {
				t.Fatal(err)
			}
			want("POST /offer/sdp", `{"data":`+string(escaped)+`}`)
			want("POST /offer/candidate", text)
			want("POST /offer/candidates", `[`+quote(text)+`,`+utf16Escapes(text)+`]`)
			want("POST /answer/sdp", text)
			want("POST /answer/messages", `{"candidates":[`+string(escaped)+`]}`, text, text, text, text)
			want("GET /answer/sdp", "", text)
			want("GET /answer/candidate", "", text)
			want("GET /answer/candidates", "", text, text)
			want("GET /offer/messages", "", text, text)
			want("GET /offer/sdp", "", text)
			want("GET /offer/candidate", "", text)
		})
	}
}

func unmarshal(t *testing.T, data string, to any) {
	t.Helper()
	if err := json.Unmarshal([]byte(data), to); err != nil {
		t.Fatalf("got the data %s, %v, want JSON for %T", data, err, to)
	}
}

// utf16Escapes writes the text with every character escaped.
func utf16Escapes(text string) string {
	const digits = "0123456789aBcDeF"
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range text {
		units := []rune{r}
		if r > 0xffff {
			units = []rune{0xd800 + (r-0x10000)>>10, 0xdc00 + (r-0x10000)&0x3ff}
		}
		for _, u := range units {
			b.WriteString(`\u`)
			for shift := 12; shift >= 0; shift -= 4 {
				b.WriteByte(digits[u>>shift&0xf])
			}
		}
	}
	b.WriteByte('"')
	return b.String()
}

// TestBodies posts one body after the other to each route that takes JSON, or text.
func TestBodies(t *testing.T) {
	s := serve(t)
	const (
		notJSON = custerrors.BodyIsNotJSON
		notUTF8 = custerrors.BodyIsNotUTF8
		noData  = custerrors.DataIsEmpty
	)
	deep := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	for _, test := range []struct {
		line, body string
		want       custerrors.Error
	}{
		{"POST /offer/sdp", `{"data":"o"}`, ""},
		{"POST /offer/sdp", " \r\n\t{ \"data\" : \"o\" , \"key_ttl\" : 1 } \n", ""},
		{"POST /offer/sdp", `{"x":1,"data":"o","y":{"data":[null,true,false,-1.5e+9,"s",{}]},"Data":"other","DATA":1}`, ""},
		{"POST /offer/sdp", `{"d\u0061ta":"o","key\u005fttl":1}`, ""},
		{"POST /offer/sdp", `{"key_ttl":null,"data":"o"}`, ""},
		{"POST /offer/sdp", `{"key_ttl":1e999,"data":"o"}`, ""},
		{"POST /offer/sdp", `{"key_ttl":-1e999,"data":"o"}`, ""},
		{"POST /offer/sdp", `{"key_ttl":` + strings.Repeat("9", 5000) + `,"data":"o"}`, ""},
		{"POST /offer/sdp", `{"x":` + strings.Repeat("9", 5000) + `,"data":"o"}`, ""},
		{"POST /offer/sdp", `{"x":` + deep(63) + `,"data":"o"}`, ""},
		{"POST /offer/sdp", `{"x":` + deep(1000) + `,"data":"o"}`, notJSON},
		{"POST /offer/sdp", `{"x":` + strings.Repeat("[", 100_000), notJSON},
		{"POST /offer/sdp", `{"x":` + strings.Repeat(`{"a":`, 40_000), notJSON},
		{"POST /offer/sdp", `{"data":"o","data":"o"}`, notJSON},
		{"POST /offer/sdp", `{"data":"o","d\u0061ta":"o"}`, notJSON},
		{"POST /offer/sdp", `{"data":null,"data":"o"}`, notJSON},
		{"POST /offer/sdp", `{"key_ttl":1,"key_ttl":1,"data":"o"}`, notJSON},
		{"POST /offer/sdp", `{"key_ttl":"30","data":"o"}`, notJSON},
		{"POST /offer/sdp", `{"key_ttl":{},"data":"o"}`, notJSON},
		{"POST /offer/sdp", `{"key_ttl":true,"data":"o"}`, notJSON},
		{"POST /offer/sdp", `{"key_ttl":NaN,"data":"o"}`, notJSON},
		{"POST /offer/sdp", `{"key_ttl":0x10,"data":"o"}`, notJSON},
		{"POST /offer/sdp", `{"key_ttl":+1,"data":"o"}`, notJSON},
		{"POST /offer/sdp", `{"key_ttl":01,"data":"o"}`, notJSON},
		{"POST /offer/sdp", `{"key_ttl":.5,"data":"o"}`, notJSON},
		{"POST /offer/sdp", `{"data":1}`, notJSON},
		{"POST /offer/sdp", `{"data":["o"]}`, notJSON},
		{"POST /offer/sdp", `{"data":{"type":"offer"}}`, notJSON},
		{"POST /offer/sdp", `"o"`, notJSON},
		{"POST /offer/sdp", `o`, notJSON},
		{"POST /offer/sdp", `null`, notJSON},
		{"POST /offer/sdp", `["o"]`, notJSON},
		{"POST /offer/sdp", `{"data":"o"}x`, notJSON},
		{"POST /offer/sdp", `{"data":"o"}{"data":"o"}`, notJSON},
		{"POST /offer/sdp", `{"data":"o",}`, notJSON},
		{"POST /offer/sdp", `{,"data":"o"}`, notJSON},
		{"POST /offer/sdp", `{"data":"o" "x":1}`, notJSON},
		{"POST /offer/sdp", `{"data" "o"}`, notJSON},
		{"POST /offer/sdp", `{data:"o"}`, notJSON},
		{"POST /offer/sdp", `{'data':'o'}`, notJSON},
		{"POST /offer/sdp", `{"data":"o"`, notJSON},
		{"POST /offer/sdp", `{"data":"o`, notJSON},
		{"POST /offer/sdp", `{"data":"o\`, notJSON},
		{"POST /offer/sdp", `{"data":"\x"}`, notJSON},
		{"POST /offer/sdp", `{"data":"\u12"}`, notJSON},
		{"POST /offer/sdp", `{"data":"\u12g4"}`, notJSON},
		{"POST /offer/sdp", "{\"data\":\"o\nx\"}", notJSON},
		{"POST /offer/sdp", "{\"data\":\"o\x00\"}", notJSON},
		{"POST /offer/sdp", "{\"data\":\"o\"}\x00", notJSON},
		{"POST /offer/sdp", "\ufeff{\"data\":\"o\"}", notJSON},
		{"POST /offer/sdp", `{"data":"o"} // c`, notJSON},
		{"POST /offer/sdp", "{\"x\":\"\xff\",\"data\":\"o\"}", notUTF8},
		{"POST /offer/sdp", "{\"\xff\":1,\"data\":\"o\"}", notUTF8},
		{"POST /offer/sdp", "{\"data\":\"\xed\xa0\x80\"}", notUTF8},
		{"POST /offer/sdp", `{"data":"\ud800"}`, notUTF8},
		{"POST /offer/sdp", `{"data":"\ud800\u0041"}`, notUTF8},
		{"POST /offer/sdp", `{"data":"\ud800\ud800\udc00"}`, notUTF8},
		{"POST /offer/sdp", `{"data":"\udc00\ud800"}`, notUTF8},
		{"POST /offer/sdp", `{"x":"\udc00","data":"o"}`, notUTF8},
		{"POST /offer/sdp", `{"data":"\ud83d\udd11"}`, ""},
		{"POST /offer/sdp", `{"sdp":"o"}`, noData},

		{"POST /answer/candidates", ` [ "c" , "d" ] `, ""},
		{"POST /answer/candidates", `["c",]`, notJSON},
		{"POST /answer/candidates", `[,"c"]`, notJSON},
		{"POST /answer/candidates", `["c" "d"]`, notJSON},
		{"POST /answer/candidates", `["c"`, notJSON},
		{"POST /answer/candidates", `["c"]]`, notJSON},
		{"POST /answer/candidates", `["c",null]`, notJSON},
		{"POST /answer/candidates", `["c",1]`, notJSON},
		{"POST /answer/candidates", `[["c"]]`, notJSON},
		{"POST /answer/candidates", `"c"`, notJSON},
		{"POST /answer/candidates", `{"candidates":["c"]}`, notJSON},
		{"POST /answer/candidates", `null`, notJSON},
		{"POST /answer/candidates", `c`, notJSON},
		{"POST /answer/candidates", "\ufeff[\"c\"]", notJSON},
		{"POST /answer/candidates", "[\"c\",\"\x80\"]", notUTF8},
		{"POST /answer/candidates", `["c","\ud800"]`, notUTF8},

		{"POST /answer/candidate", "c", ""},
		{"POST /answer/candidate", "\ufeffc", ""},
		{"POST /answer/candidate", "\xff", notUTF8},
		{"POST /answer/candidate", "c\xc3", notUTF8},
		{"POST /answer/candidate", "\xed\xa0\x80", notUTF8},             // a surrogate
		{"POST /answer/candidate", "\xc0\xaf", notUTF8},                 // an overlong form
		{"POST /answer/candidate", "\xf4\x90\x80\x80", notUTF8},         // above the last character
		{"POST /answer/candidate", "0123456\xff89abcdef", notUTF8},      // the eighth byte
		{"POST /answer/candidate", "01234567\xe2\x82", notUTF8},         // cut off
		{"POST /answer/candidate", "\x1f\x8b\x08\x00\x00\x00", notUTF8}, // gzip
		{"POST /answer/sdp", "a\xff", notUTF8},

		{"POST /answer/messages", `{"sdp":"a","candidates":["c"],"x":[1]}`, ""},
		{"POST /answer/messages", `{"sdp":null,"candidates":["c"],"key_ttl":null}`, ""},
		{"POST /answer/messages", `{"candidates":null,"sdp":"a"}`, ""},
		{"POST /answer/messages", `{"candidates":[],"sdp":"a"}`, ""},
		{"POST /answer/messages", `{"\u0073dp":"a"}`, ""},
		{"POST /answer/messages", `{"sdp":"a","sdp":"a"}`, notJSON},
		{"POST /answer/messages", `{"sdp":null,"sdp":"a"}`, notJSON},
		{"POST /answer/messages", `{"candidates":["c"],"candidates":["d"]}`, notJSON},
		{"POST /answer/messages", `{"candidates":["c"],"c\u0061ndidates":[]}`, notJSON},
		{"POST /answer/messages", `{"candidates":"c"}`, notJSON},
		{"POST /answer/messages", `{"candidates":{}}`, notJSON},
		{"POST /answer/messages", `{"candidates":[null]}`, notJSON},
		{"POST /answer/messages", `{"sdp":["a"]}`, notJSON},
		{"POST /answer/messages", `{"sdp":"a","candidates":["c"]`, notJSON},
		{"POST /answer/messages", `{"sdp":"a","key_ttl":"1"}`, notJSON},
		{"POST /answer/messages", `[]`, notJSON},
		{"POST /answer/messages", `{"sdp":"\udfff"}`, notUTF8},
		{"POST /answer/messages", "{\"candidates\":[\"\xff\"]}", notUTF8},
	} {
		name := quote(test.body)
		t.Run(test.line+" "+name[:min(len(name), 60)], func(t *testing.T) {
			key := newKey()
			opens := strings.HasSuffix(test.line, "/offer/sdp")
			if !opens {
				s.do(t, request{line: "POST /offer/sdp", key: key, body: open("o")})
			}
			a := s.do(t, request{line: test.line, key: key, body: test.body})
			if a.msg != test.want {
				t.Errorf("got %q, want %q", a.msg, test.want)
			}
			if test.want == "" {
				return
			}
			if opens {
				s.do(t, request{line: "GET /answer/sdp", key: key}).expect(t, "afterwards", custerrors.KeyNotFound, "")
				return
			}
			s.do(t, request{line: "GET /offer/sdp", key: key}).expect(t, "afterwards", custerrors.SdpNoValues, "")
			s.do(t, request{line: "GET /offer/candidates", key: key}).
				expect(t, "afterwards", custerrors.CandidateNoValues, "")
		})
	}
}

// TestCompressedBodies checks that the server takes no compressed body: it neither inflates one past the limit nor relays one as it is.
func TestCompressedBodies(t *testing.T) {
	s := serve(t)
	key := newKey()
	s.do(t, request{line: "POST /offer/sdp", key: key, body: open("o")})
	var bomb bytes.Buffer
	w := gzip.NewWriter(&bomb)
	w.Write(bytes.Repeat([]byte("x"), 8<<20))
	w.Close()
	for _, encoding := range []string{"gzip", "GZIP", "deflate", "br", "zstd", "gzip, gzip", "x", "identity, gzip"} {
		for _, body := range []string{bomb.String(), "c", `{"data":"c"}`} {
			for _, line := range []string{"POST /answer/candidate", "POST /answer/sdp", "POST /offer/sdp", "POST /answer/messages"} {
				a := s.do(t, request{line: line, key: key, body: body, header: [][2]string{{"Content-Encoding", encoding}}})
				a.expect(t, line+", "+encoding, custerrors.BodyIsCompressed, "")
			}
		}
	}
	s.scriptOf(t, key,
		step{line: "POST /answer/candidate", body: "c", header: [][2]string{{"Content-Encoding", "identity"}}},
		step{line: "GET /offer/candidates", data: `["c"]`},
	)
}

// TestContentTypeIsNotRead checks that the server takes a body whatever its Content-Type says.
func TestContentTypeIsNotRead(t *testing.T) {
	s := serve(t)
	for _, contentType := range []string{
		"", "text/plain", "application/json", "application/json; charset=utf-16", "application/x-www-form-urlencoded",
		"multipart/form-data", "multipart/form-data; boundary=x", "x", "text/html;;;=",
	} {
		header := [][2]string{{"Content-Type", contentType}}
		s.script(t,
			step{line: "POST /offer/sdp", body: open("a=1&b=2"), header: header},
			step{line: "POST /offer/candidate", body: "a=1&b=%20", header: header},
			step{line: "POST /offer/candidates", body: `["--x\r\n\r\n--x--"]`, header: header},
			step{line: "GET /answer/messages", data: news("sdp a=1&b=2", "candidate a=1&b=%20", "candidate --x\r\n\r\n--x--")},
		)
	}
}
