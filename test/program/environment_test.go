package program_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"signal-server/custerrors"
	"signal-server/test/port"
)

// written returns the path of a file that says this.
func written(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "env")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestOneFile makes a server with TLS, tokens and limits of the file that packages bring, as an operator does: by taking # away, and writing
// down where the certificate is.
func TestOneFile(t *testing.T) {
	t.Parallel()
	shipped, err := os.ReadFile("deploy/systemd/signal-server.env")
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	trusted := certify(t, 1, folder+"/cert.pem", folder+"/key.pem")
	token, err := command(t, nil, "token", "--file", folder+"/tokens", "alice").Output()
	if err != nil {
		t.Fatalf("token: %v", err)
	}
	text := string(shipped)
	for _, edit := range [][2]string{
		{"SIGNAL_LISTEN=127.0.0.1:8080", "SIGNAL_LISTEN=127.0.0.1:0"}, // a port that nobody has
		{"#SIGNAL_TRUSTED_PROXIES=\n", "SIGNAL_TRUSTED_PROXIES=\n"},
		{"#SIGNAL_TLS_CERT=", "SIGNAL_TLS_CERT="},
		{"#SIGNAL_TLS_KEY=", "SIGNAL_TLS_KEY="},
		{"#SIGNAL_AUTH_TOKENS_FILE=", "SIGNAL_AUTH_TOKENS_FILE="},
		{"SIGNAL_RATE_OPENS=60/m", "SIGNAL_RATE_OPENS=2/h"}, // two are soon used up
		{"/etc/signal-server", folder},
	} {
		if !strings.Contains(text, edit[0]) {
			t.Fatalf("got no %q in the file, want it there to be changed", edit[0])
		}
		text = strings.ReplaceAll(text, edit[0], edit[1])
	}
	file := written(t, text+"SIGNAL_ADMIN=\n")
	if out, err := command(t, nil, "--check-config", "--env-file", file).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("--check-config: got %v, %s, want silence", err, out)
	}
	p := run(t, nil, "--env-file", file)
	if !strings.HasPrefix(strings.TrimSpace(p.log.String()), "{") {
		t.Errorf("got %s, want a log in JSON, which the file asks for", p.log)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(trusted)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, DisableKeepAlives: true}}
	open := func(key, token string) string {
		r, err := http.NewRequest(http.MethodPost, strings.Replace(p.url, "http:", "https:", 1)+"/offer/sdp", strings.NewReader(`{"data":"o"}`))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("key", key)
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		answer, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		var body bytes.Buffer
		body.ReadFrom(answer.Body)
		return fmt.Sprint(answer.StatusCode, " ", &body)
	}
	alice := strings.TrimSpace(string(token))
	for _, tt := range []struct{ key, token, want string }{
		{"k-1", "", "401 " + envelope(custerrors.NotAuthenticated)},
		{"k-1", alice, "200 " + envelope("")},
		{"k-2", alice, "200 " + envelope("")},
		{"k-3", alice, "429 " + envelope(custerrors.TooManyRequests)},
	} {
		if got := open(tt.key, tt.token); got != tt.want {
			t.Errorf("opening %s with a token of %d characters: got %s, want %s", tt.key, len(tt.token), got, tt.want)
		}
	}
	p.end(t, syscall.SIGTERM)
}

// TestPrintConfigIsAnEnvFile has the program read what it has printed.
func TestPrintConfigIsAnEnvFile(t *testing.T) {
	printed, err := command(t, nil, "--print-config", "--listen=unix:/tmp/a b.sock", "--memory=96MiB", "--auth-jwt-secret-file=/x",
		"--auth-jwt-audience="+"say \"$x\" `y` \\z 'q'", "--trusted-proxies=loopback,10.0.0.0/8").Output()
	if err != nil {
		t.Fatal(err)
	}
	again, err := command(t, nil, "--print-config", "--env-file", written(t, string(printed))).CombinedOutput()
	if err != nil || !bytes.Equal(again, printed) {
		t.Errorf("got %v\n%swant\n%s", err, again, printed)
	}
}

