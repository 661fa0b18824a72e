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
		{"the server's own", listed, "https://s.example", "s.example", true, false},
		{"the server's own, with a port", listed, "http://s.example:8", "s.example:8", true, false},
		{"the server's name, at another port", listed, "http://s.example:9", "s.example:8", false, false},
		{"foreign", listed, "https://c.example", "s.example", false, false},
		{"listed, by another scheme", listed, "http://a.example", "s.example", false, false},
		{"listed, at another port", listed, "https://a.example:444", "s.example", false, false},
		{"a name that begins as a listed one", listed, "https://a.example.org", "s.example", false, false},
		{"a name that ends as a listed one", listed, "https://xa.example", "s.example", false, false},
		{"null: a sandbox, a file", listed, "null", "s.example", false, false},
		{"what is no origin", listed, "://", "", false, false},
	} {
		g := New(Config{AllowOrigins: row.list}, Parts{})
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
