package link

import (
	"bufio"
	"bytes"
	"net/http"
	"strings"
	"testing"

	"github.com/valyala/fasthttp"
)

// plainHead is a head as clients send it.
const plainHead = "POST /offer/messages?wait=20 HTTP/1.1\r\nHost: signal.example:8080\r\nUser-Agent: Go-http-client/1.1\r\nContent-Length: 2048\r\n" +
	"Content-Type: application/json\r\nKey: 0123456789abcdefghijkl\r\nIdempotency-Key: 0123456789abcdefghijkl\r\nAccept-Encoding: gzip\r\n\r\n"

// heads are beginnings of requests: whether they may go on to be one, and whether they are whole.
var heads = map[string]struct {
	sent  string
	wrong bool
	whole bool
}{
	"a head":                          {sent: plainHead, whole: true},
	"a head and a body":               {sent: plainHead + "\n\n\x00", whole: true},
	"no line but one":                 {sent: "GET / HTTP/1.0\r\n\r\n", whole: true},
	"empty lines first":               {sent: "\r\n\r\n\r\nGET / HTTP/1.0\r\n\r\n", whole: true},
	"empty lines only":                {sent: "\r\n\r\n\r\n"},
	"nothing":                         {},
	"half a method":                   {sent: "PO"},
	"half a target":                   {sent: "POST /off"},
	"half a version":                  {sent: "POST / HTTP/"},
	"half an end":                     {sent: "POST / HTTP/1.1\r\nHost: x\r\n\r"},
	"a target of other letters":       {sent: "GET /é\xff HTTP/1.1\r\n"},
	"a value of other letters":        {sent: "GET / HTTP/1.1\r\nkey: \té\xff \t\r\n"},
	"a line feed first":               {sent: "\nG", wrong: true},
	"line feeds only":                 {sent: "\n\r\n"},
	"a return first":                  {sent: "\rG", wrong: true},
	"a line feed for an end":          {sent: "GET / HTTP/1.1\n", wrong: true},
	"a header that a line feed ends":  {sent: "GET / HTTP/1.1\r\nHost: x\n", wrong: true},
	"an end that is a line feed":      {sent: "GET / HTTP/1.1\r\nHost: x\r\n\n", wrong: true},
	"a return in a value":             {sent: "GET / HTTP/1.1\r\nHost: x\ry", wrong: true},
	"a return behind a return":        {sent: "GET / HTTP/1.1\r\r", wrong: true},
	"a folded line":                   {sent: "GET / HTTP/1.1\r\nHost: x\r\n ", wrong: true},
	"a space in a name":               {sent: "GET / HTTP/1.1\r\nmy key:"},
	"a space before the colon":        {sent: "GET / HTTP/1.1\r\nkey :", wrong: true},
	"no name":                         {sent: "GET / HTTP/1.1\r\n:", wrong: true},
	"a line without a colon":          {sent: "GET / HTTP/1.1\r\nHost\r", wrong: true},
	"NUL in a value":                  {sent: "GET / HTTP/1.1\r\nHost: \x00", wrong: true},
	"DEL in a value":                  {sent: "GET / HTTP/1.1\r\nHost: \x7f", wrong: true},
	"NUL in the target":               {sent: "GET /\x00", wrong: true},
	"no method":                       {sent: " ", wrong: true},
	"no target":                       {sent: "GET  ", wrong: true},
	"no version":                      {sent: "GET /\r", wrong: true},
	"an empty version":                {sent: "GET / \r", wrong: true},
	"a version to come":               {sent: "PRI * HTTP/2", wrong: true},
	"a version that is none":          {sent: "GET / HTTQ", wrong: true},
	"a version without a minor one":   {sent: "GET / HTTP/1.\r", wrong: true},
	"a version with two minor digits": {sent: "GET / HTTP/1.10", wrong: true},
	"TLS":                             {sent: "\x16\x03\x01", wrong: true},
	"letters of no token":             {sent: "é", wrong: true},
}

// TestHeadsInPieces passes each beginning in one piece, and byte by byte.
func TestHeadsInPieces(t *testing.T) {
	for name, test := range heads {
		t.Run(name, func(t *testing.T) {
			at := start.pass([]byte(test.sent))
			if got := at == wrong; got != test.wrong {
				t.Errorf("got wrong %v, want %v", got, test.wrong)
			}
			if got := at == outside; got != test.whole {
				t.Errorf("got whole %v, want %v", got, test.whole)
			}
			piecewise := start
			for i := range len(test.sent) {
				piecewise = piecewise.pass([]byte(test.sent[i : i+1]))
			}
			if piecewise != at {
				t.Errorf("byte by byte: got place %d, want %d as in one piece", piecewise, at)
			}
		})
	}
}

