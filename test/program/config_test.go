package program_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"signal-server/app/apptest/testlog"
)

// TestPrintConfig checks that the printed lines, typed into a shell, set the same configuration, and that they show no secret.
func TestPrintConfig(t *testing.T) {
	args := []string{
		"--print-config", "--listen=127.0.0.1:0", "--memory=96MiB", "--ttl=20s", "--rate-opens=60/m", "--trusted-proxies=10.0.0.0/8,loopback",
		"--allow-origins=https://a.example,https://b.example:8443", "--store=redis-cluster://user:ge%20heim@h1,h2:7001?timeout=1s&prefix=$x",
		"--auth-jwks-url=https://id.example/keys?for=geheim",
	}
	printed, err := command(t, nil, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("got %v, %s", err, printed)
	}
	for _, want := range []string{
		"SIGNAL_LISTEN=127.0.0.1:0\n", "SIGNAL_MEMORY=96MiB\n", "SIGNAL_TTL=20s\n", "SIGNAL_RATE_OPENS=60/m\n", "SIGNAL_TRUSTED_PROXIES=10.0.0.0/8,loopback\n",
		"SIGNAL_LOG_FORMAT=auto\n", "SIGNAL_ALLOW_ORIGINS=https://a.example,https://b.example:8443\n", "user:xxxxx@h1,h2:7001",
		"https://id.example/keys?xxxxx",
	} {
		if !bytes.Contains(printed, []byte(want)) {
			t.Errorf("got\n%swant %q in it", printed, want)
		}
	}
	if bytes.Contains(printed, []byte("heim")) {
		t.Errorf("got\n%swant no password", printed)
	}

	file := filepath.Join(t.TempDir(), "env")
	if err := os.WriteFile(file, printed, 0o600); err != nil {
		t.Fatal(err)
	}
	again := command(t, nil)
	again.Path, again.Args = "/bin/sh", []string{"sh", "-c", `set -a; . "$1"; "$2" --print-config`, "sh", file, binary}
	if got, err := again.CombinedOutput(); err != nil || !bytes.Equal(got, printed) {
		t.Errorf("read as an environment file: got %v\n%swant\n%s", err, got, printed)
	}
}

func TestHealthcheck(t *testing.T) {
	p := run(t, nil, "--listen=127.0.0.1:0", "--admin=127.0.0.1:0")
	_, rest, _ := strings.Cut(p.log.String(), "serving operators\" address=")
	admin, _, _ := strings.Cut(rest, "\n")
	for _, args := range [][]string{{"--admin=" + admin}, {"--admin=" + admin, "--ready"}} {
		if out, err := command(t, nil, append([]string{"healthcheck"}, args...)...).CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("healthcheck %v: got %v, %s, want silence", args, err, out)
		}
	}
	if out, err := command(t, []string{"SIGNAL_ADMIN=" + admin}, "healthcheck").CombinedOutput(); err != nil {
		t.Errorf("healthcheck by the environment: got %v, %s, want silence", err, out)
	}
}

func TestHealthcheckFails(t *testing.T) {
	full := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/readyz" {
			w.WriteHeader(http.StatusServiceUnavailable)
			w.Write([]byte(`{"msg":"full","data":null}`))
			return
		}
		w.Write([]byte("<html>"))
	}))
	defer full.Close()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	at := strings.TrimPrefix(full.URL, "http://")
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"--admin=" + at, "--ready"}, "not healthy: /readyz says 503 full"},
		{[]string{"--admin=" + at}, "is not signal-server"},
		{[]string{"--admin=" + closed.Addr().String()}, "connection refused"},
		{[]string{"--admin=unix:/nowhere/at.all"}, "no such file"},
		{[]string{"--admin="}, "must be host:port"},
	} {
		out, err := command(t, nil, append([]string{"healthcheck"}, tt.args...)...).CombinedOutput()
		if err == nil || !bytes.Contains(out, []byte(tt.want)) {
			t.Errorf("healthcheck %v: got %v, %s, want a failure and %q", tt.args, err, out, tt.want)
		}
	}
}

