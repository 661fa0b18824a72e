package redis_test

import (
	"context"
	"math"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"signal-server/cache"
	"signal-server/cache/redis"
	"signal-server/cache/redis/redistest"
	"signal-server/custerrors"
)

// The payloads of a browser's handshake: an sdp of a data channel, and a candidate.
var (
	sdpText       = strings.Repeat("s", 1500)
	candidateText = strings.Repeat("c", 150)

	benchForm = cache.Form{SDP: `{"s":"`, Candidate: `{"c":"`, After: `"}`, Separator: ","}
)

const trickled = 6 // candidates that come with an sdp

func benchLimits() cache.Limits {
	return cache.Limits{TTL: 30 * time.Second, Lifetime: 5 * time.Minute, Candidates: 128, SessionBytes: 256 << 10}
}

func description() *cache.Batch {
	var b cache.Batch
	b.Add(cache.Frame{Kind: cache.SDP, Size: len(sdpText), Wire: []byte(sdpText)})
	for range trickled {
		b.Add(cache.Frame{Kind: cache.Candidate, Size: len(candidateText), Wire: []byte(candidateText)})
	}
	return &b
}

// handshake is what two peers do over POST and GET of messages: 4 calls.
func handshake(tb testing.TB, store cache.Store, key cache.Key, dst []byte, b *cache.Batch) {
	ctx := context.Background()
	_, after, err := store.Write(ctx, dst, cache.Write{
		Key: key, From: cache.Offer, Opens: true, Token: "offer", Batch: b, Limit: math.MaxInt, Form: &benchForm,
	})
	if err != custerrors.SdpNoValues {
		tb.Errorf("Exchange by offer: got %v, want it written", err)
	}
	if _, _, err := store.Read(ctx, dst, key, cache.Answer, 0, math.MaxInt, &benchForm); err != nil {
		tb.Errorf("Read by answer: got %v, want the offer", err)
	}
	if err := put(store, cache.Write{Key: key, From: cache.Answer, Token: "answer", Batch: b}); err != nil {
		tb.Errorf("Append by answer: got %v, want it written", err)
	}
	if _, _, err := store.Read(ctx, dst, key, cache.Offer, after, math.MaxInt, &benchForm); err != nil {
		tb.Errorf("Read by offer: got %v, want the answer", err)
	}
}

// serverCPU returns the seconds of CPU that the server's main thread has used.
func serverCPU(s *redistest.Server) float64 {
	return s.Field("used_cpu_user_main_thread") + s.Field("used_cpu_sys_main_thread")
}

const callers = 256

// BenchmarkHandshake is a handshake of 4 calls, by 256 callers at once.
func BenchmarkHandshake(b *testing.B) {
	server := redistest.Start(b)
	store := open(b, server.URL(""), benchLimits())
	defer store.Close()
	var n atomic.Int64
	before, self := serverCPU(server), ownCPU(b)
	b.SetParallelism(callers)
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		batch, dst := description(), make([]byte, 0, 16<<10)
		for pb.Next() {
			handshake(b, store, cache.Key("h"+strconv.FormatInt(n.Add(1), 36)), dst, batch)
		}
	})
	b.StopTimer()
	b.ReportMetric((serverCPU(server)-before)*1e6/float64(b.N), "redis-µs/op")
	b.ReportMetric((ownCPU(b)-self)*1e6/float64(b.N), "node-µs/op")
}

// BenchmarkMeeting is a handshake whose peers wait for each other, 64 at once: the four requests of the messages flow.
func BenchmarkMeeting(b *testing.B) {
	server := redistest.Start(b)
	store := open(b, server.URL(""), benchLimits())
	defer store.Close()
	mail := cache.NewMailroom(store, benchLimits())
	ctx := context.Background()
	var n atomic.Int64
	before, self := serverCPU(server), ownCPU(b)
	b.SetParallelism(32)
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		batch := description()
		keys, answered := make(chan cache.Key), make(chan error)
		go func() {
			batch, dst := description(), make([]byte, 0, 16<<10)
			for key := range keys {
				w := cache.Wait{For: time.Minute}
				_, next, err := mail.Read(ctx, dst, key, cache.Answer, 0, math.MaxInt, &benchForm, &w)
				w.End()
				if err == nil {
					_, _, err = store.Write(ctx, dst, cache.Write{
						Key: key, From: cache.Answer, Batch: batch, After: next, Limit: math.MaxInt, Form: &benchForm,
					})
				}
				answered <- err
			}
			close(answered)
		}()
		dst := make([]byte, 0, 16<<10)
		for pb.Next() {
			key := cache.Key("m" + strconv.FormatInt(n.Add(1), 36))
			keys <- key
			w := cache.Wait{For: time.Minute}
			_, next, err := mail.Write(ctx, dst, cache.Write{
				Key: key, From: cache.Offer, Opens: true, Batch: batch, Limit: math.MaxInt, Form: &benchForm,
			}, &w)
			if err == custerrors.SdpNoValues {
				_, _, err = mail.Read(ctx, dst, key, cache.Offer, next, math.MaxInt, &benchForm, &w)
			}
			w.End()
			if err != nil {
				b.Errorf("the offerer: got %v, want none", err)
			}
			if err := <-answered; err != custerrors.CandidateNoValues {
				b.Errorf("the answerer: got %v, want %v", err, custerrors.CandidateNoValues)
			}
			if err := store.End(ctx, key); err != nil {
				b.Errorf("End: got %v, want none", err)
			}
		}
		close(keys)
		<-answered
	})
	b.StopTimer()
	b.ReportMetric((serverCPU(server)-before)*1e6/float64(b.N), "redis-µs/op")
	b.ReportMetric((ownCPU(b)-self)*1e6/float64(b.N), "node-µs/op")
}

