package certificate_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"signal-server/app/apptest/testlog"
	"signal-server/app/certificate"
)

const (
	name = "signal.example.org"
	day  = 24 * time.Hour
)

// pair is a certificate and its key, in PEM.
type pair struct{ cert, key []byte }

// certify makes a certificate of that serial number. It is valid since an hour ago.
func certify(t *testing.T, serial int64, lasts time.Duration) pair {
	t.Helper()
	return certifyFrom(t, serial, time.Now().Add(-time.Hour), time.Now().Add(lasts))
}

func certifyFrom(t *testing.T, serial int64, from, until time.Time) pair {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return certifyKey(t, private, serial, from, until)
}

// certifyKey makes a certificate of that key.
func certifyKey(t *testing.T, private crypto.Signer, serial int64, from, until time.Time) pair {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "test"}, DNSNames: []string{name}, NotBefore: from, NotAfter: until,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pair{
		cert: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		key:  pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}),
	}
}

// disk is where a certificate and its key are.
type disk struct{ cert, key string }

func newDisk(t *testing.T) disk {
	dir := t.TempDir()
	return disk{cert: filepath.Join(dir, "cert.pem"), key: filepath.Join(dir, "key.pem")}
}

func (d disk) config() certificate.Config {
	return certificate.Config{CertFile: d.cert, KeyFile: d.key}
}

func (d disk) write(t *testing.T, p pair) {
	t.Helper()
	put(t, d.cert, p.cert)
	put(t, d.key, p.key)
}

func put(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func content(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

// journal is a log that tests read.
type journal struct{ testlog.Log }

func (j *journal) logger() *slog.Logger { return slog.New(slog.NewTextHandler(j, nil)) }

// wants checks what was logged since the last call: one line for each want, with the want in it.
func (j *journal) wants(t *testing.T, what string, wants ...string) {
	t.Helper()
	got := j.Drain()
	lines := strings.SplitAfter(strings.TrimSuffix(got, "\n"), "\n")
	if got == "" {
		lines = nil
	}
	ok := len(lines) == len(wants)
	for i := 0; ok && i < len(wants); i++ {
		ok = strings.Contains(lines[i], wants[i])
	}
	if !ok {
		t.Errorf("%s: got the log\n%swant lines with %q", what, got, wants)
	}
}

// open opens a source, which must succeed.
func open(t *testing.T, config certificate.Config, j *journal) certificate.Source {
	t.Helper()
	source, err := certificate.Open(config, j.logger())
	if err != nil || source == nil {
		t.Fatalf("got %v, %v, want a source", source, err)
	}
	return source
}

// start runs the source until the test's bubble ends or stop is called. stop returns when Run has returned.
func start(t *testing.T, source certificate.Source) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { source.Run(ctx) })
	stop = func() { cancel(); running.Wait() }
	t.Cleanup(stop)
	return stop
}

// shake shakes hands with a server of the source, and returns its certificate.
func shake(source certificate.Source, client *tls.Config) (*x509.Certificate, error) {
	state, err := connect(source, client)
	if err != nil {
		return nil, err
	}
	return state.PeerCertificates[0], nil
}

// connect shakes hands with a server of the source, reads what comes behind it, and returns what they agreed on.
func connect(source certificate.Source, client *tls.Config) (state tls.ConnectionState, err error) {
	client.InsecureSkipVerify = true // the test looks at the serial number
	ours, theirs := net.Pipe()
	var serving sync.WaitGroup
	buffered := &buffer{Conn: theirs, written: make(chan []byte, 16)}
	serving.Go(func() {
		defer close(buffered.written)
		tls.Server(buffered, source.Server()).Handshake() // the client's side returns the error
	})
	serving.Go(buffered.flush)
	defer serving.Wait()
	defer ours.Close()
	conn := tls.Client(ours, client)
	if err := conn.Handshake(); err != nil {
		return state, err
	}
	io.Copy(io.Discard, conn) // a ticket to resume with
	return conn.ConnectionState(), nil
}

// buffer is a side of a pipe that has buffers, as sockets have: where a client resumes, both sides write at once.
type buffer struct {
	net.Conn
	written chan []byte // more than a handshake has writes
}

func (b *buffer) Write(p []byte) (int, error) {
	b.written <- bytes.Clone(p)
	return len(p), nil
}

// flush writes what was written, and closes the pipe behind it.
func (b *buffer) flush() {
	defer b.Conn.Close()
	for p := range b.written {
		b.Conn.Write(p) // when it fails, nobody reads any more
	}
}

// serves checks which certificate a client gets that asks for the name now, and returns it.
func serves(t *testing.T, what string, source certificate.Source, serial int64) *x509.Certificate {
	t.Helper()
	leaf, err := shake(source, &tls.Config{ServerName: name})
	if err != nil {
		t.Fatalf("%s: got %v, want the certificate %d", what, err, serial)
	}
	if got := leaf.SerialNumber.Int64(); got != serial {
		t.Errorf("%s: got the certificate %d, want %d", what, got, serial)
	}
	return leaf
}
