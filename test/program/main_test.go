package program_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"signal-server/app/apptest/testlog"
	"signal-server/custerrors"
	"signal-server/test/process"
	"signal-server/test/until"
)

// binary is the program, built once.
var binary string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		if err := os.Chdir("../.."); err != nil { // the repository's root, where the README's commands are typed
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return process.Build(m, ".", &binary)
	}())
}

// patience bounds what a test waits for, so that one that fails comes to an end.
const patience = 30 * time.Second

// command returns the program, ready to run, with these variables in an environment that sets no other flag.
func command(t *testing.T, env []string, args ...string) *exec.Cmd {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	c := exec.CommandContext(ctx, binary, args...)
	c.Env = append([]string{"PATH=" + os.Getenv("PATH")}, env...)
	return c
}

// TestWrongValues checks that the program prints a line for each mistake and ends with 1.
func TestWrongValues(t *testing.T) {
	const anywhere = "--listen=127.0.0.1:0"
	for name, test := range map[string]struct {
		env, args []string
		want      []string // what the lines hold, in any order
	}{
		"values that cannot be read": {
			args: []string{"--ttl", "x", "--memory", "lots", "--max-candidates", "many", "--wait=", "--max-sdp=1.5.5KiB"},
			want: []string{`--ttl is "x"`, `--memory is "lots"`, `--max-candidates is "many"`, `--wait is ""`, `--max-sdp is "1.5.5KiB"`},
		},
		"values that cannot be meant": {
			args: []string{"--ttl=0s", "--wait=-1s", "--max-sdp=0", "--max-candidates=0", "--memory=1", "--store=tape"},
			want: []string{"--ttl is 0s", "wait is -1s", "--max-sdp is 0B, must be 1B to 64MiB", "--max-candidates is 0", "memory is 1B, must be 1MiB or more", `--store is "tape"`},
		},
		"both": {
			args: []string{"--ttl=x", "--wait=-1s", "--memory=1", "--store=tape"},
			want: []string{`--ttl is "x"`, "--wait is -1s", "memory is 1", `--store is "tape"`},
		},
		"values that do not fit together": {
			args: []string{"--ttl=1h", "--max-sdp=1MiB"},
			want: []string{"--lifetime is 5m0s", "--max-session is 256KiB, must be what one payload may have (1MiB) or more, up to 64MiB", "--max-body is 256KiB"},
		},
		"in the environment": {
			env:  []string{"SIGNAL_TTL=x", "SIGNAL_MAX_SESSION=-1", "SIGNAL_STORE=tape"},
			want: []string{`--ttl is "x"`, `--max-session is "-1"`, `--store is "tape"`},
		},
		"sizes that are too large":     {args: []string{"--memory=9223372036854775808"}, want: []string{"--memory is"}},
		"a flag that is none":          {args: []string{"--nope"}, want: []string{"--nope"}},
		"a flag without a value":       {args: []string{"--ttl"}, want: []string{"--ttl"}},
		"an argument too many":         {args: []string{"serve", "extra"}, want: []string{"extra"}},
		"a format of the log":          {args: []string{"--log-format=xml"}, want: []string{"--log-format"}},
		"an address that is none":      {args: []string{"--listen=nonsense"}, want: []string{"nonsense"}},
		"an admin address":             {args: []string{anywhere, "--admin=nonsense"}, want: []string{"nonsense"}},
		"a bridge without its flags":   {args: []string{"bridge"}, want: []string{"--server"}},
		"a bridge with wrong values":   {args: []string{"bridge", "--server=x", "--key=", "--role=z", "--listen=q", "--forward=f"}, want: []string{"server", "key", "role", "listen", "forward"}},
		"a server and a port in words": {args: []string{"--listen=127.0.0.1:http-of-mine"}, want: []string{"http-of-mine"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out, errs bytes.Buffer
			c := command(t, test.env, test.args...)
			c.Stdout, c.Stderr = &out, &errs
			var exit *exec.ExitError
			if err := c.Run(); !errors.As(err, &exit) || exit.ExitCode() != 1 {
				t.Errorf("got %v, want exit status 1", err)
			}
			lines := strings.Split(strings.TrimSpace(errs.String()), "\n")
			if len(lines) != len(test.want) || out.Len() > 0 {
				t.Errorf("got %d lines, and %q elsewhere, want %d lines:\n%s", len(lines), &out, len(test.want), &errs)
			}
			for _, line := range lines {
				if !strings.HasPrefix(line, "signal-server: error: ") {
					t.Errorf("got the line %q, want it to begin with signal-server: error:", line)
				}
			}
			for _, want := range test.want {
				if !strings.Contains(errs.String(), want) {
					t.Errorf("got\n%swant a line with %s", &errs, want)
				}
			}
		})
	}
}