// TestReload checks that the program reads tokens again at SIGHUP, and that a file with a mistake changes nothing.
func TestReload(t *testing.T) {
	file := filepath.Join(t.TempDir(), "tokens")
	mint := func() string {
		out, err := command(t, nil, "token", "--file", file).Output()
		if err != nil {
			t.Fatalf("token: %v", err)
		}
		return strings.TrimSpace(string(out))
	}
	first := mint()
	p := run(t, nil, "--listen=127.0.0.1:0", "--admin=", "--auth-tokens-file="+file)
	status := func(token string) int {
		request, err := http.NewRequest(http.MethodGet, p.url+"/answer/sdp?key=k", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+token)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		return response.StatusCode
	}
	second := mint()
	if got := [...]int{status(first), status(second)}; got != [...]int{200, 401} {
		t.Errorf("before SIGHUP: got %v, want the first token to be good", got)
	}
	p.cmd.Process.Signal(syscall.SIGHUP)
	for began := time.Now(); status(second) != 200; {
		if time.Since(began) > patience {
			t.Fatalf("after SIGHUP: got the second token refused, want it to be good; the log:\n%s", p.log)
		}
	}
	if err := os.WriteFile(file, []byte("nonsense\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p.cmd.Process.Signal(syscall.SIGHUP)
	for began := time.Now(); !strings.Contains(p.log.String(), "not read again"); {
		if time.Since(began) > patience {
			t.Fatalf("after SIGHUP with a mistake: got no word of it; the log:\n%s", p.log)
		}
	}
	if got := [...]int{status(first), status(second)}; got != [...]int{200, 200} {
		t.Errorf("after SIGHUP with a mistake: got %v, want both tokens to be good", got)
	}
	p.end(t, syscall.SIGTERM)
}

// TestRoleTickets checks what the flags give and refuse, and that the program reads the secrets again at SIGHUP.
func TestRoleTickets(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secrets")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	old, young := strings.Repeat("o", 32), strings.Repeat("y", 32)
	write(old)
	p := run(t, nil, "--listen=127.0.0.1:0", "--admin=", "--role-tickets", "--role-tickets-secret-file="+file)
	response, err := http.Post(p.url+"/offer/sdp?key=k", "", strings.NewReader(`{"data":"o"}`))
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	ticket := response.Header.Get("X-Offer-Ticket")
	status := func() int {
		response, err := http.Get(p.url + "/offer/sdp?key=k&ticket=" + ticket)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		return response.StatusCode
	}
	if got := status(); ticket == "" || got != 200 {
		t.Errorf("with the ticket %q: got %d, want 200", ticket, got)
	}
	write(young)
	p.cmd.Process.Signal(syscall.SIGHUP)
	for began := time.Now(); status() != 403; {
		if time.Since(began) > patience {
			t.Fatalf("after SIGHUP with another secret: got the old ticket taken, want it refused; the log:\n%s", p.log)
		}
	}
	p.end(t, syscall.SIGTERM)

	write("short")
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"--role-tickets-secret-file=" + file}, "--role-tickets-secret-file is for --role-tickets"},
		{[]string{"--role-tickets", "--role-tickets-secret-file=" + file}, "line 1 has 5 bytes"},
		{[]string{"--role-tickets", "--store=redis://h"}, "--role-tickets needs --role-tickets-secret-file"},
	} {
		out, err := command(t, nil, append(tt.args, "--check-config")...).CombinedOutput()
		if err == nil || !bytes.Contains(out, []byte(tt.want)) {
			t.Errorf("%v: got %v, %s, want a failure and %q", tt.args, err, out, tt.want)
		}
	}
	if out, err := command(t, nil, "--role-tickets", "--check-config").CombinedOutput(); err != nil {
		t.Errorf("over memory, without a file: got %v, %s, want silence", err, out)
	}
}

// TestSecondSignal checks that the program ends at a second signal without waiting for the delay.
func TestSecondSignal(t *testing.T) {
	p := run(t, nil, "--listen=127.0.0.1:0", "--admin=", "--shutdown-delay=1h")
	p.cmd.Process.Signal(syscall.SIGTERM)
	for began := time.Now(); ; {
		if response, err := http.Get(p.url + "/readyz"); err == nil {
			response.Body.Close()
			if response.StatusCode == 503 {
				break
			}
		}
		if time.Since(began) > patience {
			t.Fatal("got ready after SIGTERM, want /readyz to fail")
		}
	}
	p.cmd.Process.Signal(syscall.SIGTERM)
	if err := <-p.ended; err == nil || !strings.Contains(err.Error(), "terminated") {
		t.Errorf("after the second signal: got %v, want the end by it", err)
	}
}

func TestCheckConfig(t *testing.T) {
	if out, err := command(t, nil, "--check-config").CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("the defaults: got %v, %s, want silence", err, out)
	}
	out, err := command(t, nil, "--check-config", "--ttl=0s", "--auth-tokens-file=/nowhere", "--store=redis://h?timeout=soon").CombinedOutput()
	if err == nil {
		t.Error("three mistakes: got nil, want an error")
	}
	for _, want := range []string{"--ttl is 0s", "/nowhere", "timeout is \"soon\""} {
		if !bytes.Contains(out, []byte(want)) {
			t.Errorf("three mistakes: got\n%swant %s", out, want)
		}
	}
}

// TestTokenAfterALastLineWithoutEnd appends to a file that an editor has left without a line break at its end.
func TestTokenAfterALastLineWithoutEnd(t *testing.T) {
	file := filepath.Join(t.TempDir(), "tokens")
	for i := range 2 {
		if out, err := command(t, nil, "token", "--file", file).CombinedOutput(); err != nil {
			t.Fatalf("token: got %v, %s", err, out)
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := bytes.Count(text, []byte("\n")), i+1; got != want {
			t.Errorf("got\n%swant %d lines", text, want)
		}
		if err := os.Truncate(file, int64(len(text)-1)); err != nil {
			t.Fatal(err)
		}
	}
}

// TestReloadWhileItStarts sends SIGHUP to a server that is still fetching the keys that JWTs are signed with.
func TestReloadWhileItStarts(t *testing.T) {
	public, _, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	started := make(chan *os.Process, 1)
	var once sync.Once
	keys := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		once.Do(func() { (<-started).Signal(syscall.SIGHUP) })
		fmt.Fprintf(w, `{"keys":[{"kty":"OKP","crv":"Ed25519","x":%q}]}`, base64.RawURLEncoding.EncodeToString(public))
	}))
	defer keys.Close()
	c := command(t, nil, "--listen=127.0.0.1:0", "--admin=", "--auth-jwks-url="+keys.URL)
	log := new(testlog.Log)
	c.Stderr = log
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	started <- c.Process
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	for !strings.Contains(log.String(), "read again") {
		select {
		case err := <-ended: // at the latest when the command's time is up
			t.Fatalf("got %v, want a server that reads again what it has; the log:\n%s", err, log)
		case <-time.After(10 * time.Millisecond):
		}
	}
	c.Process.Signal(syscall.SIGTERM)
	if err := <-ended; err != nil {
		t.Errorf("got %v, want exit status 0; the log:\n%s", err, log)
	}
}