// TestWrongEnvironment checks that nothing starts with variables or files that are wrong, that all of it is told, and no value.
func TestWrongEnvironment(t *testing.T) {
	folder := t.TempDir()
	odd := written(t, "SIGNAL_LISTN=hunter2\r\nSIGNAL_TTL=\"1s\r\n\r\nSIGNAL_STORE hunter2\nSIGNAL_WAIT=-1s\n")
	for name, test := range map[string]struct {
		env, args, want []string
	}{
		"two misspelt variables, and a wrong value": {
			env:  []string{"SIGNAL_LISTN=hunter2", "SIGNAL_RATE_OPEN=hunter2", "SIGNAL_SERVER_PORT=hunter2", "SIGNAL_TEST_STORE=hunter2"},
			args: []string{"--ttl=0s"},
			want: []string{"SIGNAL_LISTN: no such setting; is SIGNAL_LISTEN meant?", "SIGNAL_RATE_OPEN: no such setting; is SIGNAL_RATE_OPENS meant?", "--ttl is 0s"},
		},
		"--print-config": {
			env: []string{"SIGNAL_LISTN=hunter2"}, args: []string{"--print-config"},
			want: []string{"SIGNAL_LISTN: no such setting"},
		},
		"one that is empty": {env: []string{"SIGNAL_LISTN="}, want: []string{"SIGNAL_LISTN: no such setting"}},
		"a file": {
			env: []string{"SIGNAL_LISTN=hunter2"}, args: []string{"--env-file", odd, "--check-config"},
			want: []string{
				odd + ":1: SIGNAL_LISTN: no such setting", odd + ":2: begins a quote that does not end", odd + ":4: has no =", "--wait is -1s",
			},
		},
		"a file that is none": {args: []string{"--env-file", folder + "/none"}, want: []string{"--env-file: open " + folder + "/none: no such file"}},
		"a folder":            {args: []string{"--env-file", folder}, want: []string{"is a directory"}},
		"a bridge":            {env: []string{"SIGNAL_BRIDGE_LISTN=hunter2"}, args: []string{"bridge", "--server=http://h", "--key=k", "--role=offer", "--listen=127.0.0.1:0", "--forward=127.0.0.1:1"}, want: []string{"SIGNAL_BRIDGE_LISTN: no such setting; is SIGNAL_BRIDGE_LISTEN meant?"}},
		"a word":              {args: []string{"srve"}, want: []string{`"srve" is no command; is serve meant?`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out, errs bytes.Buffer
			c := command(t, test.env, test.args...)
			c.Stdout, c.Stderr = &out, &errs
			var exit *exec.ExitError
			if err := c.Run(); !errors.As(err, &exit) || exit.ExitCode() != 1 || out.Len() > 0 {
				t.Errorf("got %v, %s, want exit status 1 and nothing printed", err, &out)
			}
			if strings.Contains(errs.String(), "hunter2") {
				t.Errorf("got\n%swant no value", &errs)
			}
			if got := strings.Count(errs.String(), "\n"); got != len(test.want) {
				t.Errorf("got\n%swant %d lines", &errs, len(test.want))
			}
			for _, want := range test.want {
				if !strings.Contains(errs.String(), want) {
					t.Errorf("got\n%swant a line with %s", &errs, want)
				}
			}
		})
	}
}

// TestOtherVariables sets what is not the server's, and wants it to start, and healthcheck to ask all the same.
func TestOtherVariables(t *testing.T) {
	p := run(t, []string{
		"SIGNAL_SERVER_PORT=tcp://10.0.0.1:80", "SIGNAL_SERVER_SERVICE_HOST=10.0.0.1", "SIGNAL_TEST_STORE=redis", "SIGNAL_BRIDGE_LISTEN=:1", "SIGNALS=x",
	}, "--listen=127.0.0.1:0", "--admin=127.0.0.1:0")
	admin := operators.FindStringSubmatch(p.log.String())[1]
	if out, err := command(t, []string{"SIGNAL_LISTN=x", "SIGNAL_ADMIN=" + admin}, "healthcheck").CombinedOutput(); err != nil {
		t.Errorf("healthcheck beside a misspelt variable of the server: got %v, %s, want silence", err, out)
	}
	p.end(t, syscall.SIGTERM)
}

// TestReachableByWhatTheFileSays wants each thing of a file to take effect, with quotes, and a byte order mark before a comment, as Windows' editors leave it.
func TestReachableByWhatTheFileSays(t *testing.T) {
	at := port.Hold(t)
	p := run(t, []string{"SIGNAL_WAIT=100ms"}, "--max-sdp=3", "--env-file",
		written(t, "\ufeff; mine\r\nSIGNAL_LISTEN=\""+at+"\"\r\nSIGNAL_ADMIN=''\r\nSIGNAL_MAX_SDP=1KiB\r\nSIGNAL_WAIT=1h\r\nSIGNAL_MAX_CANDIDATE=2B\r\n"))
	if got, want := p.url, "http://"+at; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	for _, r := range []struct{ method, path, body, want string }{
		{"POST", "/offer/sdp", `{"data":"1234"}`, envelope(custerrors.BodyIsTooLong)}, // the flag
		{"POST", "/offer/sdp", `{"data":"123"}`, envelope("")},
		{"GET", "/offer/sdp?wait=30", "", envelope(custerrors.SdpNoValues)},     // after 100 ms, by the environment
		{"POST", "/offer/candidate", "123", envelope(custerrors.BodyIsTooLong)}, // the file
	} {
		if _, got := p.ask(t, r.method, r.path, "k", r.body); got != r.want {
			t.Errorf("%s %s: got %s, want %s", r.method, r.path, got, r.want)
		}
	}
	p.end(t, syscall.SIGTERM)
}

// TestExamplesReadNoVariablesOfTheServer looks at what examples of the client read: whoever sets it, and starts a server in the same shell, must not
// have that refused.
func TestExamplesReadNoVariablesOfTheServer(t *testing.T) {
	names, err := filepath.Glob("client/*/example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	read := regexp.MustCompile(`Getenv\("([^"]+)"\)`)
	found := 0
	for _, name := range append(names, "client/example_test.go") {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range read.FindAllStringSubmatch(string(text), -1) {
			found++
			if strings.HasPrefix(m[1], "SIGNAL_") {
				t.Errorf("%s: got %s read, want a name that the server does not take for one of its own", name, m[1])
			}
		}
	}
	if found == 0 {
		t.Error("got no variables, want those of the examples")
	}
}