// program is the program while it serves.
type program struct {
	cmd   *exec.Cmd
	url   string
	log   *testlog.Log
	ended chan error // gets what Wait returned
}

// address finds where the program says that it serves, in a log of either format.
var address = regexp.MustCompile(`serving"?[ ,]"?address"?[=:](?:"?127\.0\.0\.1:|\{.*"Port":)(\d+)`)

// run starts the program and waits until it serves.
func run(t *testing.T, env []string, args ...string) *program {
	t.Helper()
	p := &program{cmd: command(t, env, args...), log: new(testlog.Log), ended: make(chan error, 1)}
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.cmd.Stdout = p.log
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	serving := make(chan string, 1)
	go func() {
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			fmt.Fprintln(p.log, lines.Text())
			if m := address.FindStringSubmatch(lines.Text()); m != nil {
				serving <- m[1]
			}
		}
		p.ended <- p.cmd.Wait()
		close(serving)
	}()
	port, ok := <-serving
	if !ok {
		t.Fatalf("got no address, want one; the log:\n%s", p.log)
	}
	p.url = "http://127.0.0.1:" + port
	t.Cleanup(func() { p.cmd.Process.Kill() })
	return p
}

// end sends the signal and checks that the program ends well within 10 s.
func (p *program) end(t *testing.T, signal os.Signal) {
	t.Helper()
	began := time.Now()
	if err := p.cmd.Process.Signal(signal); err != nil {
		t.Fatal(err)
	}
	if err := <-p.ended; err != nil {
		t.Errorf("after %v: got %v, want exit status 0; the log:\n%s", signal, err, p.log)
	}
	if got, want := time.Since(began), 10*time.Second; got >= want {
		t.Errorf("after %v: got the end after %v, want it within %v", signal, got, want)
	}
}

// ask sends a request and returns msg and data of its answer.
func (p *program) ask(t *testing.T, method, path, key, body string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, p.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("key", key)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Errorf("%s %s: got %v, want an answer", method, path, err)
		return 0, ""
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Error(err)
	}
	return resp.StatusCode, string(answer)
}

func envelope(msg custerrors.Error) string { return `{"msg":"` + string(msg) + `","data":null}` }

