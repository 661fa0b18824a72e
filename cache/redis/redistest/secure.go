package redistest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Secure is a server that speaks TLS only and knows two users: admin, who may do everything, and signal, who may do what a
// store needs with names that begin with signal:. The password of both is secret.
type Secure struct {
	*Server
	CA string // file of the authority that signed its certificate
}

// StoreACL are the rights that a store needs, and no more.
var StoreACL = []string{
	"resetchannels", "~signal:*", "&signal:*", "-@all", "+evalsha", "+eval", "+hget", "+hmget", "+hset", "+pexpireat", "+set", "+exists",
	"+unlink", "+time", "+spublish", "+ssubscribe", "+sunsubscribe", "+info", "+ping", "+hello", "+auth",
	"+client|setname", "+cluster|slots", "+cluster|shards", "+wait", "+subscribe", "+unsubscribe", "+punsubscribe", "+discard",
}

// StartSecure starts a Secure.
func StartSecure(t testing.TB) *Secure {
	t.Helper()
	number := freePort(t)
	s := newServer(t, number)
	cert, key := certify(t, s.dir)
	s.args = append(s.args, "--port", "0", "--tls-port", number, "--tls-cert-file", cert, "--tls-key-file", key,
		"--tls-ca-cert-file", cert, "--tls-auth-clients", "no")
	s.cli = []string{"--tls", "--cacert", cert, "--user", "admin", "--pass", "secret"}
	acl := filepath.Join(s.dir, "users.acl")
	text := "user default off\nuser admin on >secret ~* &* +@all\nuser signal on >secret"
	for _, rule := range StoreACL {
		text += " " + rule
	}
	if err := os.WriteFile(acl, []byte(text+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.args = append(s.args, "--aclfile", acl)
	s.start()
	s.waitFor("PONG", "PING")
	return &Secure{Server: s, CA: cert}
}

// certify makes a certificate for the loopback, signed by itself.
func certify(t testing.TB, dir string) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "redistest"},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(24 * time.Hour),
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		IsCA:                  true,
		BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for file, block := range map[string]*pem.Block{
		certFile: {Type: "CERTIFICATE", Bytes: der},
		keyFile:  {Type: "PRIVATE KEY", Bytes: keyDER},
	} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certFile, keyFile
}
