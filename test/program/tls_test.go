package program_test

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"signal-server/test/until"
)

// certify writes a certificate of this serial number for 127.0.0.1 and localhost, and its key, and returns its PEM.
func certify(t *testing.T, serial int64, cert, key string) []byte {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	for path, content := range map[string][]byte{
		cert: certPEM, key: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}),
	} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certPEM
}

// shake shakes hands with the program and returns the serial number of its certificate.
func shake(t *testing.T, p *program, config *tls.Config) (*tls.Conn, int64, error) {
	t.Helper()
	config.InsecureSkipVerify = true // the serial number is what tells
	conn, err := tls.Dial("tcp", strings.TrimPrefix(p.url, "http://"), config)
	if err != nil {
		return nil, 0, err
	}
	t.Cleanup(func() { conn.Close() })
	return conn, conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64(), nil
}

// TestTLSVersions checks that the server refuses versions of TLS that are out of use, and protocols that it does not speak.
func TestTLSVersions(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert"), filepath.Join(dir, "key")
	certify(t, 1, cert, key)
	p := run(t, nil, "--listen=127.0.0.1:0", "--admin=", "--tls-cert="+cert, "--tls-key="+key)
	for version, want := range map[uint16]bool{tls.VersionTLS10: false, tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
		_, _, err := shake(t, p, &tls.Config{MinVersion: version, MaxVersion: version})
		if got := err == nil; got != want {
			t.Errorf("%s: got %v, want it taken: %v", tls.VersionName(version), err, want)
		}
	}
	for protocol, want := range map[string]bool{"h2": false, "acme-tls/1": false, "http/1.1": true} {
		_, _, err := shake(t, p, &tls.Config{NextProtos: []string{protocol}})
		if got := err == nil; got != want {
			t.Errorf("%s: got %v, want it taken: %v", protocol, err, want)
		}
	}
	p.end(t, syscall.SIGTERM)
}

// TestCertificatesAreReadAgain changes the files of a running server. The server takes a whole pair, at SIGHUP and without it. It logs a
// broken pair and keeps the one before. No connection ends.
func TestCertificatesAreReadAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert"), filepath.Join(dir, "key")
	certify(t, 1, cert, key)
	p := run(t, nil, "--listen=127.0.0.1:0", "--admin=", "--tls-cert="+cert, "--tls-key="+key)
	kept, _, err := shake(t, p, &tls.Config{})
	if err != nil {
		t.Fatal(err)
	}
	answers := bufio.NewReader(kept)
	expect := func(what string, want int64) {
		t.Helper()
		until.Nil(t, patience/2, func() error { // nothing tells from outside that the program looks at the files
			if _, got, err := shake(t, p, &tls.Config{}); err != nil || got != want {
				return fmt.Errorf("%s: got the certificate %d, %v, want %d; the log:\n%s", what, got, err, want, p.log)
			}
			return nil
		})
		fmt.Fprint(kept, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
		answer, err := http.ReadResponse(answers, nil)
		if err != nil || answer.StatusCode != 200 {
			t.Fatalf("%s, on a connection from before: got %v, %v, want 200", what, answer, err)
		}
		io.Copy(io.Discard, answer.Body)
	}
	logged := func(want string) {
		t.Helper()
		until.Nil(t, patience/2, func() error {
			if text := p.log.String(); !strings.Contains(text, want) {
				return fmt.Errorf("the log: got\n%swant %q in it", text, want)
			}
			return nil
		})
	}
	expect("at first", 1)
	certify(t, 2, cert, key)
	p.cmd.Process.Signal(syscall.SIGHUP)
	expect("after SIGHUP", 2)
	certify(t, 3, cert, key)
	expect("after a change", 3)
	certify(t, 4, cert, filepath.Join(dir, "elsewhere")) // its key does not fit
	logged("the new certificate is not taken")
	p.cmd.Process.Signal(syscall.SIGHUP)
	logged(`not read again: what was before goes on" what=certificates`)
	expect("with a pair that does not fit", 3)
	certify(t, 5, cert, key)
	expect("mended", 5)
	p.end(t, syscall.SIGTERM)
}

func TestTLSFlagsThatAreWrong(t *testing.T) {
	dir := t.TempDir()
	cert, key, other := filepath.Join(dir, "cert"), filepath.Join(dir, "key"), filepath.Join(dir, "other")
	certify(t, 1, cert, key)
	certify(t, 2, filepath.Join(dir, "unused"), other)
	short := filepath.Join(dir, "short")
	if err := os.WriteFile(short, []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		args string
		want []string
	}{
		{"--tls-cert=" + cert, []string{"--tls-cert and --tls-key are needed both"}},
		{"--tls-cert=/nowhere --tls-key=/never", []string{"/nowhere", "/never"}},
		{"--tls-cert=" + cert + " --tls-key=" + other, []string{"private key does not match"}},
		{"--redirect-http=:80", []string{"--redirect-http is of no use"}},
		{"--tls-resumption-secret-file=" + key, []string{"--tls-resumption-secret-file is of no use"}},
		{"--tls-cert=" + cert + " --tls-key=" + key + " --tls-resumption-secret-file=" + short, []string{"secrets of TLS resumption: " + short + ": line 1 has 5 bytes"}},
		{"--socket-mode=999 --listen=unix:x --admin=systemd:", []string{"--socket-mode", "--listen is", "--admin is"}},
	} {
		out, err := command(t, nil, append(strings.Fields(tt.args), "--check-config")...).CombinedOutput()
		if err == nil {
			t.Errorf("%s: got nil, want an error", tt.args)
		}
		for _, want := range tt.want {
			if !strings.Contains(string(out), want) {
				t.Errorf("%s: got\n%swant %s", tt.args, out, want)
			}
		}
	}
	if out, err := command(t, nil, "--check-config", "--tls-cert="+cert, "--tls-key="+key, "--redirect-http=:80").CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("a pair that fits: got %v, %s, want silence", err, out)
	}
}

