package turn

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/chacha20poly1305"
)

// askedForUpdate is a server with that patience for what is sent, and a client of TLS that has asked for an update of keys (RFC 8446, Section 4.6.3) and does
// not read the answer. TLS writes that where it reads. The two speak over a pipe, which keeps nothing that is not read.
func askedForUpdate(t *testing.T, patience_ time.Duration) (r *rig, client net.Conn) {
	t.Helper()
	r = serve(t, small(), Parts{}, func(s *Server) {
		s.patience = patience{first: time.Minute, idle: time.Minute, read: patience_} // so that nothing else ends the connection
	})
	client, served := net.Pipe()
	t.Cleanup(func() { client.Close() })
	config := testTLS(t)
	config.SessionTicketsDisabled = true // the client reads none
	r.server.newStreamFront(served, config, func(netip.Addr) (func(), bool) { return func() {}, true })

	var secrets bytes.Buffer
	c := tls.Client(client, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS13, KeyLogWriter: &secrets})
	if err := c.HandshakeContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.wantConnections(1)
	if _, err := client.Write(updateRecord(t, c.ConnectionState().CipherSuite, secrets.String())); err != nil {
		t.Fatal(err)
	}
	client.SetReadDeadline(time.Now().Add(soon))
	if _, err := client.Read(make([]byte, 1)); err != nil {
		t.Fatalf("the first byte of the answer: got %v, want it", err) // more are not read
	}
	return r, client
}

// updateRecord is the first record that a client sends after the handshake (RFC 8446, Section 5.2): it asks for an update of keys, which crypto/tls never
// does. secrets are those of the handshake as crypto/tls writes them.
func updateRecord(t *testing.T, suite uint16, secrets string) []byte {
	t.Helper()
	_, line, _ := strings.Cut(secrets, "CLIENT_TRAFFIC_SECRET_0 ")
	_, text, _ := strings.Cut(line, " ") // behind the client's random
	text, _, _ = strings.Cut(text, "\n")
	secret, err := hex.DecodeString(text)
	if err != nil || len(secret) != sha256.Size {
		t.Fatalf("got the secrets %q (%v), want the client's", secrets, err)
	}
	expand := func(label string, length int) []byte { // HKDF-Expand-Label without a context (RFC 8446, Section 7.1)
		label = "tls13 " + label
		out, err := hkdf.Expand(sha256.New, secret, string([]byte{0, byte(length), byte(len(label))})+label+"\x00", length)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	var aead cipher.AEAD
	switch suite {
	case tls.TLS_AES_128_GCM_SHA256:
		var block cipher.Block
		if block, err = aes.NewCipher(expand("key", 16)); err == nil {
			aead, err = cipher.NewGCM(block)
		}
	default: // where the machine has no AES
		aead, err = chacha20poly1305.New(expand("key", chacha20poly1305.KeySize))
	}
	if err != nil {
		t.Fatal(err)
	}
	const handshake, applicationData, keyUpdate, updateRequested = 22, 23, 24, 1
	content := []byte{keyUpdate, 0, 0, 1, updateRequested, handshake}
	head := []byte{applicationData, 3, 3, 0, byte(len(content) + aead.Overhead())}
	return aead.Seal(head, expand("iv", aead.NonceSize()), content, head)
}

// TestWhoAsksForKeysIsCutOff wants the connection closed of a client that does not read what TLS answers.
func TestWhoAsksForKeysIsCutOff(t *testing.T) {
	r, client := askedForUpdate(t, 100*time.Millisecond)
	r.wantConnections(0)
	client.SetReadDeadline(time.Now().Add(soon))
	if n, err := client.Read(make([]byte, 100)); err != io.EOF {
		t.Errorf("then: got %d bytes, %v, want the end", n, err)
	}
}

// TestCloseWaitsForNoClient closes a server that waits for such a client.
func TestCloseWaitsForNoClient(t *testing.T) {
	r, _ := askedForUpdate(t, time.Minute)
	closed := make(chan struct{})
	go func() {
		r.server.Close()
		close(closed)
	}()
	select {
	case <-closed:
		r.wantConnections(0)
	case <-time.After(soon):
		t.Errorf("Close waits for more than %v, want nothing", soon)
	}
}
