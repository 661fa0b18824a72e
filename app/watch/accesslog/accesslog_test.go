package accesslog_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"signal-server/app/watch/accesslog"
	"signal-server/cache"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// lines is what a log writes to.
type lines struct {
	mu sync.Mutex
	// guarded by mu
	text bytes.Buffer
	fail error
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fail != nil {
		return 0, l.fail
	}
	return l.text.Write(p)
}

func newLog(t *testing.T, c accesslog.Config, handler slog.Handler) *accesslog.Log {
	t.Helper()
	l, err := accesslog.New(c, handler)
	if err != nil {
		t.Fatalf("New: got %v, want a log", err)
	}
	return l
}

// session returns what a log calls the session of that key.
func session(t *testing.T, c accesslog.Config, key cache.Key) string {
	t.Helper()
	var out lines
	l := newLog(t, c, slog.NewTextHandler(&out, nil))
	e := accesslog.Entry{Route: "r"}
	e.Of(l, key)
	l.Write(&e)
	l.Close()
	_, rest, _ := strings.Cut(out.text.String(), "session=")
	name, _, _ := strings.Cut(rest, " ")
	return name
}

func TestLine(t *testing.T) {
	var out lines
	l := newLog(t, accesslog.Config{Share: 1}, slog.NewTextHandler(&out, nil))
	e := accesslog.Entry{
		Route: "GET /offer/sdp", Status: "200", Msg: "ok", Client: netip.MustParseAddr("203.0.113.7"),
		Took: 3 * time.Millisecond, Received: 1, Sent: 2,
	}
	e.Of(l, "the secret key")
	l.Write(&e)
	l.Write(&accesslog.Entry{Route: "other", Status: "404", Msg: "RouteNotFound"})
	l.Close()
	got := strings.Split(strings.TrimSpace(out.text.String()), "\n")
	if len(got) != 2 {
		t.Fatalf("got %q, want two lines", got)
	}
	for _, want := range []string{
		"level=INFO", "msg=request", `route="GET /offer/sdp"`, "status=200", "result=ok", "session=", "client=203.0.113.7", "took=3ms",
		"received=1", "sent=2",
	} {
		if !strings.Contains(got[0], want) {
			t.Errorf("got %s, want %s in it", got[0], want)
		}
	}
	if strings.Contains(got[0], "secret") {
		t.Errorf("got %s, want no key", got[0])
	}
	for _, no := range []string{"session", "client", "took"} {
		if strings.Contains(got[1], no) {
			t.Errorf("got %s, want no %s of a request that has none", got[1], no)
		}
	}
}

func TestSalt(t *testing.T) {
	file := func(text string) string {
		path := filepath.Join(t.TempDir(), "salt")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	random := accesslog.Config{Share: 1}
	one, other := random, random
	one.SaltFile, other.SaltFile = file(strings.Repeat("s", 16)), file(strings.Repeat("t", 16))
	if a, b := session(t, random, "k"), session(t, random, "k"); a == b || len(a) != 16 {
		t.Errorf("two processes: got %q and %q for one key, want 16 digits that differ", a, b)
	}
	if a, b := session(t, one, "k"), session(t, one, "k"); a != b || len(a) != 16 {
		t.Errorf("two processes of one salt: got %q and %q for one key, want the same", a, b)
	}
	if a, b := session(t, one, "k"), session(t, one, "l"); a == b {
		t.Errorf("got %q for two keys, want what differs", a)
	}
	if a, b := session(t, one, "k"), session(t, other, "k"); a == b {
		t.Errorf("got %q under two salts, want what differs", a)
	}
	if got := session(t, one, cache.Key(strings.Repeat("𝒦", cache.MaxKeyLength))); len(got) != 16 {
		t.Errorf("the longest key: got %q, want 16 digits", got)
	}
	for name, c := range map[string]accesslog.Config{
		"too short a salt":                {Share: 1, SaltFile: file(strings.Repeat("s", 15))},
		"too long a salt":                 {Share: 1, SaltFile: file(strings.Repeat("s", 4097))},
		"no such file":                    {Share: 1, SaltFile: "/nowhere/at.all"},
		"a bad salt of a log that is off": {SaltFile: "/nowhere/at.all"},
		"more than all":                   {Share: 1.1},
		"less than none":                  {Share: -1},
	} {
		if l, err := accesslog.New(c, slog.DiscardHandler); err == nil {
			t.Errorf("%s: got nil, want an error", name)
			l.Close()
		}
	}
}

func TestPicks(t *testing.T) {
	for share, want := range map[accesslog.Share][2]int{0: {0, 0}, 0.01: {1, 500}, 0.5: {3000, 7000}, 1: {10_000, 10_000}} { // of 10,000, beyond doubt
		l := newLog(t, accesslog.Config{Share: share}, slog.DiscardHandler)
		n := 0
		for range 10_000 {
			if l.Picks() {
				n++
			}
		}
		if n < want[0] || n > want[1] {
			t.Errorf("a share of %v: got %d of 10,000, want %d to %d", share, n, want[0], want[1])
		}
		if (l == nil) != (share == 0) || l.Lost() != 0 {
			t.Errorf("a share of %v: got the log %v", share, l)
		}
		l.Close()
	}
}

// TestFullDisk checks that lines that cannot be written are counted, and that later ones are written again.
func TestFullDisk(t *testing.T) {
	out := lines{fail: errors.New("no space left on device")}
	synctest.Test(t, func(t *testing.T) {
		l := newLog(t, accesslog.Config{Share: 1}, slog.NewTextHandler(&out, nil))
		for range 3 {
			l.Write(new(accesslog.Entry))
		}
		synctest.Wait()
		if got := l.Lost(); got != 3 {
			t.Errorf("a full disk: got %d lost, want 3", got)
		}
		out.mu.Lock()
		out.fail = nil
		out.mu.Unlock()
		l.Write(new(accesslog.Entry))
		l.Close()
		if got := strings.Count(out.text.String(), "\n"); got != 1 || l.Lost() != 3 {
			t.Errorf("with room again: got %d lines, %d lost, want 1 and still 3", got, l.Lost())
		}
		l.Write(new(accesslog.Entry))
		if got := l.Lost(); got != 4 {
			t.Errorf("after Close: got %d lost, want 4", got)
		}
	})
}

// stuck is a disk that hangs until it is freed.
type stuck struct {
	slog.Handler
	free chan struct{}
}

func (s stuck) Handle(context.Context, slog.Record) error { <-s.free; return nil }

// TestSlowDisk checks that nobody waits for a disk that hangs. Lines that do not fit into the queue are counted, and Close gives up.
func TestSlowDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		free := make(chan struct{})
		l := newLog(t, accesslog.Config{Share: 1}, stuck{slog.DiscardHandler, free})
		l.Write(new(accesslog.Entry))
		synctest.Wait() // the disk hangs with this line
		const queue, more = 4096, 10
		for range queue {
			l.Write(new(accesslog.Entry))
		}
		if got := l.Lost(); got != 0 {
			t.Errorf("the queue is just full: got %d lost, want none", got)
		}
		for range more {
			l.Write(new(accesslog.Entry))
		}
		if got := l.Lost(); got != more {
			t.Errorf("%d more than the queue takes: got %d lost, want them", more, got)
		}
		began := time.Now()
		if l.Close(); time.Since(began) != 2*time.Second {
			t.Errorf("Close: got its end after %v, want it after 2 s", time.Since(began))
		}
		close(free)
	})
}
