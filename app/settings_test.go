package app

import (
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"

	"signal-server/app/flag"
	"signal-server/app/link"
	"signal-server/cache"
)

// read returns the settings of these arguments, and what their flags are called.
func read(t *testing.T, args ...string) (*settings, []*kong.Flag) {
	t.Helper()
	for _, variable := range os.Environ() {
		if name, _, _ := strings.Cut(variable, "="); strings.HasPrefix(name, "SIGNAL_") {
			t.Setenv(name, "")
			os.Unsetenv(name)
		}
	}
	var c commands
	var wrong flag.Mistakes
	parsed, err := c.parse(append([]string{"serve"}, args...), &wrong)
	if err := errors.Join(append(wrong, err)...); err != nil {
		t.Fatalf("%v: got %v, want it to be taken", args, err)
	}
	return &c.Serve, parsed.Flags()
}

// mistakes returns what is wrong with the settings of a program without arguments, once they are changed.
func mistakes(t *testing.T, change func(*settings)) string {
	t.Helper()
	s, flags := read(t)
	change(s)
	var wrong flag.Mistakes
	s.validate(&wrong, flag.NamesOf(flags))
	if len(wrong) == 0 {
		return ""
	}
	return errors.Join(wrong...).Error()
}

// TestDefaults holds what a program without arguments runs with against PROTOCOL, Section 8, against the tables of docs/configuration.md, and against
// what --help says: each is written down once more here, so that none changes alone.
func TestDefaults(t *testing.T) {
	s, flags := read(t)
	if got := mistakes(t, func(*settings) {}); got != "" {
		t.Errorf("without arguments: got %s, want nothing wrong", got)
	}
	protocol := []struct { // PROTOCOL, Section 8
		what      string
		got, want any
	}{
		{"sdp", s.Call.SDPBytes, 64 << 10},
		{"candidate", s.Call.CandidateBytes, 4 << 10},
		{"candidates a role", s.Limits.Candidates, 128},
		{"a session", s.Limits.SessionBytes, 256 << 10},
		{"request body", s.Wire.BodyBytes, 256 << 10},
		{"request line and headers", s.Server.HeaderBytes, 8 << 10},
		{"wait", s.Wire.MaxWait, 30 * time.Second},
		{"TTL", s.Limits.TTL, 30 * time.Second},
		{"absolute lifetime", s.Limits.Lifetime, 5 * time.Minute},
		{"connections of one client", s.Link.MaxClientConnections, link.Share{Part: 4}},
		{"memory for sessions", s.Memory.Memory, int64(1 << 30)},
		{"of which one client", s.Limits.ClientMemory, cache.Share{Part: 8}},
	}
	for _, p := range protocol {
		if !reflect.DeepEqual(p.got, p.want) {
			t.Errorf("%s: got %v, want %v", p.what, p.got, p.want)
		}
	}
	help := helpText(t, "serve")
	if strings.Contains(help, "…,...") {
		t.Errorf("--help: got %q, want it told once that a list may go on", "…,...")
	}
	for _, page := range []string{"../docs/configuration.md", "../docs/zh-CN/configuration.md"} {
		tables := flagTable(t, page)
		for _, f := range flags {
			want, listed := tables[f.Name]
			if len(f.Envs) == 0 || f.Name == "help" {
				continue
			}
			if !listed {
				t.Errorf("%s: got no row for --%s, want one", page, f.Name)
				continue
			}
			if got := flag.Format(f); want != "" && !same(got, want) {
				t.Errorf("%s: got %q as the default of --%s, which is %q", page, want, f.Name, got)
			}
			if got := flag.Format(f); f.HasDefault && !helps(help, f.Name, got) {
				t.Errorf("--help: got no --%s=%s, want its default told", f.Name, got)
			}
		}
	}
}

// TestHelpNamesVariables reads the help of each command: how its flags are named as variables is told once, and not where there are none.
func TestHelpNamesVariables(t *testing.T) {
	for command, want := range map[string]string{
		"serve": "SIGNAL_MAX_SDP", "bridge": "SIGNAL_BRIDGE_LISTEN", "healthcheck": "SIGNAL_ADMIN", "token": "",
	} {
		help := helpText(t, command)
		if got := strings.Count(help, "SIGNAL_"); got != min(1, len(want)) || !strings.Contains(help, want) {
			t.Errorf("%s --help: got %q, want %q once, and no other variable", command, help, want)
		}
	}
}

// helpText returns what a command's --help says.
func helpText(t *testing.T, command string) string {
	t.Helper()
	var text strings.Builder
	var wrong flag.Mistakes
	new(commands).parse([]string{command, "--help"}, &wrong, kong.Exit(func(int) {}), kong.Writers(&text, io.Discard)) // it parses no command
	return text.String()
}

// helps reports whether the help tells this default of the flag.
func helps(help, name, value string) bool {
	told := regexp.MustCompile(`--` + name + `="?([^"\s]*)`).FindStringSubmatch(help)
	return told != nil && (same(told[1], value) || strings.HasSuffix(told[1], ",...") && strings.HasPrefix(told[1], value))
}

