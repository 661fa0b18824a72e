package redis_test

import (
	"strings"
	"testing"
	"time"

	"signal-server/cache"
	"signal-server/cache/redis"
	"signal-server/cache/redis/redistest"
)

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	evicting := redistest.Start(t, "--maxmemory", "50mb", "--maxmemory-policy", "allkeys-lru")
	locked := redistest.Start(t)
	locked.Do("CONFIG", "SET", "requirepass", "secret")
	secure := redistest.StartSecure(t)
	secure.Do("ACL", "SETUSER", "weak", "on", ">secret", "~signal:*", "&signal:*", "+@all", "-spublish")
	limits := benchLimits()
	wrong := limits
	wrong.Candidates = 0
	tests := []struct {
		name, url string
		want      string // part of the message
	}{
		{"nobody there", "redis://127.0.0.1:1?timeout=200ms", "redis at 127.0.0.1:1: dial tcp"},
		{"nobody there, cluster", "redis-cluster://127.0.0.1:1,127.0.0.1:2?timeout=200ms", "connection refused"},
		{"no such host", "redis://nowhere.invalid?timeout=1s", "nowhere.invalid"},
		{"it evicts", evicting.URL(""), `maxmemory-policy is "allkeys-lru", must be noeviction`},
		{"no password", locked.URL(""), "NOAUTH"},
		{"wrong password", "redis://:hunter2@" + locked.Address, "WRONGPASS"},
		{"no permission", "rediss://weak:secret@" + secure.Address + "?ca=" + secure.CA, "cannot open a session"},
		{"unknown authority", "rediss://signal:secret@" + secure.Address, "certificate"},
		{"no TLS", "redis://signal:secret@" + secure.Address + "?timeout=500ms", "redis at"},
		{"not a cluster", "redis-cluster://" + locked.Address + "," + evicting.Address, "redis at"},
		{"no sentinel", "redis-sentinel://" + evicting.Address + "?master=x&timeout=500ms", "redis at"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			begin := time.Now()
			s, err := redis.Open(t.Context(), test.url, limits)
			if err == nil {
				s.Close()
				t.Fatalf("Open: got a store, want an error with %q", test.want)
			}
			if !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("Open: got %q, want %q in it, and no password", err, test.want)
			}
			if took := time.Since(begin); took > 10*time.Second {
				t.Errorf("Open: got the error after %v, want it soon", took)
			}
		})
	}
	if _, err := redis.Open(t.Context(), evicting.URL(""), wrong); err == nil || !strings.Contains(err.Error(), "candidates is 0") {
		t.Errorf("Open with wrong limits: got %v, want them named", err)
	}
}

func TestURL(t *testing.T) {
	tests := []struct{ name, url, want string }{
		{"no scheme", "localhost:6379", "no scheme"},
		{"a scheme of others", "http://localhost", "scheme is \"http\""},
		{"no host", "redis://", "names no host"},
		{"an empty host", "redis-cluster://a,,b", "empty one"},
		{"two hosts", "redis://a,b", "names 2 hosts"},
		{"no number of a database", "redis://a/x", "number of a database"},
		{"a cluster's database", "redis-cluster://a/1", "database 0 only"},
		{"sentinels without master", "redis-sentinel://a", "need master="},
		{"a master without sentinels", "redis://a?master=m", "are for redis-sentinel"},
		{"an unknown parameter", "redis://a?tiemout=1s", `unknown parameter "tiemout"`},
		{"no duration", "redis://a?timeout=2", `timeout is "2"`},
		{"a negative number", "redis://a?wait_replicas=-1", `wait_replicas is "-1"`},
		{"no calls", "redis://a?max_in_flight=0", `max_in_flight is "0"`},
		{"neither true nor false", "redis://a?tls=maybe", `tls is "maybe"`},
		{"a prefix with braces", "redis://a?prefix={x}", "without braces"},
		{"a missing file", "rediss://a?ca=/nowhere/ca.pem", "ca: open"},
		{"malformed", "redis://a%zz:hunter2@b", "malformed"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := redis.Open(t.Context(), test.url, benchLimits())
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("Open: got %v, want an error with %q, and no password", err, test.want)
			}
		})
	}
	_, err := redis.Open(t.Context(), "redis://a/x?timeout=1&bogus=1", benchLimits())
	for _, want := range []string{"timeout", "bogus", "database"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Open with many mistakes: got %v, want %s named, too", err, want)
		}
	}
}

// TestSecure shakes hands over TLS, as a user with only the rights that a store needs. Open has rehearsed the rest.
func TestSecure(t *testing.T) {
	t.Parallel()
	server := redistest.StartSecure(t)
	s := open(t, "rediss://signal:secret@"+server.Address+"?ca="+server.CA, benchLimits())
	defer s.Close()
	bell := cache.NewChime()
	if err := s.Hang(t.Context(), "k", cache.Answer, bell); err != nil {
		t.Fatalf("Hang: got %v, want none", err)
	}
	handshake(t, s, "k", nil, description())
	select {
	case <-bell:
	case <-time.After(5 * time.Second):
		t.Error("got no ring, want one")
	}
	s.Unhang("k", cache.Answer, bell)
	if err := s.End(t.Context(), "k"); err != nil {
		t.Errorf("End: got %v, want none", err)
	}
}
