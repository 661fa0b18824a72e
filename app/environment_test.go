package app

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"signal-server/app/flag"
)

// parse reads a command line. What is wrong with its values is in c.env.wrong.
func parse(t *testing.T, args ...string) (c *commands, parsed *kong.Context) {
	t.Helper()
	c = new(commands)
	parsed, err := c.parse(args, new(flag.Mistakes))
	if err != nil {
		t.Fatal(err)
	}
	return c, parsed
}

// model returns the program's commands and flags.
func model(t *testing.T) *kong.Node {
	t.Helper()
	_, parsed := parse(t, "serve")
	return parsed.Model.Node
}

// TestStrangersNameNoFlag holds what is let be against the flags: one that is named so could be misspelt without a word.
func TestStrangersNameNoFlag(t *testing.T) {
	names, _ := variables(model(t))
	if len(names) < 50 {
		t.Fatalf("got %d variables, want those of all flags", len(names))
	}
	for _, name := range names {
		for _, begin := range strangers {
			if strings.HasPrefix(name, begin) {
				t.Errorf("got a flag of the variable %s, want none that begins with %s", name, begin)
			}
		}
	}
}

// TestVariablesOfCommands wants no command to read a variable that means something else to another one. log-format is the program's, and
// healthcheck asks where SIGNAL_ADMIN says that the server answers.
func TestVariablesOfCommands(t *testing.T) {
	node := model(t)
	for _, f := range commandNamed(node, "bridge").Flags {
		if !slices.ContainsFunc(f.Envs, func(name string) bool { return strings.HasPrefix(name, "SIGNAL_BRIDGE_") }) || len(f.Envs) != 1 {
			t.Errorf("bridge --%s: got the variables %q, want one that begins with SIGNAL_BRIDGE_", f.Name, f.Envs)
		}
	}
	for _, f := range commandNamed(node, "token").Flags {
		if len(f.Envs) > 0 {
			t.Errorf("token --%s: got the variables %q, want none", f.Name, f.Envs)
		}
	}
	of := make(map[string]string)
	for _, command := range node.Children {
		for _, f := range command.Flags {
			for _, name := range f.Envs {
				if other := of[name]; other != "" && name != "SIGNAL_ADMIN" {
					t.Errorf("%s: got it read by %s and %s, want one of them", name, other, command.Name)
				}
				of[name] = command.Name
			}
		}
	}
}

func TestBridgeReadsItsOwnVariables(t *testing.T) {
	read(t) // takes away the variables of whoever tests
	for name, value := range map[string]string{
		"SIGNAL_LISTEN": "server:1", "SIGNAL_BRIDGE_LISTEN": "bridge:1", "SIGNAL_BRIDGE_SERVER": "http://s", "SIGNAL_BRIDGE_KEY": "k",
		"SIGNAL_BRIDGE_ROLE": "offer", "SIGNAL_BRIDGE_FORWARD": "program:1",
	} {
		t.Setenv(name, value)
	}
	c, _ := parse(t, "bridge")
	if got, want := c.Bridge.Listen+" "+c.Bridge.Server+" "+c.Bridge.Forward, "bridge:1 http://s program:1"; got != want {
		t.Errorf("bridge: got %s, want %s", got, want)
	}
	if got := c.Serve.Listen; got == "bridge:1" {
		t.Errorf("serve: got --listen %s, want none of bridge's", got)
	}
}