// BenchmarkTouch is the smallest call, by 256 callers at once: to compare with redis-benchmark.
func BenchmarkTouch(b *testing.B) {
	server := redistest.Start(b)
	store := open(b, server.URL(""), benchLimits())
	defer store.Close()
	handshake(b, store, "k", nil, description())
	before, self := serverCPU(server), ownCPU(b)
	b.SetParallelism(callers)
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := store.Touch(context.Background(), "k"); err != nil {
				b.Errorf("Touch: got %v, want none", err)
			}
		}
	})
	b.StopTimer()
	b.ReportMetric((serverCPU(server)-before)*1e6/float64(b.N), "redis-µs/op")
	b.ReportMetric((ownCPU(b)-self)*1e6/float64(b.N), "node-µs/op")
}

// BenchmarkRedisItself measures the same bytes with redis-benchmark, at pipeline 16: an LPUSH of each description whole, or of each
// message, an LRANGE by each peer, and a DEL. It also measures EVALSHA of the script of Touch.
func BenchmarkRedisItself(b *testing.B) {
	server := redistest.Start(b)
	payload := strings.Repeat("x", len(sdpText)+trickled*len(candidateText))
	run := func(b *testing.B, n int, args ...string) (cpu, perSecond float64) {
		before := serverCPU(server)
		base := []string{"-h", "127.0.0.1", "-p", server.Port, "-n", strconv.Itoa(n), "-c", "50", "-P", "16", "--csv", "-r", "100000"}
		out, err := exec.Command("redis-benchmark", append(base, args...)...).Output()
		if err != nil {
			b.Fatalf("redis-benchmark %v: %v", args, err)
		}
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		fields := strings.Split(strings.ReplaceAll(lines[len(lines)-1], `"`, ""), ",")
		perSecond, _ = strconv.ParseFloat(fields[max(0, len(fields)-7)], 64)
		return (serverCPU(server) - before) * 1e6 / float64(n), perSecond
	}
	b.Run("LPUSH, LRANGE, DEL", func(b *testing.B) {
		const n = 200_000
		push, _ := run(b, n, "LPUSH", "l:__rand_int__", payload)
		pushSDP, _ := run(b, n, "LPUSH", "l:__rand_int__", sdpText)
		pushCandidate, _ := run(b, n, "LPUSH", "l:__rand_int__", candidateText)
		server.Do("FLUSHALL")
		server.Do("RPUSH", "two", payload, payload)
		read, _ := run(b, n, "LRANGE", "two", "0", "0")
		// Deleting takes what was pushed.
		run(b, n, "LPUSH", "l:__rand_int__", payload)
		del, _ := run(b, n, "DEL", "l:__rand_int__")
		b.ReportMetric(2*push+2*read+del, "redis-µs/handshake-whole")
		b.ReportMetric(2*pushSDP+2*trickled*pushCandidate+2*read+del, "redis-µs/handshake-by-message")
		b.ReportMetric(push, "LPUSH-µs")
		b.ReportMetric(read, "LRANGE-µs")
		b.ReportMetric(del, "DEL-µs")
	})
	b.Run("EVALSHA", func(b *testing.B) {
		store := open(b, server.URL("?prefix=b:"), benchLimits())
		defer store.Close()
		handshake(b, store, "k", nil, description())
		keys := strings.Fields(server.Do("KEYS", "b:{*}"))
		var session string
		for _, key := range keys {
			if server.Do("EXISTS", key) == "1" && server.Do("TYPE", key) == "hash" {
				session = key
			}
		}
		cpu, perSecond := run(b, 500_000, "EVALSHA", redis.TouchSHA, "2", session, session+"-")
		b.ReportMetric(cpu, "redis-µs/op")
		b.ReportMetric(perSecond, "op/s")
	})
}
