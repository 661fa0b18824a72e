package app

import (
	"errors"
	"io"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/alecthomas/kong"

	"signal-server/app/envfile"
	"signal-server/app/flag"
)

// FuzzQuoted writes any value for an environment file: it is read as it was, and nothing in it is special to a shell that is not quoted.
func FuzzQuoted(f *testing.F) {
	for _, value := range []string{"", "plain", `$x "y" \z`, "`id`", "a b", "redis://u:p@h?x=1&y=2"} {
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, value string) {
		got := quoted(value)
		if utf8.ValidString(value) && !strings.Contains(value, "\x00") {
			again, err := envfile.Parse("file", "A="+got+"\nB=1\n")
			if err != nil || len(again) != 2 || again[0].Value != value {
				t.Errorf("%q: got %s, which an environment file has as %+v, %v", value, got, again, err)
			}
		}
		if got == value {
			return // nothing special is in it
		}
		if len(got) < 2 || got[0] != '"' || got[len(got)-1] != '"' {
			t.Fatalf("%q: got %q, want it in quotes", value, got)
		}
		var plain []byte
		for i := 1; i < len(got)-1; i++ {
			switch got[i] {
			case '\\':
				i++
			case '"', '$', '`':
				t.Fatalf("%q: got %q, want %q escaped", value, got, got[i])
			}
			plain = append(plain, got[i])
		}
		if string(plain) != value {
			t.Errorf("%q: got %q, which is read as %q", value, got, plain)
		}
	})
}

// FuzzConfiguration reads any command line, an argument a line, as far as it can be read without doing anything. Each mistake is told;
// and what is taken is printed as a configuration that is printed the same when it is read again.
func FuzzConfiguration(f *testing.F) {
	for _, text := range []string{
		"", "serve\n--listen=:80\n--admin=", "--ttl=1h\n--lifetime\n2h", "--memory=1.5GiB\n--max-sdp=-1", "--ttl=x\n--wait=\n--memory=1\n--store=tape",
		"--store=redis://user:secret@host:1/2?wait_replicas=1", "--store=redis-cluster://a,b:7000", "--trusted-proxies=loopback,10.0.0.0/8,::1",
		"--allow-origins=https://example.org,*", "--rate-requests=50/s\n--rate-wrong-keys=20/d", "--log-format=xml", "bridge\n--server=x", "token\n--role=z",
		"--help", "--\nserve", "--env-file=/dev/null\n--ttl=1s", "help\ntoken", "version", "--print-config=maybe", "--max-waits=99999999999999999999", "--block-for=-1ns", "--auth-jwt-audience=\"a\\\nb",
	} {
		f.Add(text)
	}
	read := func(args []string) (c *commands, parsed *kong.Context, wrong flag.Mistakes, err error) {
		c = new(commands)
		parsed, err = c.parse(args, &wrong, kong.Exit(func(int) {}), kong.Writers(io.Discard, io.Discard))
		return c, parsed, wrong, err
	}
	printed := func(t *testing.T, parsed *kong.Context) string {
		var text strings.Builder
		if err := printConfig(&text, parsed.Flags()); err != nil {
			t.Fatal(err)
		}
		return text.String()
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, parsed, wrong, err := read(strings.Split(text, "\n"))
		if err != nil || !strings.HasPrefix(parsed.Command(), "serve") {
			return
		}
		c.Serve.validate(&wrong, flag.NamesOf(parsed.Flags()))
		if err := errors.Join(wrong...); err != nil {
			if told := err.Error(); strings.TrimSpace(told) == "" || strings.Contains(told, "BUG:") && !strings.Contains(text, "BUG:") {
				t.Errorf("got %q, want it to say what is wrong", told)
			}
			return
		}
		first := printed(t, parsed)
		if strings.ContainsAny(text, "\"\\$`") {
			return // how that is quoted, FuzzQuoted says
		}
		var args []string
		for line := range strings.Lines(first) {
			name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
			name = strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(name, "SIGNAL_")), "_", "-")
			args = append(args, "--"+name+"="+strings.Trim(value, `"`))
		}
		_, parsed, wrong, err = read(args)
		if err := errors.Join(append(wrong, err)...); err != nil {
			t.Fatalf("%q, read again: got %v, want it to be taken", first, err)
		}
		if again := printed(t, parsed); again != first {
			t.Errorf("got\n%s\nwhich is read as\n%s", first, again)
		}
	})
}