// TestMisspeltVariables checks what is told of names that set nothing.
func TestMisspeltVariables(t *testing.T) {
	node := model(t)
	for _, tt := range []struct{ name, want string }{
		{"SIGNAL_LISTN", "SIGNAL_LISTN: no such setting; is SIGNAL_LISTEN meant?"},
		{"SIGNAL_TLS_CERTS", "SIGNAL_TLS_CERTS: no such setting; is SIGNAL_TLS_CERT meant?"},
		{"SIGNAL_RATE_REQEUSTS", "SIGNAL_RATE_REQEUSTS: no such setting; is SIGNAL_RATE_REQUESTS meant?"},
		{"SIGNAL_BRIDGE_LISTN", "SIGNAL_BRIDGE_LISTN: no such setting; is SIGNAL_BRIDGE_LISTEN meant?"},
		{"SIGNAL_PASSWORD_OF_MINE", "SIGNAL_PASSWORD_OF_MINE: no such setting; signal-server --help lists them"},
		{"SIGNAL_", "SIGNAL_: no such setting; signal-server --help lists them"},
		{"SIGNAL_CHECK_CONFIG", "SIGNAL_CHECK_CONFIG: no such setting; --check-config can only stand on the command line"},
		{"SIGNAL_ENV_FILE", "SIGNAL_ENV_FILE: no such setting; --env-file can only stand on the command line"},
		{"SIGNAL_SERVICE_HOST", "SIGNAL_SERVICE_HOST: no such setting; where Kubernetes makes it of a Service, the pod needs enableServiceLinks: false"},
		{"SIGNAL_PORT_80_TCP_ADDR", "SIGNAL_PORT_80_TCP_ADDR: no such setting; where Kubernetes makes it of a Service, the pod needs enableServiceLinks: false"},
		{"SIGNAL_PORT", "SIGNAL_PORT: no such setting; SIGNAL_LISTEN=:8080 says where to listen; where Kubernetes makes this one of a Service, the pod needs enableServiceLinks: false"},
		{"SIGNAL_LISTEN", ""},
		{"SIGNAL_LOG_FORMAT", ""},
		{"SIGNAL_BRIDGE_LISTEN", ""},
		{"SIGNAL_READY", ""}, // of healthcheck
		{"SIGNAL_SERVER_SERVICE_HOST", ""},
		{"SIGNAL_TEST_STORE", ""},
		{"SIGNALS", ""},
		{"signal_listn", ""},
	} {
		for _, value := range []string{"SECRET", ""} {
			t.Run(tt.name, func(t *testing.T) {
				read(t)
				t.Setenv(tt.name, value)
				var wrong flag.Mistakes
				env := environment{wrong: &wrong}
				env.checkNames(node, variablePrefix)
				got := ""
				if len(wrong) > 0 {
					got = wrong[0].Error()
				}
				if got != tt.want || len(wrong) > 1 {
					t.Errorf("got %q, want %q", wrong, tt.want)
				}
			})
		}
	}
	t.Run("bridge", func(t *testing.T) {
		read(t)
		t.Setenv("SIGNAL_LISTN", "x")
		t.Setenv("SIGNAL_BRIDGE_SECRETS_FILE", "x")
		var wrong flag.Mistakes
		env := environment{wrong: &wrong}
		env.checkNames(node, bridgePrefix)
		if len(wrong) != 1 || !strings.HasPrefix(wrong[0].Error(), "SIGNAL_BRIDGE_SECRETS_FILE: no such setting") {
			t.Errorf("got %q, want one mistake of SIGNAL_BRIDGE_SECRETS_FILE", wrong)
		}
	})
}

// TestMisspeltPrefixes wants names of a file told that are nearly those of settings, whatever comes before the setting's own part.
func TestMisspeltPrefixes(t *testing.T) {
	read(t)
	file := write(t, "SINGAL_LISTEN=SECRET\nsignal_ttl=SECRET\nSIGNL_MEMORY=SECRET\nSSL_CERT_FILE=/x\nGOMEMLIMIT=off\nTZ=UTC\nSIGNAL=x\n", 0o600)
	c, parsed := parse(t, "--env-file", file)
	c.env.checkNames(parsed.Model.Node, variablePrefix)
	want := file + ":1: SINGAL_LISTEN: no such setting; is SIGNAL_LISTEN meant?\n" + file + ":2: signal_ttl: no such setting; is SIGNAL_TTL meant?\n" +
		file + ":3: SIGNL_MEMORY: no such setting; is SIGNAL_MEMORY meant?"
	if got := errors.Join(*c.env.wrong...); got == nil || got.Error() != want {
		t.Errorf("got %v\nwant %s", got, want)
	}
}

// TestPlaces wants mistakes in values told with the variable, and the line, that says them.
func TestPlaces(t *testing.T) {
	read(t)
	file := write(t, "SIGNAL_TTL=x\nSIGNAL_WAIT=x\nSIGNAL_DRAIN=x\nSIGNAL_MAX_WAITS=-1\n", 0o600)
	t.Setenv("SIGNAL_WAIT", "y")
	c, parsed := parse(t, "--env-file", file, "--drain=z", "--memory=1")
	c.Serve.validate(c.env.wrong, flag.NamesOf(parsed.Flags()))
	told := c.env.placed(parsed, errors.Join(*c.env.wrong...))
	for _, want := range []string{
		file + `:1: SIGNAL_TTL: --ttl is "x"`, `SIGNAL_WAIT: --wait is "y"`, `--drain is "z"`, "--memory is 1B", file + ":4: SIGNAL_MAX_WAITS: --max-waits is -1",
	} {
		if !slices.ContainsFunc(strings.Split(fmt.Sprint(told), "\n"), func(line string) bool { return strings.HasPrefix(line, want) }) {
			t.Errorf("got %v\nwant a line that begins with %s", told, want)
		}
	}
	if c.env.placed(parsed, nil) != nil {
		t.Error("no error: got one")
	}
}

