package api_test

import (
	"bufio"
	"context"
	"crypto/rand"
	"flag"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	appserver "signal-server/app/server"
	"signal-server/app/wire/call"

	"go.uber.org/goleak"

	"signal-server/app/apptest"
	"signal-server/app/apptest/testlog"
	"signal-server/cache"
)

var update = flag.Bool("update", false, "write the golden replies anew")

func TestMain(m *testing.M) {
	flag.Parse()
	goleak.VerifyTestMain(m, ignoreSleepers, ignoreDate)
}

// Goroutines that fasthttp leaves behind: the first one sleeps on for up to 10 s after the end, the second one never ends.
var (
	ignoreSleepers = goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2")
	ignoreDate     = goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1")
)

// options are what a test may change.
type options struct {
	config apptest.Config
	memory int64                         // bytes
	wrap   func(cache.Store) cache.Store // puts something before the store

	listener func(net.Listener) net.Listener // puts something before the listener
	logTo    io.Writer                       // in place of the server's log
}

// server is a running server on loopback.
type server struct {
	app    *appserver.Server
	calls  *call.Wire
	over   transport
	addr   string // host:port, or a path
	url    string
	store  *watched
	log    *testlog.Log
	client *http.Client
	stop   func() // ends it and waits until it has ended
}

// serve starts a server, which ends with the test.
func serve(t testing.TB, changes ...func(*options)) *server {
	t.Helper()
	o := options{config: apptest.Defaults(), memory: 32 << 20}
	for _, change := range changes {
		change(&o)
	}
	store := newStore(t, o.config.Limits, o.memory)
	if o.wrap != nil {
		store = o.wrap(store)
	}
	s := &server{store: watch(store), log: new(testlog.Log)}
	logTo := io.Writer(s.log)
	if o.logTo != nil {
		logTo = o.logTo
	}
	handler := slog.NewTextHandler(logTo, &slog.HandlerOptions{Level: slog.LevelDebug})
	a, calls, err := apptest.New(o.config, s.store, slog.New(handler))
	if err != nil {
		t.Fatalf("New: got %v, want a server", err)
	}
	s.over = transportOf(t)
	listener := s.over.listen(t)
	if o.listener != nil {
		listener = o.listener(listener)
	}
	s.addr = listener.Addr().String()
	s.url = s.over.scheme() + "://" + s.over.host(s.addr)
	transport := &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true, TLSClientConfig: trusting()}
	transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, s.over.network(), s.addr)
	}
	s.client = &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}
	s.app, s.calls = a, calls
	ctx, cancel := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := a.Serve(ctx, appserver.Listeners{API: listener}); err != nil {
			t.Errorf("Serve: got %v, want nil", err)
		}
	})
	s.stop = sync.OnceFunc(func() {
		cancel()
		transport.CloseIdleConnections()
		serving.Wait()
		if err := s.store.Close(); err != nil {
			t.Errorf("Close of the store: got %v, want nil", err)
		}
		if text := s.log.String(); strings.Contains(text, "BUG") || strings.Contains(text, "level=ERROR") {
			t.Errorf("the log: got %s, want no error", text)
		}
	})
	t.Cleanup(s.stop)
	return s
}

// newKey returns a key that no other test has.
func newKey() string { return rand.Text() }

// request is one request of the API. The zero values are: no header, no body.
type request struct {
	line   string // method and path
	key    string // the header
	header [][2]string
	host   string // none: the server's address
	body   string
}

// do sends the request, checks what every answer must have, and returns the answer. It may be called from any goroutine.
func (s *server) do(t testing.TB, r request) answer {
	t.Helper()
	a, err := s.try(t.Context(), r)
	if err != nil {
		t.Errorf("%s: got %v, want an answer", r.line, err)
		return answer{}
	}
	a.check(t, r.line)
	return a
}

// try is do for requests that may fail.
func (s *server) try(ctx context.Context, r request) (answer, error) {
	method, path, _ := strings.Cut(r.line, " ")
	if method == http.MethodGet || method == http.MethodDelete {
		r.body = "" // so that one table of steps can go through all methods
	}
	req, err := http.NewRequestWithContext(ctx, method, s.url+path, strings.NewReader(r.body))
	if err != nil {
		return answer{}, err
	}
	if r.host != "" {
		req.Host = r.host
	}
	if r.key != "" {
		req.Header["key"] = []string{r.key}
	}
	for _, h := range r.header {
		req.Header[h[0]] = append(req.Header[h[0]], h[1])
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return answer{}, err
	}
	return read(resp)
}

// start sends the request and returns a function that waits for its answer.
func (s *server) start(t testing.TB, r request) func() answer {
	t.Helper()
	type result struct {
		a   answer
		err error
	}
	done := make(chan result, 1)
	ctx := t.Context()
	go func() {
		a, err := s.try(ctx, r)
		done <- result{a, err}
	}()
	return func() answer {
		t.Helper()
		res := <-done
		if res.err != nil {
			t.Fatalf("%s: got %v, want an answer", r.line, res.err)
		}
		res.a.check(t, r.line)
		return res.a
	}
}

// dial opens a connection to the server. The end of the test closes it.
func (s *server) dial(t testing.TB) (*peer, *bufio.Reader) {
	t.Helper()
	w, err := s.over.dial(s.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	w.SetDeadline(time.Now().Add(30 * time.Second)) // so that a test that fails ends
	return w, bufio.NewReader(w)
}