// FuzzHead holds the ways against each other in which a head is judged: in one piece, and byte by byte.
func FuzzHead(f *testing.F) {
	for _, test := range heads {
		f.Add([]byte(test.sent))
		f.Add([]byte(test.sent + "\r\n\r\n"))
	}
	f.Add([]byte("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n"))
	f.Add([]byte("GET http://h/p HTTP/1.1\r\nHost: x\r\nkey : k\r\n\r\n"))
	f.Fuzz(func(t *testing.T, sent []byte) {
		at, whole := start, 0 // bytes of the head; 0: it is not whole
		for i := range sent {
			if at = at.pass(sent[i : i+1]); at == outside {
				whole = i + 1
				break
			}
		}
		plain, coded := survey(sent)
		c, more := parsed(sent)
		if c != nil && plain {
			if got := Sound(c); !coded && got != soundLine(c) {
				t.Errorf("of a plain head: got sound %v, want %v", got, !got)
			}
			if taken := len(sent) - more.left(); Sound(c) && taken != whole {
				t.Errorf("got place %d and the end at %d, want it at %d as fasthttp has it", at, whole, taken)
			}
		}
		if plain && whole == 0 && at != wrong {
			t.Error("got no end of a plain head, want one")
		}
		if whole > 0 {
			if _, more := parsed(sent[:whole]); more.waited {
				t.Error("got the end of a head, and fasthttp waits for more")
			}
		}
	})
}

// soundLine is what Sound looks at beside lines.
func soundLine(c *fasthttp.RequestCtx) bool {
	return strings.HasPrefix(string(c.Request.Header.Protocol()), protocol) && !strings.Contains(string(c.Request.Header.Host()), "@")
}

// pieces are bytes that fasthttp reads.
type pieces struct {
	*bytes.Reader
	br     *bufio.Reader
	waited bool // for more than there are
}

func (p *pieces) Read(b []byte) (int, error) {
	n, err := p.Reader.Read(b)
	p.waited = p.waited || err != nil
	return n, err
}

// left returns how many bytes have not been taken.
func (p *pieces) left() int { return p.Len() + p.br.Buffered() }

// parsed returns a request whose head fasthttp has parsed, or nil, and what it has read.
func parsed(head []byte) (*fasthttp.RequestCtx, *pieces) {
	p := &pieces{Reader: bytes.NewReader(head)}
	p.br = bufio.NewReaderSize(p, 1<<20)
	var c fasthttp.RequestCtx
	if err := c.Request.Header.Read(p.br); err != nil {
		return nil, p
	}
	return &c, p
}

func TestSoundAllocatesNothing(t *testing.T) {
	sent := []byte(plainHead)
	c, _ := parsed(sent)
	if got := testing.AllocsPerRun(1000, func() {
		if plain, coded := survey(sent); !plain || coded || !Sound(c) {
			t.Error("got an unsound head, want a sound one")
		}
	}); got != 0 {
		t.Errorf("allocations: got %v, want 0", got)
	}
}

// BenchmarkHead is what a head costs: its survey, the look at its lines that others need, and what fasthttp spends on it.
func BenchmarkHead(b *testing.B) {
	sent := []byte(plainHead)
	c, _ := parsed(sent)
	var h fasthttp.RequestHeader
	r := bytes.NewReader(nil)
	br := bufio.NewReader(r)
	for name, run := range map[string]func(){
		"survey": func() { survey(sent) },
		"Sound":  func() { Sound(c) },
		"fasthttp": func() {
			r.Reset(sent)
			br.Reset(r)
			if err := h.Read(br); err != nil {
				b.Fatal(err)
			}
		},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				run()
			}
		})
	}
}

// TestUnsoundHeadsAreAnsweredAtOnce sends what cannot become a request, in pieces, to a server with a minute's time.
func TestUnsoundHeadsAreAnsweredAtOnce(t *testing.T) {
	s := serve(t, slow(0), func(c *fasthttp.RequestCtx) {
		if !Sound(c) {
			c.SetStatusCode(http.StatusBadRequest)
			c.SetConnectionClose()
		}
	})
	for name, test := range heads {
		if !test.wrong {
			continue
		}
		c := s.dial(t)
		for i := range len(test.sent) {
			c.Write([]byte(test.sent[i : i+1])) // when it fails, the answer is there
		}
		if a := c.answer(t, name); a.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: got %d, want 400", name, a.StatusCode)
		}
	}
}