// TestSignals ends the program while a request waits. The request is answered, the program ends with 0, and nothing secret was logged.
func TestSignals(t *testing.T) {
	for _, signal := range []os.Signal{syscall.SIGTERM, os.Interrupt} {
		for _, format := range []string{"text", "json"} {
			t.Run(fmt.Sprint(signal, " ", format), func(t *testing.T) {
				t.Parallel()
				const key, payload = "SECRET-KEY", "SECRET-PAYLOAD"
				p := run(t, nil, "--listen=127.0.0.1:0", "--admin=127.0.0.1:0", "--log-format="+format)
				p.ask(t, "POST", "/offer/sdp", key, `{"data":"`+payload+`"}`)
				p.ask(t, "POST", "/offer/sdp", key, `{"data":"`+payload+`"}`)
				p.ask(t, "POST", "/offer/candidate", key, payload)
				p.ask(t, "POST", "/offer/candidates", key, payload)
				p.ask(t, "GET", "/"+payload+"?key="+key, "", "")
				broken(t, p.url, payload+" "+key+"\r\n\r\n")
				broken(t, p.url, "GET /"+payload+" HTTP/1.1\r\nkey: "+key+"\x00\r\n\r\n")

				waited := make(chan string, 1)
				go func() {
					_, answer := p.ask(t, "GET", "/offer/sdp?wait=30", key, "")
					waited <- answer
				}()
				p.waits(t, 1)
				p.end(t, signal)
				if got, want := <-waited, envelope(custerrors.ServerIsShuttingDown); got != want {
					t.Errorf("the waiting request: got %s, want %s", got, want)
				}
				log := p.log.String()
				if strings.Contains(log, "SECRET") {
					t.Errorf("the log: got %s, want neither key nor payload", log)
				}
				for line := range strings.Lines(log) {
					if format == "json" && !json.Valid([]byte(line)) {
						t.Errorf("got the line %s, want JSON", line)
					}
				}
				if want := strings.TrimPrefix(p.url, "http://"); !strings.Contains(log, want) {
					t.Errorf("the log: got %s, want it to name the address %s", log, want)
				}
			})
		}
	}
}

// operators finds where the program says that it serves operators, in a log of either format.
var operators = regexp.MustCompile(`serving operators"[ ,]"?address"?[=:]"?(127\.0\.0\.1:\d+)`)

// waits asks the program, as operators do, until so many requests wait.
func (p *program) waits(t *testing.T, want int) {
	t.Helper()
	m := operators.FindStringSubmatch(p.log.String())
	if m == nil {
		t.Fatalf("got no address for operators, want one; the log:\n%s", p.log)
	}
	until.Nil(t, patience/2, func() error {
		answer, err := http.Get("http://" + m[1] + "/metrics")
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		page, err := io.ReadAll(answer.Body)
		if line := fmt.Sprintf("\nsignal_waits %d\n", want); err == nil && !bytes.Contains(page, []byte(line)) {
			return fmt.Errorf("/metrics: got\n%swant %s", page, line)
		}
		return err
	})
}

// broken sends bytes that are no request, and waits until the server has closed the connection.
func broken(t *testing.T, url, sent string) {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	io.WriteString(conn, sent)
	if answer, err := io.ReadAll(conn); err != nil || !bytes.HasPrefix(answer, []byte("HTTP/1.1 400 ")) {
		t.Errorf("%q: got %.50q, %v, want 400", sent, answer, err)
	}
}

