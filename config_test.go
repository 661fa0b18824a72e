package main_test

import (
	"bytes"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestPrintConfig checks that what is printed sets the same again, in a shell, and shows no secret.
func TestPrintConfig(t *testing.T) {
	args := []string{
		"--print-config", "--listen=127.0.0.1:0", "--memory=96MiB", "--ttl=20s", "--rate-opens=60/m", "--access-log=0.25",
		"--allow-origins=https://a.example,https://b.example:8443", "--store=redis-cluster://user:ge%20heim@h1,h2:7001?timeout=1s&prefix=$x",
	}
	printed, err := command(t, nil, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("got %v, %s", err, printed)
	}
	for _, want := range []string{
		"SIGNAL_LISTEN=127.0.0.1:0\n", "SIGNAL_MEMORY=96MiB\n", "SIGNAL_TTL=20s\n", "SIGNAL_RATE_OPENS=60/m\n", "SIGNAL_ACCESS_LOG=0.25\n",
		"SIGNAL_LOG_FORMAT=text\n", "SIGNAL_ALLOW_ORIGINS=https://a.example,https://b.example:8443\n", "user:xxxxx@h1,h2:7001",
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
