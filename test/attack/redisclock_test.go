package attack_test

import (
	"encoding/binary"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"signal-server/cache/redis/redistest"
	"signal-server/custerrors"
	"signal-server/test/need"
)

// startStepped starts a Redis, and returns it with a function that steps its wall clock.
func startStepped(t *testing.T) (store *redistest.Server, step func(by time.Duration)) {
	t.Helper()
	need.Programs(t, "gcc", "redis-server", "redis-cli")
	dir := t.TempDir()
	preload, offset := filepath.Join(dir, "preload.so"), filepath.Join(dir, "offset")
	if out, err := exec.Command("gcc", "-shared", "-fPIC", "-o", preload, "testdata/clock/preload.c").CombinedOutput(); err != nil {
		t.Fatalf("gcc: %v\n%s", err, out)
	}
	file, err := os.OpenFile(offset, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	if _, err := file.Write(make([]byte, 8)); err != nil {
		t.Fatal(err)
	}
	t.Setenv("CLOCK_OFFSET", offset)
	t.Setenv("LD_PRELOAD", preload)
	store = redistest.Start(t)
	os.Unsetenv("LD_PRELOAD") // redis-cli is not meant
	now := func() time.Time {
		seconds, err := strconv.ParseInt(strings.Fields(store.Do("TIME"))[0], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return time.Unix(seconds, 0)
	}
	var ahead time.Duration
	return store, func(by time.Duration) {
		ahead += by
		if _, err := file.WriteAt(binary.NativeEndian.AppendUint64(nil, uint64(ahead/time.Second)), 0); err != nil {
			t.Fatal(err)
		}
		if got := time.Until(now()); (got - ahead).Abs() > time.Minute {
			t.Fatalf("the clock of Redis: got it %v ahead, want %v", got, ahead)
		}
	}
}

// TestClockOfRedisSteps steps the clock by which sessions in Redis end. A step forwards ends the open ones, and peers start over; a step
// backwards ends none. The server goes on with new sessions at once.
func TestClockOfRedisSteps(t *testing.T) {
	store, step := startStepped(t)
	s := serve(t, "--store="+store.URL(""), "--ttl=4m")
	c := &stepped{server: s, conn: dial(t, s.Addr)}
	p := connecting(t, s.url(), http.Header{})
	for i, by := range []time.Duration{time.Hour, -2 * time.Hour, time.Hour} {
		p.settle()
		p.take(t)
		what, key := fmt.Sprintf("step %d, by %v", i, by), fmt.Sprint("held-", i)
		c.do(t, "POST", "/offer/messages?key="+key, "", `{"sdp":"o"}`).wants(t, what+": opening", 200, "")
		step(by)
		got := c.do(t, "POST", "/offer/candidate?key="+key, "", "c")
		if by > 0 {
			got.wants(t, what+": a session from before", 200, custerrors.KeyNotFound)
			c.do(t, "POST", "/offer/messages?key="+key, "", `{"sdp":"o"}`).wants(t, what+": the same key again", 200, "")
		} else {
			got.wants(t, what+": a session from before", 200, "")
		}
		c.do(t, "POST", "/answer/messages?key="+key, "", `{"sdp":"a"}`).wants(t, what+": answering", 200, "")
		c.do(t, "DELETE", "/session?key="+key, "", "").wants(t, what+": its end", 200, "")
		p.settle()
		f := p.take(t)
		if f.handshakes == 0 || by < 0 && f.restarted > 0 {
			t.Errorf("%s: got %d handshakes, %d of them started over, want some, and none unless it is forwards", what, f.handshakes, f.restarted)
		}
		t.Logf("%s: %v, %d started over", what, f, f.restarted)
	}
}