// TestEnvFileCountsLast sets things in several places.
func TestEnvFileCountsLast(t *testing.T) {
	read(t)
	file := write(t, "SIGNAL_TTL=7s\nSIGNAL_WAIT=7s\nSIGNAL_DRAIN=7s\nSIGNAL_DRAIN=6s\nSIGNAL_ADMIN=\nSIGNAL_ALLOW_ORIGINS='https://a.example,https://b.example'\n"+
		"SIGNAL_ROLE_TICKETS=true\nSIGNAL_LOG_FORMAT=json\n", 0o600)
	t.Setenv("SIGNAL_TTL", "8s")
	t.Setenv("SIGNAL_WAIT", "8s")
	var c commands
	var wrong flag.Mistakes
	if _, err := c.parse([]string{"--env-file", file, "--ttl=9s"}, &wrong); err != nil || len(wrong) > 0 {
		t.Fatalf("got %v, %v, want it to be taken", err, wrong)
	}
	s := &c.Serve
	got := fmt.Sprintln(s.Limits.TTL, s.Wire.MaxWait, s.Server.Drain, s.Admin, s.Gate.AllowOrigins, s.Tickets.RoleTickets, c.LogFormat, s.Limits.Lifetime)
	if want := "9s 8s 6s  [https://a.example https://b.example] true json 5m0s\n"; got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

// TestMistakesInAnEnvFile wants all of them, each by its line, beside those of the values.
func TestMistakesInAnEnvFile(t *testing.T) {
	read(t)
	file := write(t, "SIGNAL_TTL=x\nexport SIGNAL_WAIT=SECRET\nSIGNAL_LISTN=SECRET\nGOGC=SECRET\nGOMEMLIMIT=SECRET\nSIGNAL_SERVER_PORT=SECRET\nSSL_CERT_FILE=SECRET\n", 0o600)
	c, parsed := parse(t, "--env-file", file)
	c.env.checkNames(parsed.Model.Node, variablePrefix)
	want := []string{
		file + ":2: begins with export",
		file + ":4: GOGC is read when the process starts",
		file + ":5: GOMEMLIMIT must be a size such as 1400MiB, or off",
		`--ttl is "x"`,
		file + ":3: SIGNAL_LISTN: no such setting; is SIGNAL_LISTEN meant?",
	}
	wrong := *c.env.wrong
	if len(wrong) != len(want) {
		t.Errorf("got %q, want %d mistakes", wrong, len(want))
	}
	for i, w := range want[:min(len(want), len(wrong))] {
		if got := wrong[i].Error(); !strings.HasPrefix(got, w) || strings.Contains(got, "SECRET") {
			t.Errorf("got %q, want %q…", got, w)
		}
	}
	t.Setenv("GOGC", "50") // then the file's does not matter
	t.Setenv("GOMEMLIMIT", "1GiB")
	wrong = nil
	if _, err := new(commands).parse([]string{"--env-file", file}, &wrong); err != nil || len(wrong) != 2 {
		t.Errorf("with variables of the process for Go: got %q, %v, want two mistakes", wrong, err)
	}
}

// TestOtherVariablesOfAnEnvFile wants the process to have those that it does not have, and Go to know the memory that it may take.
func TestOtherVariablesOfAnEnvFile(t *testing.T) {
	before := debug.SetMemoryLimit(-1)
	defer debug.SetMemoryLimit(before)
	for _, name := range []string{"SSL_CERT_FILE", "SSL_CERT_DIR", "GOMEMLIMIT"} {
		t.Setenv(name, "") // for it to be as it was afterwards
		os.Unsetenv(name)
	}
	t.Setenv("SSL_CERT_DIR", "/of/the/process")
	file := write(t, "SSL_CERT_FILE=/a\nSSL_CERT_DIR=/b\nGOMEMLIMIT=1400MiB\n", 0o600)
	var c commands
	var wrong flag.Mistakes
	if _, err := c.parse([]string{"--env-file", file}, &wrong); err != nil || len(wrong) > 0 {
		t.Fatalf("got %v, %v, want it to be taken", err, wrong)
	}
	if err := c.env.apply(); err != nil {
		t.Fatal(err)
	}
	if got, want := os.Getenv("SSL_CERT_FILE")+" "+os.Getenv("SSL_CERT_DIR"), "/a /of/the/process"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := debug.SetMemoryLimit(-1), int64(1400<<20); got != want {
		t.Errorf("memory limit: got %d, want %d", got, want)
	}
}

func TestMemoryLimits(t *testing.T) {
	for text, want := range map[string]int64{
		"": 0, "off": math.MaxInt64, "0": 0, "1000": 1000, "5B": 5, "1KiB": 1 << 10, "460MiB": 460 << 20, "2GiB": 2 << 30, "1TiB": 1 << 40,
		"1.5GiB": -1, "1GB": -1, "1Gi": -1, "1 GiB": -1, "x": -1, "-1": -1, "99999999999999999999": -1, "9999999TiB": -1,
	} {
		got, ok := parseMemoryLimit(text)
		if !ok {
			got = -1
		}
		if got != want {
			t.Errorf("%q: got %d, want %d (-1: none)", text, got, want)
		}
	}
}

func TestEnvFilesThatAreNone(t *testing.T) {
	read(t)
	for path, want := range map[string]string{
		"/nowhere":  "--env-file: open /nowhere: no such file",
		t.TempDir(): "is a directory",
		write(t, strings.Repeat("A=1\n", 20<<10), 0o600): "has more than 64KiB",
		"/dev/zero": "/dev/zero has more than 64KiB",
	} {
		var c commands
		var wrong flag.Mistakes
		if _, err := c.parse([]string{"--env-file", path}, &wrong); err != nil || len(wrong) != 1 || !strings.Contains(wrong[0].Error(), want) {
			t.Errorf("--env-file %s: got %q, %v, want one mistake: %s", path, wrong, err, want)
		}
	}
	var c commands
	var wrong flag.Mistakes
	if _, err := c.parse([]string{"--env-file="}, &wrong); err != nil || len(wrong) > 0 {
		t.Errorf("--env-file=: got %q, %v, want none to be read", wrong, err)
	}
	file := write(t, "SIGNAL_TTL=9s\n", 0o600)
	_, err := new(commands).parse([]string{"--env-file", write(t, "SIGNAL_WAIT=x\n", 0o600), "--env-file", file}, &wrong)
	if err != nil || len(wrong) != 1 || !strings.HasPrefix(wrong[0].Error(), "--env-file is given 2 times") {
		t.Errorf("two files: got %q, %v, want one mistake: only the last one would count", wrong, err)
	}
}

// TestWords says help and version as words, and words that are no command.
func TestWords(t *testing.T) {
	node := model(t)
	for _, tt := range []struct{ args, want string }{
		{"", ""},
		{"--listen=:1", "--listen=:1"},
		{"serve --help", "serve --help"},
		{"help", "--help"},
		{"help serve", "serve --help"},
		{"help help", "--help --help"},
		{"version", "--version"},
		{"token help", "token help"}, // a name
		{"serv", `"serv" is no command; is serve meant? All are serve, bridge, healthcheck, token, help, version`},
		{"help brigde", `"brigde" is no command; is bridge meant? All are serve, bridge, healthcheck, token, help, version`},
		{"restart", `"restart" is no command; all are serve, bridge, healthcheck, token, help, version`},
	} {
		args, err := worded(strings.Fields(tt.args), node)
		got := strings.Join(args, " ")
		if err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.args, got, tt.want)
		}
	}
}

