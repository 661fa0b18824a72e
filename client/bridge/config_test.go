package bridge

import (
	"net/http"
	"strings"
	"testing"

	"signal-server/client"
)

func validConfig() Config {
	return Config{
		Server: "http://127.0.0.1:8080",
		Key:    "k",
		Role:   client.Offer,
		Listen: "127.0.0.1:60000", Forward: "127.0.0.1:50000",
	}
}

func TestCheckTakesWhatIsRight(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"as it is":          func(*Config) {},
		"answer":            func(c *Config) { c.Role = client.Answer },
		"https with a path": func(c *Config) { c.Server = "https://example.org/signal" },
		"longest key":       func(c *Config) { c.Key = strings.Repeat("钥", 32) },
		"no hosts":          func(c *Config) { c.Listen, c.Forward = ":1", ":2" },
		"any free port":     func(c *Config) { c.Listen = "127.0.0.1:0" },
		"secret and key":    func(c *Config) { c.Secret = "one" },
		"secret alone":      func(c *Config) { c.Secret, c.Key = "one", "" },
		"IPv6":              func(c *Config) { c.Forward = "[::1]:50000" },
	} {
		c := validConfig()
		change(&c)
		if _, _, err := c.session(http.DefaultTransport); err != nil {
			t.Errorf("%s: got %v, want no error", name, err)
		}
	}
}

func TestCheckNamesEachMistake(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*Config)
		want   string // how the only line begins
	}{
		"no server":         {func(c *Config) { c.Server = "" }, "server: "},
		"no scheme":         {func(c *Config) { c.Server = "example.org" }, "server: "},
		"other scheme":      {func(c *Config) { c.Server = "ftp://example.org" }, "server: "},
		"query":             {func(c *Config) { c.Server = "http://h?key=1" }, "server: "},
		"not a URL":         {func(c *Config) { c.Server = "http://h:x" }, "server: "},
		"no key":            {func(c *Config) { c.Key = "" }, "key: both sides need"},
		"blank key":         {func(c *Config) { c.Key = " " }, "key: both sides need"},
		"long key":          {func(c *Config) { c.Key = strings.Repeat("a", 33) }, "key: both sides need"},
		"no UTF-8":          {func(c *Config) { c.Secret = "\xff" }, "secret: it is not UTF-8"},
		"long key, secret":  {func(c *Config) { c.Key, c.Secret = strings.Repeat("a", 33), "one" }, "key: both sides need"},
		"no role":           {func(c *Config) { c.Role = "" }, "role: "},
		"no listen":         {func(c *Config) { c.Listen = "" }, "listen: it is empty"},
		"no port":           {func(c *Config) { c.Listen = "localhost" }, "listen: address localhost"},
		"no forward":        {func(c *Config) { c.Forward = "" }, "forward: it is empty"},
		"forward to port 0": {func(c *Config) { c.Forward = "localhost:0" }, "forward: "},
		"port too high":     {func(c *Config) { c.Forward = "localhost:65536" }, "forward: "},
		"to itself":         {func(c *Config) { c.Forward = c.Listen }, "forward: "},
	} {
		c := validConfig()
		test.change(&c)
		_, _, err := c.session(http.DefaultTransport)
		if err == nil {
			t.Errorf("%s: got no error, want one", name)
			continue
		}
		if got := err.Error(); !strings.HasPrefix(got, test.want) || strings.Contains(got, "\n") {
			t.Errorf("%s: got %q, want one line that begins with %q", name, got, test.want)
		}
	}
}

func TestRunReportsAllMistakesAtOnce(t *testing.T) {
	err := Run(t.Context(), Config{})
	if err == nil {
		t.Fatal("got no error, want one")
	}
	if got := strings.Count(err.Error(), "\n") + 1; got != 5 {
		t.Errorf("got %d lines, want 5:\n%v", got, err)
	}
}