// TestFlagsAndEnvironment sets each limit by flags, by the environment and by both, and runs into it.
func TestFlagsAndEnvironment(t *testing.T) {
	for name, test := range map[string]struct{ env, args []string }{
		"flags": {args: []string{
			"--listen=127.0.0.1:0", "--admin=", "--max-sdp=10", "--max-candidate=5", "--max-candidates=2", "--max-session=1KiB", "--max-body=1KiB",
			"--wait=100ms",
		}},
		"environment": {env: []string{
			"SIGNAL_LISTEN=127.0.0.1:0", "SIGNAL_ADMIN=", "SIGNAL_MAX_SDP=10", "SIGNAL_MAX_CANDIDATE=5", "SIGNAL_MAX_CANDIDATES=2",
			"SIGNAL_MAX_SESSION=1KiB", "SIGNAL_MAX_BODY=1KiB", "SIGNAL_WAIT=100ms", "SIGNAL_LOG_FORMAT=json",
		}},
		"flags win": {
			env: []string{"SIGNAL_MAX_SDP=9", "SIGNAL_MAX_CANDIDATE=4", "SIGNAL_WAIT=1h", "SIGNAL_LISTEN=nonsense"},
			args: []string{
				"serve", "--listen=127.0.0.1:0", "--admin=", "--max-sdp=10", "--max-candidate=5", "--max-candidates=2", "--max-session=1KiB",
				"--max-body=1KiB", "--wait=100ms",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := run(t, test.env, test.args...)
			for _, r := range []struct {
				method, path, body string
				status             int
				want               string
			}{
				{"POST", "/offer/sdp", `{"data":"12345678901"}`, 413, envelope(custerrors.BodyIsTooLong)},
				{"POST", "/offer/sdp", `{"data":"1234567890"}`, 200, envelope("")},
				{"POST", "/offer/candidate", "123456", 413, envelope(custerrors.BodyIsTooLong)},
				{"POST", "/offer/candidate", "12345", 200, envelope("")},
				{"POST", "/offer/candidates", `["1","2"]`, 429, envelope(custerrors.QueueIsFull)},
				{"POST", "/offer/candidates", `["1"]` + strings.Repeat(" ", 1<<10), 413, envelope(custerrors.BodyIsTooLong)},
				{"GET", "/offer/sdp?wait=30", "", 200, envelope(custerrors.SdpNoValues)}, // after 100 ms
			} {
				if status, got := p.ask(t, r.method, r.path, "k", r.body); status != r.status || got != r.want {
					t.Errorf("%s %s: got %d %s, want %d %s", r.method, r.path, status, got, r.status, r.want)
				}
			}
			p.end(t, syscall.SIGTERM)
		})
	}
}

// TestAddressInUse checks that the program ends and says why when its address is in use.
func TestAddressInUse(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for wayOut, args := range map[string][]string{
		"(--listen): another program listens there, end that, or give another address\n": {"--listen=" + l.Addr().String(), "--admin="},
		"give another address, or --admin= for none\n":                                   {"--listen=127.0.0.1:0", "--admin=" + l.Addr().String()},
	} {
		out, err := command(t, nil, args...).CombinedOutput()
		if got := string(out); err == nil || !strings.HasPrefix(got, "signal-server: error: listen tcp "+l.Addr().String()) || !strings.HasSuffix(got, wayOut) {
			t.Errorf("%v: got %v, %s, want an error that names the address and ends with %s", args, err, out, wayOut)
		}
	}
}

// TestHelp asks for help in each way that people ask.
func TestHelp(t *testing.T) {
	groups := []string{
		"Usage: signal-server [<command>] [flags]", "\nAddresses\n", "--listen=", "\nTLS\n", "\nWho may\n", "--rate-requests=off", "\nSessions\n", "--max-sdp=64KiB",
		"\nLog and pages\n", "--log-format", "--env-file", "\nCommands\n", "  bridge ", "  token ",
	}
	for args, wants := range map[string][]string{
		"--help": groups, "help": groups,
		"serve --help": groups[1:11], "help serve": groups[1:11],
		"help bridge": {"--server=URL", "SIGNAL_BRIDGE_LISTEN"},
		"bridge -h":   {"--server=URL", "SIGNAL_BRIDGE_LISTEN"},
		"help token":  {"--file=FILE"},
	} {
		out, err := command(t, nil, strings.Fields(args)...).Output()
		if err != nil {
			t.Errorf("%s: got %v, want exit status 0", args, err)
		}
		for rest, i := string(out), 0; i < len(wants); i++ {
			var ok bool
			if _, rest, ok = strings.Cut(rest, wants[i]); !ok {
				t.Errorf("%s: got\n%swant %q in that order", args, out, wants)
				break
			}
		}
	}
	version := ""
	for _, args := range []string{"--version", "version"} {
		out, err := command(t, nil, args).Output()
		if err != nil || strings.Count(string(out), "\n") != 1 || version != "" && version != string(out) {
			t.Errorf("%s: got %v, %q, want a line, the same for each", args, err, out)
		}
		version = string(out)
	}
}
