package program_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	"signal-server/app/apptest/testlog"
	"signal-server/test/need"
	"signal-server/test/port"
	"signal-server/test/until"
)

// acmeDomain is a name that the test's authority resolves to 127.0.0.1.
const acmeDomain = "signal.example.org"

// TestACME gets certificates by each of the challenges from a real authority, Pebble, which Let's Encrypt has for tests. Then it starts
// the program again without the authority.
func TestACME(t *testing.T) {
	t.Parallel()
	out, err := exec.Command("go", "-C", ".ci/tools", "tool", "-n", "pebble").Output()
	if err != nil {
		need.Missing(t, "there is no pebble: "+err.Error())
	}
	pebble := strings.TrimSpace(string(out))
	for name, challenge := range map[string]string{"by TLS": "tls", "by HTTP": "http"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			cert, key := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "ca.key")
			certify(t, 1, cert, key)
			api, apiAt := opened(t)
			plain, plainAt := opened(t)
			directory, management := port.Hold(t), port.Hold(t)
			ports := map[string]any{"httpPort": json.Number(port.Of(plainAt)), "tlsPort": json.Number(port.Of(apiAt))}
			if challenge == "http" {
				ports["tlsPort"] = 1 // where nobody is
			}
			startPebble(t, pebble, dir, cert, key, directory, management, ports)

			trusted := []string{"SSL_CERT_FILE=" + cert} // the program has to trust the authority's own certificate
			cache := filepath.Join(dir, "cache")
			args := []string{
				"--listen=systemd:api", "--admin=", "--redirect-http=systemd:plain", "--acme-domain=" + acmeDomain, "--acme-cache=" + cache,
				"--acme-directory=https://" + directory + "/dir",
			}
			c, log, told := managed(t, trusted, "api:plain", []*os.File{api, plain}, args...)
			if got := told(); got != "READY=1" {
				t.Fatalf("got %q, want READY=1", got)
			}
			first := certified(t, apiAt, log)
			if got, want := first.Issuer.CommonName, "Pebble"; !strings.HasPrefix(got, want) {
				t.Errorf("the issuer: got %q, want %s", got, want)
			}
			c.Process.Signal(syscall.SIGTERM)
			if err := c.Wait(); err != nil {
				t.Errorf("got %v, want exit status 0; the log:\n%s", err, log)
			}
			if file, err := os.Stat(filepath.Join(cache, acmeDomain)); err != nil || file.Mode().Perm() != 0o600 {
				t.Errorf("what is kept: got %v, %v, want the mode 0600", file, err)
			}
			c, log, told = managed(t, trusted, "api:plain", []*os.File{api, plain}, append(args, "--acme-directory=https://127.0.0.1:1/")...)
			if got := told(); got != "READY=1" {
				t.Fatalf("started again: got %q, want READY=1", got)
			}
			if again := certified(t, apiAt, log); again.SerialNumber.Cmp(first.SerialNumber) != 0 {
				t.Errorf("started again: got the certificate %v, want %v from before", again.SerialNumber, first.SerialNumber)
			}
			if _, err := tls.Dial("tcp", apiAt, &tls.Config{ServerName: "other.example.org", InsecureSkipVerify: true}); err == nil {
				t.Error("another name: got a certificate, want none")
			}
			c.Process.Signal(syscall.SIGTERM)
			if err := c.Wait(); err != nil {
				t.Errorf("got %v, want exit status 0; the log:\n%s", err, log)
			}
		})
	}
}

// certified waits until the program has a certificate for the domain.
func certified(t *testing.T, addr string, log fmt.Stringer) *x509.Certificate {
	t.Helper()
	var leaf *x509.Certificate
	until.Nil(t, patience, func() error {
		conn, err := tls.Dial("tcp", addr, &tls.Config{ServerName: acmeDomain, InsecureSkipVerify: true})
		if err != nil {
			return fmt.Errorf("got %w, want a certificate; the log:\n%s", err, log)
		}
		defer conn.Close()
		leaf = conn.ConnectionState().PeerCertificates[0]
		return nil
	})
	if err := leaf.VerifyHostname(acmeDomain); err != nil {
		t.Error(err)
	}
	return leaf
}

// startPebble starts the authority, and waits until it answers.
func startPebble(t *testing.T, pebble, dir, cert, key, directory, management string, more map[string]any) {
	t.Helper()
	config := map[string]any{
		"listenAddress": directory, "managementListenAddress": management, "certificate": cert, "privateKey": key, "keyAlgorithm": "ecdsa",
		"retryAfter": map[string]int{"authz": 1, "order": 1},
	}
	for name, value := range more {
		config[name] = value
	}
	content, err := json.Marshal(map[string]any{"pebble": config})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "pebble.json")
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	c := exec.CommandContext(ctx, pebble, "-config", file, "-dnsserver", serveDNS(t))
	c.Env = []string{"PEBBLE_VA_NOSLEEP=1"}
	log := new(testlog.Log)
	c.Stdout, c.Stderr = log, log
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cancel(); c.Wait() })
	client := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}}
	until.Nil(t, patience, func() error {
		answer, err := client.Get("https://" + directory + "/dir")
		if err != nil {
			return fmt.Errorf("pebble does not answer: %w; its log:\n%s", err, log)
		}
		return answer.Body.Close()
	})
}

// serveDNS answers every question for an IPv4 address by 127.0.0.1, over TCP, which is how Pebble asks.
func serveDNS(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go answerDNS(conn)
		}
	}()
	return l.Addr().String()
}

func answerDNS(conn net.Conn) {
	defer conn.Close()
	for {
		var size [2]byte // RFC 1035, Section 4.2.2
		if _, err := io.ReadFull(conn, size[:]); err != nil {
			return
		}
		question := make([]byte, int(size[0])<<8|int(size[1]))
		if _, err := io.ReadFull(conn, question); err != nil {
			return
		}
		var m dnsmessage.Message
		if m.Unpack(question) != nil {
			return
		}
		m.Response, m.Additionals = true, nil
		if m.Questions[0].Type == dnsmessage.TypeA {
			m.Answers = []dnsmessage.Resource{{
				Header: dnsmessage.ResourceHeader{Name: m.Questions[0].Name, Class: dnsmessage.ClassINET, TTL: 1},
				Body:   &dnsmessage.AResource{A: [4]byte{127, 0, 0, 1}},
			}}
		}
		answer, err := m.Pack()
		if err != nil {
			return
		}
		conn.Write(append([]byte{byte(len(answer) >> 8), byte(len(answer))}, answer...))
	}
}
