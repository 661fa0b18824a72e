package program_test

import (
	"bufio"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// terminal returns the two ends of a new terminal: ours, and that of the program.
func terminal(t *testing.T) (ours, its *os.File) {
	t.Helper()
	ours, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skip(err) // there are no terminals here, as in some containers
	}
	t.Cleanup(func() { ours.Close() })
	if err := unix.IoctlSetPointerInt(int(ours.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(ours.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	its, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { its.Close() })
	return ours, its
}

// onTerminal starts the program on a terminal, and returns its lines up to the one that matches, with what that names.
func onTerminal(t *testing.T, last *regexp.Regexp, args ...string) (lines, named []string) {
	t.Helper()
	ours, its := terminal(t)
	c := command(t, nil, args...)
	c.Stdin, c.Stdout, c.Stderr = its, its, its
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	its.Close()
	t.Cleanup(func() {
		c.Process.Signal(syscall.SIGTERM)
		if err := c.Wait(); err != nil {
			t.Errorf("after SIGTERM: got %v, want exit status 0", err)
		}
	})
	for in := bufio.NewScanner(ours); in.Scan(); {
		lines = append(lines, strings.TrimRight(in.Text(), "\r"))
		if named = last.FindStringSubmatch(in.Text()); named != nil {
			return lines, named
		}
	}
	t.Fatalf("got %q, want a line that matches %v", lines, last)
	return nil, nil
}

// TestStartForPeople starts the program on a terminal, and follows what it says there.
func TestStartForPeople(t *testing.T) {
	t.Parallel()
	lines, _ := onTerminal(t, regexp.MustCompile("level=WARN"), "--listen=:0", "--admin=127.0.0.1:0", "--memory=96MiB")
	where := regexp.MustCompile(`^  where   (http://localhost:\d+/)   API (http://localhost:\d+/swagger)   operators (http://127\.0\.0\.1:\d+/metrics)$`)
	for i, want := range []*regexp.Regexp{
		regexp.MustCompile(`^signal-server \S+$`), where, regexp.MustCompile(`^  store   memory, up to 96MiB$`),
		regexp.MustCompile(`^  access  plain HTTP, open to everybody, without limits for each client$`),
		regexp.MustCompile(`^time=\S+ level=WARN msg="anybody who reaches this server`),
	} {
		if i >= len(lines) || !want.MatchString(lines[i]) {
			t.Fatalf("line %d of\n%s\nwant one that matches %v", i+1, strings.Join(lines, "\n"), want)
		}
	}
	for _, url := range where.FindStringSubmatch(lines[1])[1:] {
		answer, err := http.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			t.Errorf("%s: got %d, want it to be there", url, answer.StatusCode)
		}
	}
}

// TestStartForPeopleOfAServerForSome names what it is told of TLS, tokens and limits.
func TestStartForPeopleOfAServerForSome(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	certificate, key, tokens := folder+"/cert.pem", folder+"/key.pem", folder+"/tokens"
	certify(t, 1, certificate, key)
	if out, err := command(t, nil, "token", "--file", tokens).CombinedOutput(); err != nil {
		t.Fatalf("token: got %v, %s", err, out)
	}
	lines, _ := onTerminal(t, regexp.MustCompile("^  access"), "--listen=127.0.0.1:0", "--admin=", "--pages=off", "--tls-cert="+certificate, "--tls-key="+key,
		"--auth-tokens-file="+tokens, "--rate-requests=50/s", "--own-names=signal.example.org")
	if got := lines[len(lines)-1]; got != "  access  TLS, for those who have a token, with limits for each client" {
		t.Errorf("got %q, want TLS, tokens and limits named", got)
	}
	if got := strings.Join(lines, "\n"); !regexp.MustCompile(`\n  where   API https://signal\.example\.org:\d+/\n`).MatchString(got) {
		t.Errorf("got\n%s\nwant the API alone where it is, by the server's own name", got)
	}
}

// TestLogOnATerminal asks for log lines where people look on.
func TestLogOnATerminal(t *testing.T) {
	t.Parallel()
	for format, last := range map[string]*regexp.Regexp{
		"text": regexp.MustCompile(`^time=\S+ level=INFO msg=serving address=127\.0\.0\.1:\d+`), "json": regexp.MustCompile(`^\{.*"msg":"serving","address":"127\.0\.0\.1:\d+"`),
	} {
		if lines, _ := onTerminal(t, last, "--listen=127.0.0.1:0", "--admin=", "--log-format="+format); len(lines) != 1 {
			t.Errorf("--log-format=%s: got\n%s\nwant log lines alone", format, strings.Join(lines, "\n"))
		}
	}
}
