package api_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"signal-server/custerrors"
	"signal-server/test/synctime"
)

// TestFullStore opens sessions until the store takes no more. Each open session completes a whole handshake. When they have ended the
// store takes as many again.
func TestFullStore(t *testing.T) {
	needEmbedded(t)
	s := serve(t, func(o *options) { o.memory = 1 << 20 })
	sdp := strings.Repeat("a=a line of an sdp, with a line break\r\n", 64) // 2.5 KB, as browsers write them
	candidate := strings.Repeat("x", 120)
	openAll := func() (keys []string) {
		for len(keys) < 10_000 {
			key := newKey()
			a := s.do(t, request{line: "POST /offer/sdp", key: key, body: open(key + sdp)})
			if a.msg != "" {
				a.expect(t, "the one too many", custerrors.CacheOverrunMaxCost, "")
				return keys
			}
			keys = append(keys, key)
		}
		t.Fatalf("got %d sessions in 1 MiB, want an end", len(keys))
		return nil
	}
	s.do(t, request{line: "GET /readyz"}).expect(t, "empty: /readyz", "", "")
	keys := openAll()
	if got, want := len(keys), 60; got < want {
		t.Errorf("sessions in 1 MiB: got %d, want %d or more", got, want)
	}
	s.do(t, request{line: "GET /readyz"}).expect(t, "full: /readyz", custerrors.CacheOverrunMaxCost, "")
	s.do(t, request{line: "GET /healthz"}).expect(t, "full: /healthz", "", "")
	s.do(t, request{line: "POST /offer/messages", key: newKey(), body: `{"sdp":` + quote(sdp) + `}`}).
		expect(t, "full: one by messages", custerrors.CacheOverrunMaxCost, "")

	for _, key := range keys {
		s.scriptOf(t, key,
			step{line: "POST /offer/sdp", body: open(sdp), msg: custerrors.SdpAlreadyExist},
			step{line: "POST /answer/messages", body: `{"sdp":` + quote(key+sdp) + `,"candidates":` + times(4, candidate+key) + `}`, data: news("sdp " + key + sdp)},
			step{line: "POST /answer/candidates", body: times(4, candidate+key)},
			step{line: "POST /offer/candidates", body: times(7, candidate+key)},
			step{line: "POST /offer/candidate", body: candidate + key},
		)
	}
	for _, key := range keys { // nothing is missing: of the first session, which is the oldest, as little as of the last
		s.scriptOf(t, key,
			step{line: "GET /offer/sdp", data: quote(key + sdp)},
			step{line: "GET /offer/candidates", data: times(8, candidate+key)},
			step{line: "GET /answer/sdp", data: quote(key + sdp)},
			step{line: "GET /answer/candidates", data: times(8, candidate+key)},
		)
	}
	for _, key := range keys {
		s.do(t, request{line: "DELETE /session", key: key}).expect(t, "DELETE", "", "")
	}
	s.do(t, request{line: "GET /readyz"}).expect(t, "empty again: /readyz", "", "")
	if got := openAll(); len(got) != len(keys) {
		t.Errorf("sessions taken after all had ended: got %d, want %d", len(got), len(keys))
	}
}

// heapInUse returns how many bytes of the heap are alive.
func heapInUse() uint64 {
	runtime.GC()
	runtime.GC() // the second one frees what pools hold
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// TestMemoryFollowsWhatIsAlive opens, uses and ends sessions in a loop. The heap is no larger after the last session than after the first
// thousand.
func TestMemoryFollowsWhatIsAlive(t *testing.T) {
	const first = 1000
	sessions := 100_000
	if raceDetector {
		sessions = 10_000 // which is a tenth as fast
	}
	offer, answer := open(strings.Repeat("o", 2500)), strings.Repeat("a", 2500)
	candidate := strings.Repeat("c", 120)
	use := func(d *direct, key string) {
		for _, r := range [...]struct{ line, body string }{
			{"POST /offer/sdp", offer},
			{"GET /answer/sdp", ""},
			{"POST /answer/sdp", answer},
			{"POST /offer/candidate", candidate},
			{"POST /answer/candidate", candidate},
			{"GET /offer/messages", ""},
		} {
			d.set(r.line, key, r.body)
			d.handle()
			if got := d.ctx.Response.Body(); !strings.HasPrefix(string(got), `{"msg":"",`) {
				t.Fatalf("%s of %s: got %s, want success", r.line, key, got)
			}
		}
	}
	run := func(t *testing.T, d *direct, end func(key string)) {
		var before uint64
		for i := range sessions {
			key := fmt.Sprint("key ", i)
			use(d, key)
			end(key)
			if i+1 == first {
				before = heapInUse()
			}
		}
		after := heapInUse()
		if limit := before + before/10 + 512<<10; after > limit {
			t.Errorf("heap after %d sessions: got %d bytes, want %d or fewer (%d after %d)", sessions, after, limit, before, first)
		}
		t.Logf("heap: %d bytes after %d sessions, %d after %d", before, first, after, sessions)
	}
	t.Run("ended by DELETE", func(t *testing.T) {
		d := newDirect(t)
		defer d.store.Close()
		run(t, d, func(key string) {
			d.set("DELETE /session", key, "")
			d.handle()
		})
	})
	t.Run("expired", func(t *testing.T) {
		needEmbedded(t)
		synctest.Test(t, func(t *testing.T) {
			d := newDirect(t, func(o *options) { o.config.Limits.TTL = time.Second })
			defer d.store.Close()
			run(t, d, func(string) { synctime.Pass(5 * ms) }) // so that 200 live at once
		})
	})
}
