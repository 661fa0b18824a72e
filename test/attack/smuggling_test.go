package attack_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"signal-server/test/front"
)

// smuggled is a request that hides in the body of another. If the server carries it out, the session of the key smuggled exists.
const smuggled = "POST /offer/messages?key=smuggled HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\n{\"sdp\":\"s\"}"

// shapes are requests whose end two readers may see in different places (RFC 9112, Section 11.2).
func shapes() map[string]string {
	post := "POST /offer/messages?key=cover HTTP/1.1\r\nHost: x\r\n"
	chunk := func(body string) string { return fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(body), body) }
	return map[string]string{
		"a length and chunks":            post + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + smuggled,
		"chunks and a length":            post + fmt.Sprintf("Transfer-Encoding: chunked\r\nContent-Length: %d\r\n\r\n0\r\n\r\n%s", 5+len(smuggled), smuggled),
		"two lengths":                    post + fmt.Sprintf("Content-Length: 0\r\nContent-Length: %d\r\n\r\n%s", len(smuggled), smuggled),
		"two lengths in one":             post + fmt.Sprintf("Content-Length: 0, %d\r\n\r\n%s", len(smuggled), smuggled),
		"a length with a sign":           post + fmt.Sprintf("Content-Length: +%d\r\n\r\n%s", len(smuggled), smuggled),
		"a length in hex":                post + "Content-Length: 0x0\r\n\r\n" + smuggled,
		"a negative length":              post + "Content-Length: -1\r\n\r\n" + smuggled,
		"chunked in a strange spelling":  post + "Transfer-Encoding: xchunked\r\n\r\n" + smuggled,
		"chunked twice":                  post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n" + chunk("") + smuggled,
		"chunked after a tab":            post + "Transfer-Encoding:\tchunked\r\n\r\n0\r\n\r\n" + smuggled,
		"chunked after a vertical tab":   post + "Transfer-Encoding: \vchunked\r\n\r\n0\r\n\r\n" + smuggled,
		"a space before the colon":       post + "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + smuggled,
		"a folded line":                  post + "X: y\r\n Content-Length: 0\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n" + smuggled,
		"line feeds alone":               strings.ReplaceAll(post, "\r\n", "\n") + "Content-Length: 0\n\n" + smuggled,
		"a carriage return in a name":    post + "Content\rLength: 5\r\n\r\n" + smuggled,
		"a chunk size beyond all":        post + "Transfer-Encoding: chunked\r\n\r\n10000000000000000\r\n\r\n" + smuggled,
		"a chunk size with an extension": post + "Transfer-Encoding: chunked\r\n\r\n0;" + strings.Repeat("x", 100) + "\n\r\n\r\n" + smuggled,
		"a chunk that ends early":        post + "Transfer-Encoding: chunked\r\n\r\n5\r\nab\r\n0\r\n\r\n" + smuggled,
		"a length for a GET":             fmt.Sprintf("GET /answer/sdp?key=cover HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", len(smuggled), smuggled),
		"an upgrade to HTTP/2":           post + fmt.Sprintf("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\nContent-Length: %d\r\n\r\n%s", len(smuggled), smuggled),
		"a length that nobody forwards":  post + fmt.Sprintf("Connection: Content-Length\r\nContent-Length: %d\r\n\r\n%s", len(smuggled), smuggled),
	}
}

// unhidden names the shapes whose second request is in plain sight, at least to one reader that obeys the RFC: the body before it is
// empty and ends where it seems to. A server may carry that request out.
var unhidden = map[string]bool{
	"line feeds alone": true, "chunked twice": true, "chunked after a tab": true, "a folded line": true,
	"a chunk size with an extension": true, // nginx takes the line feed for the end of the line
}

// TestSmuggling sends such requests to the server, and through an nginx that shares its connections to the server among all clients. No
// request is taken for a part of another, and the next client on that connection gets its own answer.
func TestSmuggling(t *testing.T) {
	s := serve(t)
	for name, addr := range map[string]string{"directly": s.Addr, "behind nginx": front.Plain(t, s.Addr)} {
		for shape, sent := range shapes() {
			t.Run(name+"/"+shape, func(t *testing.T) {
				statuses := exchange(t, addr, sent)
				if len(statuses) > 1 && !unhidden[shape] {
					for _, status := range statuses[1:] {
						if status == 200 {
							t.Errorf("got answers %v, want none with 200 behind the first", statuses)
						}
					}
				}
				c := http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
				for _, want := range []string{"a", "b"} { // over the same connections of the proxy
					r, err := c.Get("http://" + addr + "/answer/events/" + want)
					if err != nil {
						t.Fatal(err)
					}
					if r.StatusCode != 404 {
						t.Errorf("the next client: got %d, want its own 404", r.StatusCode)
					}
					r.Body.Close()
				}
				r, err := c.Get(s.url() + "/answer/sdp?key=smuggled")
				if err != nil {
					t.Fatal(err)
				}
				body, _ := io.ReadAll(r.Body)
				r.Body.Close()
				if opened := strings.Contains(string(body), `"data":"s"`); opened && !unhidden[shape] {
					t.Errorf("the hidden request was carried out; answers %v", statuses)
				}
				request, _ := http.NewRequest("DELETE", s.url()+"/session?key=smuggled", nil)
				if r, err := c.Do(request); err == nil {
					r.Body.Close()
				}
			})
		}
	}
}

// exchange sends bytes and returns the statuses of all answers until the connection ends or falls silent.
func exchange(t *testing.T, addr, sent string) (statuses []int) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, sent); err != nil {
		t.Fatal(err)
	}
	conn.SetDeadline(time.Now().Add(500 * time.Millisecond))
	for br := bufio.NewReader(conn); ; {
		r, err := http.ReadResponse(br, nil)
		if err != nil {
			return statuses
		}
		io.Copy(io.Discard, r.Body)
		r.Body.Close()
		statuses = append(statuses, r.StatusCode)
	}
}
