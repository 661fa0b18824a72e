package redis

import (
	"strings"
	"testing"
	"time"

	"signal-server/cache"
)

func TestRedact(t *testing.T) {
	for url, want := range map[string]string{
		"redis://localhost":                                               "redis://localhost",
		"redis://user@localhost/1":                                        "redis://user@localhost/1",
		"redis://user:secret@localhost/1":                                 "redis://user:xxxxx@localhost/1",
		"rediss://:secret@localhost?ca=x":                                 "rediss://:xxxxx@localhost?ca=x",
		"redis://u:s:e@cret@localhost":                                    "redis://u:xxxxx@localhost",
		"redis://u:secret/secret?secret@localhost":                        "redis://u:xxxxx@localhost",
		"redis-cluster://u:secret@a:1,b:2":                                "redis-cluster://u:xxxxx@a:1,b:2",
		"redis-sentinel://a?sentinel_password=secret":                     "redis-sentinel://a?sentinel_password=xxxxx",
		"redis-sentinel://a?master=m&sentinel_password=secret&timeout=2s": "redis-sentinel://a?master=m&sentinel_password=xxxxx&timeout=2s",
		"redis://a?password=secret#x":                                     "redis://a?password=xxxxx#x",
		"secret":                                                          "xxxxx",
	} {
		got := Redact(url)
		if got != want {
			t.Errorf("%s: got %s, want %s", url, got, want)
		}
		if strings.Contains(got, "secret") {
			t.Errorf("%s: got %s, which has the password", url, got)
		}
	}
}

func TestCheck(t *testing.T) {
	good := cache.Limits{TTL: time.Second, Lifetime: time.Second, Candidates: 1, SessionBytes: 1}
	if err := Check("redis://localhost", good); err != nil {
		t.Errorf("a good URL: got %v, want nil", err)
	}
	if err := Check("redis://localhost?timeout=soon", good); err == nil {
		t.Error("a wrong timeout: got nil, want it refused")
	}
	if err := Check("redis://localhost", cache.Limits{}); err == nil {
		t.Error("no limits: got nil, want them refused")
	}
}
