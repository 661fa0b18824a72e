package iceserver

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// mustURIs reads URIs.
func mustURIs(t *testing.T, texts ...string) (all []URI) {
	t.Helper()
	for _, text := range texts {
		u, ok := ParseURI(text)
		if !ok {
			t.Fatalf("%s: got no URI", text)
		}
		all = append(all, u)
	}
	return all
}

func TestURIs(t *testing.T) {
	for text, relays := range map[string]bool{
		"stun:example.org": false, "stun:example.org:3478": false, "stun:192.0.2.1:3478": false, "stun:[2001:db8::1]:3478": false,
		"turn:example.org": true, "turn:example.org:3478?transport=udp": true, "turn:example.org?transport=tcp": true,
		"turns:example.org:5349?transport=tcp": true, "turns:[2001:db8::1]:443?transport=tcp": true,
	} {
		u, ok := ParseURI(text)
		if !ok || u.String() != text || u.Relays() != relays {
			t.Errorf("%s: got %v, %v, relays %v, want relays %v", text, u, ok, u.Relays(), relays)
		}
	}
	for _, text := range []string{
		"", "stun:", "stun", "http://example.org", "stuns:example.org", "turn:example.org?transport=sctp", "stun:example.org?transport=udp", "turn:",
		"turn:user@example.org", "turn:example.org:0", "turn:example.org:65536", "turn:example.org\r\n", "turn:exa mple.org", `turn:"example.org"`,
		"stun:" + strings.Repeat("a", 400), "turn:a,turn:b",
	} {
		if u, ok := ParseURI(text); ok {
			t.Errorf("%q: got %v, want no URI", text, u)
		}
	}
}

func FuzzParseURI(f *testing.F) {
	for _, text := range []string{"stun:a", "turn:[::1]:1?transport=udp", "turns:a.b:443?transport=tcp", "turn:%41"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		u, ok := ParseURI(text)
		if !ok {
			return
		}
		if again, ok := ParseURI(u.String()); !ok || again != u {
			t.Errorf("%q: got %v again, want %v", text, again, u)
		}
		if quoted, err := json.Marshal(text); err != nil || string(quoted) != `"`+text+`"` {
			t.Errorf("%q cannot stand in JSON as it is", text)
		}
	})
}

func TestListOrder(t *testing.T) {
	for _, tt := range []struct {
		name    string
		sources [][]string
		want    string
	}{
		{"nothing", [][]string{{}}, ""},
		{
			"one server",
			[][]string{{"turns:a?transport=tcp", "turn:a?transport=tcp", "turn:a?transport=udp", "stun:a"}},
			"stun:a | turn:a?transport=udp turn:a?transport=tcp turns:a?transport=tcp",
		},
		{"two sources", [][]string{{"turn:a?transport=udp", "stun:a"}, {"turn:b?transport=udp", "stun:b"}}, "stun:a stun:b | turn:a?transport=udp | turn:b?transport=udp"},
		{"more than four", [][]string{{
			"stun:192.0.2.1", "turn:192.0.2.1?transport=udp", "turn:192.0.2.1?transport=tcp",
			"stun:[2001:db8::1]", "turn:[2001:db8::1]?transport=udp", "turn:[2001:db8::1]?transport=tcp", "turns:a?transport=tcp",
		}}, "stun:192.0.2.1 | turn:192.0.2.1?transport=udp turn:192.0.2.1?transport=tcp turns:a?transport=tcp"},
		{
			"many STUN servers",
			[][]string{{"stun:192.0.2.1", "turn:192.0.2.1?transport=udp", "turn:192.0.2.1?transport=tcp"}, {"stun:a", "stun:b", "turn:c?transport=udp"}},
			"stun:192.0.2.1 | turn:192.0.2.1?transport=udp turn:192.0.2.1?transport=tcp | turn:c?transport=udp",
		},
		{"more than four, without TLS", [][]string{{
			"stun:192.0.2.1", "turn:192.0.2.1?transport=udp", "turn:192.0.2.1?transport=tcp",
			"stun:[2001:db8::1]", "turn:[2001:db8::1]?transport=udp", "turn:[2001:db8::1]?transport=tcp",
		}}, "stun:192.0.2.1 | turn:192.0.2.1?transport=udp turn:[2001:db8::1]?transport=udp turn:192.0.2.1?transport=tcp"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var sources []Source
			for _, texts := range tt.sources {
				sources = append(sources, Source{URIs: mustURIs(t, texts...), Static: Credential{"u", "p"}})
			}
			var got []string
			for _, s := range NewList(time.Hour, sources...).For("who", time.Now()) {
				got = append(got, strings.Join(s.URLs, " "))
				if relays := !strings.HasPrefix(s.URLs[0], "stun:"); relays != (s.Username != "" && s.Credential != "") {
					t.Errorf("%v: got user %q, credential %q", s.URLs, s.Username, s.Credential)
				}
			}
			if all := strings.Join(got, " | "); all != tt.want {
				t.Errorf("got %s, want %s", all, tt.want)
			}
		})
	}
}