// TestTLSIsResumed comes back to another node with the same secret, to one that was started again, and after the secret and the certificate
// have changed. Nobody resumes at a node that has another secret, or none.
func TestTLSIsResumed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cert, key, secret, other := filepath.Join(dir, "cert"), filepath.Join(dir, "key"), filepath.Join(dir, "secret"), filepath.Join(dir, "other")
	write := func(path string, lines ...string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	old, young := strings.Repeat("o", 32), strings.Repeat("y", 32)
	write(secret, old)
	write(other, young)
	certify(t, 1, cert, key)
	start := func(more ...string) *program {
		t.Helper()
		return run(t, nil, append([]string{"--listen=127.0.0.1:0", "--admin=", "--tls-cert=" + cert, "--tls-key=" + key}, more...)...)
	}
	// comes asks for something, so that the ticket behind the handshake is read.
	comes := func(p *program, client *tls.Config) (resumed bool) {
		t.Helper()
		conn, _, err := shake(t, p, client)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprint(conn, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
		answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil || answer.StatusCode != 200 {
			t.Fatalf("got %v, %v, want 200", answer, err)
		}
		return conn.ConnectionState().DidResume
	}
	client := func(version uint16) *tls.Config {
		return &tls.Config{ServerName: "localhost", MaxVersion: version, ClientSessionCache: tls.NewLRUClientSessionCache(1)}
	}
	again := func(of *tls.Config) *tls.Config {
		copied := client(of.MaxVersion)
		session, _ := of.ClientSessionCache.Get("localhost")
		copied.ClientSessionCache.Put("localhost", session)
		return copied
	}
	expect := func(what string, p *program, client *tls.Config, want bool) {
		t.Helper()
		if got := comes(p, client); got != want {
			t.Errorf("%s, %s: got it resumed: %v, want %v", tls.VersionName(client.MaxVersion), what, got, want)
		}
	}

	shares := "--tls-resumption-secret-file=" + secret
	first, second := start(shares), start(shares)
	stranger, alone := start("--tls-resumption-secret-file="+other), start()
	var clients []*tls.Config
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		c := client(version)
		clients = append(clients, c)
		expect("at first", first, c, false)
		expect("at the same node", first, again(c), true)
		expect("at another node", second, again(c), true)
		expect("at a node with another secret", stranger, again(c), false)
		expect("at a node without one", alone, again(c), false)
		own := client(version)
		expect("at a node without one, at first", alone, own, false)
		expect("at a node without one, again", alone, own, true)
	}
	first.end(t, syscall.SIGTERM)
	first = start(shares)
	for _, c := range clients {
		expect("at a node that was started again", first, again(c), true)
	}

	write(secret, young, old)
	for _, p := range []*program{first, second} {
		p.cmd.Process.Signal(syscall.SIGHUP)
		until.Nil(t, patience/2, func() error {
			c := client(tls.VersionTLS13)
			if comes(p, c); !comes(stranger, c) {
				return fmt.Errorf("after SIGHUP: got the old secret seal, want the new one; the log:\n%s", p.log)
			}
			return nil
		})
	}
	for _, c := range clients {
		expect("by the secret that is now the second", second, again(c), true)
	}

	write(secret, "hunter2")
	second.cmd.Process.Signal(syscall.SIGHUP)
	until.Nil(t, patience/2, func() error {
		if text := second.log.String(); !strings.Contains(text, `not read again: what was before goes on" what=certificates`) || !strings.Contains(text, secret+": line 1 has 7 bytes") {
			return fmt.Errorf("after SIGHUP with a mistake: got the log\n%s\nwant the file and what is wrong", text)
		}
		return nil
	})
	for _, c := range clients {
		expect("by secrets from before the mistake", second, again(c), true)
	}
	write(secret, young, old)

	certify(t, 2, cert, key)
	for _, p := range []*program{first, second} {
		p.cmd.Process.Signal(syscall.SIGHUP)
		until.Nil(t, patience/2, func() error {
			if _, got, err := shake(t, p, &tls.Config{}); err != nil || got != 2 {
				return fmt.Errorf("got the certificate %d, %v, want 2", got, err)
			}
			return nil
		})
	}
	for _, c := range clients {
		expect("of the certificate before", second, again(c), false)
		fresh := client(c.MaxVersion)
		expect("of the new certificate, at first", first, fresh, false)
		expect("of the new certificate, at another node", second, fresh, true)
	}
	for _, p := range []*program{first, second, stranger, alone} {
		p.end(t, syscall.SIGTERM)
	}
}