// TestHelpFits reads the help of each command as on a terminal of 80 columns.
func TestHelpFits(t *testing.T) {
	for _, args := range [][]string{{"help"}, {"serve", "--help"}, {"bridge", "--help"}, {"healthcheck", "--help"}, {"token", "--help"}} {
		var text strings.Builder
		var wrong flag.Mistakes
		new(commands).parse(args, &wrong, kong.Exit(func(int) {}), kong.Writers(&text, io.Discard))
		for line := range strings.Lines(text.String()) {
			if line = strings.TrimSpace(line); len(line) > 80 && !strings.HasPrefix(line, "Usage: ") {
				t.Errorf("%v: got a line of %d characters, %q, want 80 or fewer", args, len(line), line)
			}
		}
		if lines := strings.Count(text.String(), "\n"); lines < 10 || lines > 150 {
			t.Errorf("%v: got %d lines, want the flags, and little beside them", args, lines)
		}
	}
	if got, want := helpText(t, "help"), []string{"\nAddresses\n", "\nTLS\n", "\nWho may\n", "\nCommands\n", "  bridge ", "--max-sdp=64KiB"}; !containsInOrder(got, want[:4]) || !containsAll(got, want) {
		t.Errorf("help: got %s, want the groups of flags, then the commands: %q", got, want)
	}
}

func containsAll(text string, parts []string) bool {
	return !slices.ContainsFunc(parts, func(part string) bool { return !strings.Contains(text, part) })
}

func containsInOrder(text string, parts []string) bool {
	for _, part := range parts {
		_, after, ok := strings.Cut(text, part)
		if !ok {
			return false
		}
		text = after
	}
	return true
}