// TestIssue checks a credential by the words of the draft, and that it names nobody.
func TestIssue(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secret")
	secret := strings.Repeat("s", 32)
	if err := os.WriteFile(path, []byte(secret+"\n"+strings.Repeat("o", 32)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := OpenSecrets(path)
	if err != nil {
		t.Fatal(err)
	}
	c := s.Issue("192.0.2.1", time.Unix(1795737747, 5))
	if !regexp.MustCompile(`^1795737747:[A-Za-z0-9_-]{11}$`).MatchString(c.Username) {
		t.Errorf("username: got %q", c.Username)
	}
	mac := hmac.New(sha1.New, []byte(secret))
	mac.Write([]byte(c.Username))
	if want := base64.StdEncoding.EncodeToString(mac.Sum(nil)); c.Password != want {
		t.Errorf("password: got %q, want %q", c.Password, want)
	}
	if again := s.Issue("192.0.2.1", time.Unix(1795737748, 0)); again.Username[11:] != c.Username[11:] {
		t.Errorf("the same one again: got %q, want the user of %q", again.Username, c.Username)
	}
	if other := s.Issue("192.0.2.2", time.Unix(1795737747, 0)); other.Username == c.Username {
		t.Errorf("another one: got %q, want another user", other.Username)
	}
	if got := s.Passwords(c.Username); len(got) != 2 || got[0] != c.Password || got[1] == c.Password {
		t.Errorf("passwords: got %q, want %q first of two", got, c.Password)
	}
	user, until, ok := ParseUsername(c.Username)
	if !ok || until.Unix() != 1795737747 || user != c.Username[11:] {
		t.Errorf("ParseUsername: got %q, %v, %v", user, until, ok)
	}
}

func TestConfig(t *testing.T) {
	for name, tt := range map[string]struct {
		config Config
		want   []string
	}{
		"nothing":                 {Config{}, nil},
		"STUN":                    {Config{URIs: []string{"stun:a"}}, nil},
		"a secret":                {Config{URIs: []string{"turn:a"}, SecretFile: "f"}, nil},
		"a user":                  {Config{URIs: []string{"turn:a"}, User: "u", PasswordFile: "f"}, nil},
		"TURN without credential": {Config{URIs: []string{"turn:a"}}, []string{"needs"}},
		"both":                    {Config{URIs: []string{"turn:a"}, SecretFile: "f", User: "u", PasswordFile: "f"}, []string{"exclude"}},
		"a user alone":            {Config{URIs: []string{"turn:a"}, User: "u"}, []string{"both"}},
		"a secret for nothing":    {Config{URIs: []string{"stun:a"}, SecretFile: "f"}, []string{"no use"}},
		"a user for nothing":      {Config{User: "u", PasswordFile: "f"}, []string{"no use"}},
		"two mistakes":            {Config{URIs: []string{"http://a", "turn:b"}, TTL: time.Second}, []string{"must be like", "needs", "must be 1m0s"}},
	} {
		t.Run(name, func(t *testing.T) {
			if tt.config.TTL == 0 {
				tt.config.TTL = time.Hour
			}
			var got []string
			tt.config.Validate(func(_ any, format string, _ ...any) { got = append(got, format) })
			if len(got) != len(tt.want) {
				t.Fatalf("got %q, want %q", got, tt.want)
			}
			for i, want := range tt.want {
				if !strings.Contains(strings.ReplaceAll(got[i], "must be %v to", "must be 1m0s"), want) {
					t.Errorf("got %q, want %q", got[i], want)
				}
			}
		})
	}
}

func TestPasswordFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "password")
	for content, ok := range map[string]bool{
		"secret\n": true, "with spaces and \"quotes\"": true, "": false, "\n": false, "two\nlines\n": false, strings.Repeat("x", 1025): false, strings.Repeat("x", 1024): true,
	} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		c := Config{URIs: []string{"turn:a"}, User: "u", PasswordFile: path}
		s, err := c.Source()
		if (err == nil) != ok || ok && s.Static != (Credential{"u", strings.TrimRight(content, "\n")}) {
			t.Errorf("%.20q: got %v (%v), want ok %v", content, s.Static, err, ok)
		}
		if err != nil && content != "" && content != "\n" && strings.Contains(err.Error(), content) {
			t.Errorf("the error quotes the password: %v", err)
		}
	}
}
