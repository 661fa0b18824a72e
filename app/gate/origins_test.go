package gate

import (
	"slices"
	"testing"
)

func TestOrigins(t *testing.T) {
	any, listed := []string{"*"}, []string{"https://a.example", "http://b.example:8080"}
	for _, row := range []struct {
		what           string
		list           []string
		origin, host   string // "": none
		admits, listed bool
	}{
		{"any, no origin", any, "", "s.example", true, false},
		{"any", any, "https://c.example", "s.example", true, false},
		{"any beside others", []string{"https://a.example", "*"}, "https://c.example", "s.example", true, false},
		{"listed", listed, "https://a.example", "s.example", true, true},
		{"listed, with a port", listed, "http://b.example:8080", "s.example", true, true},
		{"no origin: a program", listed, "", "s.example", true, false},
		{"the server's own", listed, "https://own.example", "own.example", true, false},
		{"the server's own, with a port", listed, "http://own.example:8", "own.example:8", true, false},
		{"the server's own, behind a proxy that calls it otherwise", listed, "https://own.example", "backend:8080", true, false},
		{"the server's own, at another port", listed, "http://own.example:9", "own.example:8", true, false},
		{"the server's own, by another scheme", listed, "ftp://own.example", "own.example", false, false},
		{"a name that ends as the server's own", listed, "https://evil.own.example", "own.example", false, false},
		{"a name that begins as the server's own", listed, "https://own.example.evil.example", "own.example", false, false},
		{"what it was sent to, by DNS rebinding", listed, "http://evil.example:8080", "evil.example:8080", false, false},
		{"localhost", listed, "http://localhost:8080", "localhost:8080", true, false},
		{"localhost, at another port", listed, "http://localhost:3000", "localhost:8080", false, false},
		{"localhost, sent to an address", listed, "http://localhost:8080", "127.0.0.1:8080", false, false},
		{"a name that begins as localhost", listed, "http://localhost.evil.example", "localhost.evil.example", false, false},
		{"a name that ends as localhost", listed, "http://evil.localhost", "evil.localhost", false, false},
		{"an address", listed, "http://192.168.1.5:8080", "192.168.1.5:8080", true, false},
		{"an address of another machine", listed, "http://192.168.1.6:8080", "192.168.1.5:8080", false, false},
		{"an address of IPv6", listed, "http://[2001:db8::1]:8080", "[2001:db8::1]:8080", true, false},
		{"an address of IPv6, without a port", listed, "https://[::1]", "[::1]", true, false},
		{"a name of the letters of addresses", listed, "http://bad.fade", "bad.fade", false, false},
		{"what is no address", listed, "http://1.2.3:8080", "1.2.3:8080", false, false},
		{"foreign", listed, "https://c.example", "s.example", false, false},
		{"listed, by another scheme", listed, "http://a.example", "s.example", false, false},
		{"listed, at another port", listed, "https://a.example:444", "s.example", false, false},
		{"a name that begins as a listed one", listed, "https://a.example.org", "s.example", false, false},
		{"a name that ends as a listed one", listed, "https://xa.example", "s.example", false, false},
		{"null: a sandbox, a file", listed, "null", "s.example", false, false},
		{"what is no origin", listed, "://", "", false, false},
		{"a host without an origin's scheme", listed, "own.example", "own.example", false, false},
		{"a port alone", listed, "http://:80", ":80", false, false},
	} {
		g := New(Config{AllowOrigins: row.list, OwnNames: []string{"own.example"}}, Parts{})
		var origin []byte
		if row.origin != "" {
			origin = []byte(row.origin)
		}
		if got := g.Admits(origin, []byte(row.host)); got != row.admits {
			t.Errorf("%s: admitted: got %v, want %v", row.what, got, row.admits)
		}
		if got := g.Lists(origin); got != row.listed {
			t.Errorf("%s: listed: got %v, want %v", row.what, got, row.listed)
		}
		if got, want := g.ListsOrigins(), !slices.Contains(row.list, "*"); got != want {
			t.Errorf("%s: ListsOrigins: got %v, want %v", row.what, got, want)
		}
	}
}

// TestOwnHost is about what stands in Host.
func TestOwnHost(t *testing.T) {
	g := New(Config{OwnNames: []string{"own.example"}}, Parts{})
	for host, want := range map[string]bool{
		"own.example": true, "own.example:9090": true, "localhost": true, "localhost:9090": true, "127.0.0.1:9090": true, "[::1]:9090": true,
		"10.0.0.1": true, "[2001:db8::1]": true, "Own.Example:9090": true, "LOCALHOST": true, "[2001:DB8::1]": true,
		"": false, ":9090": false, "evil.example": false, "evil.example:9090": false, "own.example.evil.example": false, "x.own.example": false,
		"localhost.evil.example:9090": false, "127.0.0.1.evil.example": false, "1.2.3": false, "[own.example]": false, "[]": false,
	} {
		if got := g.OwnHost(host); got != want {
			t.Errorf("%q: got %v, want %v", host, got, want)
		}
	}
}

func TestConfig(t *testing.T) {
	for _, row := range []struct {
		config Config
		wrong  int
	}{
		{Config{AllowOrigins: []string{"*"}}, 0},
		{Config{AllowOrigins: []string{"https://a.example", "http://127.0.0.1:8080", "http://[::1]:1"}}, 0},
		{Config{}, 1},
		{Config{AllowOrigins: []string{"*"}, MaxWaits: 1}, 0},
		{Config{AllowOrigins: []string{"*"}, MaxWaits: -1}, 1},
		{Config{MaxWaits: -1}, 2},
		{Config{AllowOrigins: []string{"*"}, OwnNames: []string{"a.example", "localhost", "127.0.0.1"}}, 0},
		{Config{AllowOrigins: []string{"*"}, OwnNames: []string{
			"", "https://a.example", "a.example:80", "A.example", "a.example/", "*.a.example", "*", " a.example", "[::1]",
		}}, 9},
		{Config{AllowOrigins: []string{
			"", "null", "a.example", "https://A.example", "https://a.example/", "https://a.example/x", "ftp://a.example", "https://",
			"https://*.a.example", "https://u@a.example", "https://a.example?x", "https://a.example#x", " https://a.example",
		}}, 13},
	} {
		var wrong []any
		row.config.Validate(func(field any, _ string, _ ...any) { wrong = append(wrong, field) })
		if len(wrong) != row.wrong {
			t.Errorf("%+v: got %d mistakes, want %d", row.config, len(wrong), row.wrong)
		}
	}
}