// flagTable returns the defaults in a page's rows `--name` | `default` | …; "" for one in words.
func flagTable(t *testing.T, page string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	table := make(map[string]string)
	for _, row := range flagRow.FindAllStringSubmatch(string(text), -1) {
		names, values := quotedIn(row[1]), quotedIn(row[2])
		for i, name := range names {
			table[strings.TrimPrefix(name, "--")] = ""
			if len(values) == len(names) {
				table[strings.TrimPrefix(name, "--")] = values[i]
			}
		}
	}
	if len(table) < 30 {
		t.Fatalf("%s: got rows for %d flags, want one for each", page, len(table))
	}
	return table
}

var (
	flagRow  = regexp.MustCompile("(?m)^\\| (`--[^|]*)\\| ([^|]*)\\|")
	inQuotes = regexp.MustCompile("`([^`]*)`")
)

// quotedIn returns what stands between backticks.
func quotedIn(cell string) (all []string) {
	for _, quoted := range inQuotes.FindAllStringSubmatch(cell, -1) {
		all = append(all, quoted[1])
	}
	return all
}

// same reports whether two texts say the same: 5m is 5m0s.
func same(a, b string) bool {
	x, errX := time.ParseDuration(a)
	y, errY := time.ParseDuration(b)
	return a == b || errX == nil && errY == nil && x == y
}

func TestMistakesInTheSettings(t *testing.T) {
	if got, want := strings.Count(mistakes(t, func(s *settings) { *s = settings{} }), "\n")+1, 7; got < want {
		t.Errorf("no settings at all: got %d lines, want %d or more", got, want)
	}
	for what, change := range map[string]func(*settings){
		"--ttl":               func(s *settings) { s.Limits.TTL = time.Millisecond - 1 },
		"--lifetime":          func(s *settings) { s.Limits.Lifetime = s.Limits.TTL - 1 },
		"--max-candidates":    func(s *settings) { s.Limits.Candidates = cache.MaxLog },
		"--max-session":       func(s *settings) { s.Limits.SessionBytes = s.Call.SDPBytes - 1 },
		"--max-session ":      func(s *settings) { s.Limits.SessionBytes = cache.MaxSessionBytes + 1 },
		"--max-body ":         func(s *settings) { s.Wire.BodyBytes = cache.MaxSessionBytes + 1 },
		"--max-sdp":           func(s *settings) { s.Call.SDPBytes = 0 },
		"--max-candidate":     func(s *settings) { s.Call.CandidateBytes = 0 },
		"--max-body":          func(s *settings) { s.Wire.BodyBytes = s.Call.SDPBytes - 1 },
		"--max-client-memory": func(s *settings) { s.Limits.ClientMemory.Bytes = -1 },
		"--max-header":        func(s *settings) { s.Server.HeaderBytes = 1<<10 - 1 },
		"--max-header ":       func(s *settings) { s.Server.HeaderBytes = 1<<20 + 1 },
		"--wait":              func(s *settings) { s.Wire.MaxWait = -1 },
		"--hsts":              func(s *settings) { s.Wire.HSTS = time.Second - 1 },
		"--read-timeout":      func(s *settings) { s.Link.ReadTimeout = 0 },
		"--idle-timeout":      func(s *settings) { s.Link.IdleTimeout = 0 },
		"--drain":             func(s *settings) { s.Server.Drain = 0 },
		"--shutdown-delay":    func(s *settings) { s.Server.ShutdownDelay = -1 },
		"--max-waits":         func(s *settings) { s.Gate.MaxWaits = -1 },
		"--allow-origins":     func(s *settings) { s.Gate.AllowOrigins = nil },
	} {
		got := mistakes(t, change)
		if !strings.HasPrefix(got, strings.TrimSpace(what)+" is ") || strings.Contains(got, "\n") {
			t.Errorf("%s: got %s, want one line that begins with it", what, got)
		}
		if what == "--max-candidates" {
			continue // it is a number of them, and no size
		}
		if bare := regexp.MustCompile(`\b\d{4,}\b`).FindString(got); bare != "" {
			t.Errorf("%s: got %s in %q, want sizes in the units of flags", what, bare, got)
		}
	}
}

func TestOriginsThatAreNone(t *testing.T) {
	for _, origin := range []string{
		"", "app.example", "https://", "https://app.example/", "https://app.example/path", "HTTPS://app.example", "ftp://app.example",
		"https://user@app.example", "null", "https://*.example", "https://app.example?x", " https://app.example",
	} {
		got := mistakes(t, func(s *settings) { s.Gate.AllowOrigins = []string{"https://app.example", origin} })
		if !strings.HasPrefix(got, fmt.Sprintf("--allow-origins has %q", origin)) {
			t.Errorf("--allow-origins %q: got %q, want it refused", origin, got)
		}
	}
}
