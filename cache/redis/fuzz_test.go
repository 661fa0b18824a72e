package redis

import (
	"strings"
	"testing"
)

// FuzzURL reads any text as a URL. Neither the error nor the redacted form may show the password.
func FuzzURL(f *testing.F) {
	for _, url := range []string{
		"redis://user:%s@host:6379/1?timeout=2s", "rediss://:%s@[::1]?insecure=true", "redis-cluster://u:%s@a:1,b:2?wait_replicas=1",
		"redis-sentinel://a,b/1?master=m&sentinel_password=%s", "redis://u:%s@h?timeout=x&prefix={", "%s", "://%s@", "redis://%s",
	} {
		f.Add(strings.Split(url, "%s")[0], strings.Join(strings.Split(url, "%s")[1:], ""))
	}
	const password = "geheim-geheim"
	f.Fuzz(func(t *testing.T, before, after string) {
		if len(before)+len(after) > 1000 || strings.Contains(before+after, "cert") || strings.Contains(before+after, "ca=") {
			return // no files
		}
		parseURL(before + after)
		url := "redis://user" + strings.NewReplacer("/", "", "?", "", "#", "", "@", "", ":", "").Replace(before) + ":" + password + "@" + after
		if _, err := parseURL(url); err != nil && strings.Contains(err.Error(), password) {
			t.Errorf("%q: got %v, which has the password", url, err)
		}
		if got := Redact(url); strings.Contains(got, password) {
			t.Errorf("%q: got %q, which has the password", url, got)
		}
	})
}
