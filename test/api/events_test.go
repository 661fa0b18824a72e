package api_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"signal-server/cache"
	"signal-server/custerrors"
)

// listener is an open event stream.
type listener struct {
	t    *testing.T
	conn *peer
	br   *bufio.Reader
	head http.Header
	id   string // of the last event
}

// listen opens a stream; headers are lines such as "Last-Event-ID: x".
func (s *server) listen(t *testing.T, path string, headers ...string) *listener {
	t.Helper()
	conn, br := s.dial(t)
	fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: x\r\n%s\r\n", path, strings.Join(append(headers, ""), "\r\n"))
	conn.SetReadDeadline(time.Now().Add(25 * time.Second))
	answer, err := http.ReadResponse(br, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := answer.Header.Get("Content-Type"), "text/event-stream"; got != want || answer.StatusCode != 200 {
		t.Fatalf("GET %s: got %d %q, want 200 %q", path, answer.StatusCode, got, want)
	}
	return &listener{t: t, conn: conn, br: bufio.NewReader(answer.Body), head: answer.Header}
}

// next returns the next event, without its id and with its fields joined by |; ":" is a comment, "" the end of the stream.
func (l *listener) next() string {
	l.t.Helper()
	var fields []string
	for {
		line, err := l.br.ReadString('\n')
		if err == io.EOF && line == "" && fields == nil {
			return ""
		}
		if err != nil {
			l.t.Fatalf("the stream: %v after %q", err, fields)
		}
		line = strings.TrimSuffix(line, "\n")
		if id, ok := strings.CutPrefix(line, "id: "); ok {
			l.id = id
			continue
		}
		if line == "" {
			return strings.Join(fields, "|")
		}
		fields = append(fields, line)
	}
}

func (l *listener) want(events ...string) {
	l.t.Helper()
	for _, want := range events {
		got := l.next()
		for got == ":" && want != ":" {
			got = l.next()
		}
		if got != want {
			l.t.Errorf("the next event: got %q, want %q", got, want)
		}
	}
}

func event(kind, data string) string { return "event: " + kind + "|data: " + data }

func end(msg custerrors.Error) string { return event("end", `"`+string(msg)+`"`) }

// TestEvents opens the answerer's stream before the session, the offerer's after it, and follows them to their end.
func TestEvents(t *testing.T) {
	s := serve(t)
	for _, role := range []string{"answer", "offer"} {
		key := newKey()
		var l *listener
		opens := func() {
			s.do(t, request{line: "POST /offer/messages", key: key, body: `{"sdp":"o","candidates":["o1"]}`})
		}
		if role == "offer" {
			opens()
		}
		l = s.listen(t, "/"+role+"/events?key="+key)
		l.want(":") // at once: it is connected
		if role == "answer" {
			opens()
		}
		s.do(t, request{line: "POST /answer/candidate", key: key, body: "a1"}) // which is held back until the sdp is there
		s.do(t, request{line: "POST /answer/sdp", key: key, body: "a"})
		if role == "answer" {
			l.want(event("sdp", `"o"`), event("candidate", `"o1"`))
		} else {
			l.want(event("sdp", `"a"`), event("candidate", `"a1"`))
		}
		s.do(t, request{line: "DELETE /session", key: key})
		l.want(end(custerrors.KeyIsExpired), "")
		if l.id != "end" {
			t.Errorf("the id of the end: got %q, want end", l.id)
		}
		for name, want := range map[string]string{
			"Cache-Control": "no-store, no-transform", "X-Accel-Buffering": "no", "Access-Control-Allow-Origin": "*",
		} {
			if got := l.head.Get(name); got != want {
				t.Errorf("%s: got %q, want %q", name, got, want)
			}
		}
	}
}

// TestEventsResume cuts a stream after each event. Nothing is lost or doubled. The header wins over the query.
func TestEventsResume(t *testing.T) {
	s := serve(t)
	key := newKey()
	beginning := s.do(t, request{line: "POST /offer/messages", key: key, body: `{"sdp":"o","candidates":["1","2","3"]}`}).next(t)
	all := []string{event("sdp", `"o"`), event("candidate", `"1"`), event("candidate", `"2"`), event("candidate", `"3"`)}
	first := ""
	for i, last := 0, ""; i < len(all); i++ {
		l := s.listen(t, "/answer/events?key="+key+"&after="+first, "Last-Event-ID: "+last)
		l.want(all[i])
		last = l.id
		if i == 0 {
			first = last
		}
	}
	s.listen(t, "/answer/events?key="+key+"&after="+first).want(all[1:]...)
	// A cursor of the stream is good for messages, too.
	s.do(t, request{line: "GET /answer/messages?after=" + first, key: key}).expect(t, "messages", "", news("candidate 1", "candidate 2", "candidate 3"))
	s.do(t, request{line: "DELETE /session", key: key})
	s.do(t, request{line: "POST /offer/sdp", key: key, body: open("new")})
	for role, after := range map[string]string{"answer": first, "offer": beginning} {
		s.listen(t, "/"+role+"/events?key="+key+"&after="+after).want(end(custerrors.KeyIsExpired), "")
	}
}

// TestNoPayloadInjectsAnEvent posts payloads that look like fields of an event.
func TestNoPayloadInjectsAnEvent(t *testing.T) {
	s := serve(t)
	key := newKey()
	l := s.listen(t, "/answer/events?key="+key)
	payload := "x\n\nevent: end\ndata: \"y\"\r\rid: z\x00\u2028"
	s.do(t, request{line: "POST /offer/sdp", key: key, body: open(payload)})
	s.do(t, request{line: "POST /offer/candidate", key: key, body: "c"})
	l.want(event("sdp", quote(payload)), event("candidate", `"c"`))
}

func TestEventsThatCannotBegin(t *testing.T) {
	s := serve(t)
	s.do(t, request{line: "GET /offer/events"}).expect(t, "no key", custerrors.KeyIsEmpty, "")
	s.do(t, request{line: "GET /offer/events?after=x", key: newKey()}).expect(t, "a bad cursor", custerrors.CursorIsInvalid, "")
}

// TestHeartbeat waits for the comment that keeps proxies from hanging up. The stream keeps its session alive meanwhile.
func TestHeartbeat(t *testing.T) {
	t.Parallel()
	s := serve(t)
	key := newKey()
	s.do(t, request{line: "POST /offer/sdp", key: key, body: `{"data":"o","key_ttl":3}`})
	l := s.listen(t, "/offer/events?key="+key)
	l.want(":")
	began := time.Now()
	if got := l.next(); got != ":" {
		t.Errorf("the next event: got %q, want a comment", got)
	}
	if got, most := time.Since(began), 20*time.Second; got > most {
		t.Errorf("a comment came after %v, want it after 15 s", got)
	}
	s.do(t, request{line: "POST /answer/sdp", key: key, body: "a"})
	l.want(event("sdp", `"a"`))
}

// TestStreamsEndAtShutdown checks that readers learn of the end.
func TestStreamsEndAtShutdown(t *testing.T) {
	s := serve(t)
	l := s.listen(t, "/answer/events?key="+newKey())
	l.want(":")
	s.stop()
	l.want(end(custerrors.ServerIsShuttingDown), "")
	if l.id != "" {
		t.Errorf("the id of this server's end: got %q, want none, so that the reader goes on where it was", l.id)
	}
}

// TestEventsAfterTheEnd comes back as an EventSource does, with the id of the end: by the header, and by the query. While the ended session is
// remembered, the answerer's stream waits for the next one and follows it; the offerer's begins only if one lives.
func TestEventsAfterTheEnd(t *testing.T) {
	s := serve(t)
	for how, back := range map[string]func(role, key string) (path, header string){
		"header": func(role, key string) (string, string) {
			return "/" + role + "/events?key=" + key + "&after=AAAAAAAAAAA", "Last-Event-ID: end"
		},
		"query": func(role, key string) (string, string) {
			return "/" + role + "/events?key=" + key + "&after=end", "X: x"
		},
	} {
		t.Run(how, func(t *testing.T) {
			key := newKey()
			s.do(t, request{line: "POST /offer/messages", key: key, body: `{"sdp":"o","candidates":["1"]}`})
			s.do(t, request{line: "DELETE /session", key: key})
			first := s.listen(t, "/answer/events?key="+key) // which has not seen the end yet
			first.want(":", end(custerrors.KeyIsExpired), "")

			path, header := back("answer", key)
			l := s.listen(t, path, header)
			l.want(":")
			s.grow(t, key, 1, 0)
			path, header = back("offer", key)
			s.wantStopped(t, path, header)
			s.do(t, request{line: "POST /offer/messages", key: key, body: `{"sdp":"p","candidates":["2"]}`})
			l.want(event("sdp", `"p"`), event("candidate", `"2"`))
			offerer := s.listen(t, path, header)
			s.do(t, request{line: "POST /answer/sdp", key: key, body: "a"})
			offerer.want(event("sdp", `"a"`))
			s.do(t, request{line: "DELETE /session", key: key})
			l.want(end(custerrors.KeyIsExpired), "")
			offerer.want(end(custerrors.KeyIsExpired), "")
			s.wantStopped(t, path, header)
		})
	}
}

// wantStopped wants a stream to be answered 204, so that an EventSource does not come back.
func (s *server) wantStopped(t *testing.T, path, header string) {
	t.Helper()
	conn, br := s.dial(t)
	fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: x\r\n%s\r\n\r\n", path, header)
	a, err := http.ReadResponse(br, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := a.Header.Get("Cache-Control"); a.StatusCode != http.StatusNoContent || got != "no-store" {
		t.Errorf("GET %s: got %d, Cache-Control %q, want 204, no-store", path, a.StatusCode, got)
	}
}

// TestTheOfferersStreamNeedsASession ends at once a stream that nobody but its reader could give something to.
func TestTheOfferersStreamNeedsASession(t *testing.T) {
	s := serve(t)
	l := s.listen(t, "/offer/events?key="+newKey())
	l.want(":", end(custerrors.KeyNotFound), "")
	if l.id != "end" {
		t.Errorf("the id of the end: got %q, want end", l.id)
	}
}

// TestAStreamThatNobodyReadsEndsWithoutAWord shuts down a reader's sending side, which counts as leaving. What comes later is not for that
// reader, and the end is no error.
func TestAStreamThatNobodyReadsEndsWithoutAWord(t *testing.T) {
	s := serve(t)
	conn, br := s.dial(t)
	fmt.Fprint(conn, "GET /answer/events?key=k HTTP/1.1\r\nHost: x\r\n\r\n")
	s.grow(t, "k", 1, 0)
	conn.CloseWrite()
	s.do(t, request{line: "POST /offer/sdp", key: "k", body: open("o")})
	text, err := io.ReadAll(br)
	if _, events, _ := strings.Cut(string(text), "\r\n\r\n"); events != ":\n\n" || err != nil {
		t.Errorf("got %q, %v, want one comment and the end", events, err)
	}
}

// TestAReaderThatDoesNotKeepUpIsCutOff fills the connection of a reader that reads nothing until the server has let go of it. The
// reader resumes by its last id.
func TestAReaderThatDoesNotKeepUpIsCutOff(t *testing.T) {
	s := serve(t, holdingLittle, func(o *options) {
		o.config.Link.ReadTimeout = time.Second // bounds a write, too
		o.config.Call.SDPBytes, o.config.Wire.BodyBytes, o.config.Limits.SessionBytes = 2<<20, 3<<20, 3<<20
		o.memory = 256 << 20
	})
	key := newKey()
	l := s.listen(t, "/answer/events?key="+key)
	l.want(":")
	l.conn.holdLittle(t)
	large := strings.Repeat("x", 2<<20) // more than the connection holds, and soon sent to one who reads
	var b cache.Batch
	b.Add(cache.Frame{Kind: cache.SDP, Size: len(large), Wire: []byte(large)})
	_, _, err := s.store.Write(t.Context(), nil, cache.Write{Key: cache.Key(key), From: cache.Offer, Opens: true, Batch: &b})
	if err != nil { // not by a request, which on a busy machine takes longer than one may
		t.Fatal(err)
	}
	s.eventually(t, "signal_streams", 0)                                                          // however late a busy machine comes to it
	s.eventually(t, `signal_requests_total{msg="ok",route="GET /answer/events",status="200"}`, 1) // that is no fault of the server's
	if n, err := io.Copy(io.Discard, l.br); n >= int64(len(large)) {
		t.Errorf("a reader that slept: got %d bytes, %v, want the stream cut before its end", n, err)
	}
	again := s.listen(t, "/answer/events?key="+key)
	again.want(event("sdp", `"`+large+`"`))
}

// TestReadersThatDoNotKeepUpHoldNobodyUp fills the connections of many readers that read nothing. Meanwhile the writer is answered, others that read or
// wait for the same or something else are told, and the slow ones, once they read, get all of it.
func TestReadersThatDoNotKeepUpHoldNobodyUp(t *testing.T) {
	slow := 8 * runtime.GOMAXPROCS(0) // more than the server has hands for such work
	s := serve(t, holdingLittle, func(o *options) {
		o.config.Link.ReadTimeout = time.Minute // bounds a write, too: nobody is cut off
		o.config.Call.SDPBytes, o.config.Wire.BodyBytes, o.config.Limits.SessionBytes = 2<<20, 3<<20, 3<<20
		o.memory = 256 << 20
	})
	key, other := newKey(), newKey()
	var sleepers []*listener
	for range slow {
		l := s.listen(t, "/answer/events?key="+key)
		l.want(":")
		l.conn.holdLittle(t)
		sleepers = append(sleepers, l)
	}
	reader, elsewhere := s.listen(t, "/answer/events?key="+key), s.listen(t, "/answer/events?key="+other)
	waits := s.start(t, request{line: "GET /answer/messages?wait=30", key: key})
	s.grow(t, key, slow+2, ages[1])
	large := strings.Repeat("x", 2<<20) // more than a connection holds
	s.do(t, request{line: "POST /offer/messages", key: key, body: `{"sdp":"` + large + `"}`}).expect(t, "the writer", "", news())
	reader.want(event("sdp", `"`+large+`"`))
	waits().expect(t, "a wait", "", news("sdp "+large))
	s.do(t, request{line: "POST /offer/candidate", key: key, body: "c"}).expect(t, "the writer's next request", "", "")
	reader.want(event("candidate", `"c"`))
	s.do(t, request{line: "POST /offer/sdp", key: other, body: open("o")})
	elsewhere.want(event("sdp", `"o"`))
	if got, want := scraped(t, s.app)["signal_streams"], float64(slow+2); got != want {
		t.Errorf("signal_streams: got %v, want all %v", got, want)
	}
	for _, l := range sleepers {
		l.want(event("sdp", `"`+large+`"`), event("candidate", `"c"`))
	}
}
