package bridge

import (
	"context"
	"net"
	"net/http"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"signal-server/app/apptest"
	"signal-server/cache"
	"signal-server/cache/memory"
	"signal-server/client"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// Two goroutines of fasthttp's: one sleeps for up to 10 s after the end, the other never ends.
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"))
}

// startServer starts a real signaling server on loopback and returns its URL. The server ends with the test.
func startServer(t *testing.T, change ...func(*cache.Limits)) string {
	t.Helper()
	return newServer(t, apptest.Listen(t), change...).URL
}

func newServer(t *testing.T, listener net.Listener, change ...func(*cache.Limits)) *apptest.Server {
	t.Helper()
	config := apptest.Defaults()
	for _, c := range change {
		c(&config.Limits)
	}
	store, err := memory.New(memory.Config{Limits: config.Limits, Memory: 16 << 20})
	if err != nil {
		t.Fatal(err)
	}
	return apptest.Serve(t, listener, config, store)
}

// running is a bridge that a test runs.
type running struct {
	url  string // where the local program posts
	log  *lines
	stop func()
}

// startBridge runs a bridge until the test ends.
func startBridge(t *testing.T, server, key string, role client.Role, forward string, change ...func(*Config)) running {
	t.Helper()
	listener := apptest.Listen(t)
	r := running{url: "http://" + listener.Addr().String(), log: newLines(t, string(role)+"'s bridge")}
	cfg := Config{
		Server: server, Key: key, Role: role, Listen: listener.Addr().String(), Forward: forward,
		Logger: logTo(r.log),
	}
	for _, c := range change {
		c(&cfg)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	session, keys, err := cfg.session(transport)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := run(ctx, cfg, session, keys, listener); err != nil {
			t.Errorf("the %s's bridge: got %v, want no error", role, err)
		}
	})
	r.stop = sync.OnceFunc(func() {
		cancel()
		serving.Wait()
		transport.CloseIdleConnections()
	})
	t.Cleanup(r.stop)
	return r
}

func sdp(data string) client.Message { return client.Message{Kind: client.SDP, Data: data} }

func candidate(data string) client.Message { return client.Message{Kind: client.Candidate, Data: data} }

// listenAt listens at an address that the test holds.
func listenAt(t *testing.T, address string) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	return l
}
