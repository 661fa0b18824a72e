package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// certificate makes a certificate with an ECDSA key for the loopback. It returns the variables that give it to a signaling server, and the security
// of clients that trust it.
func (b *bench) certificate() (env []string, security *tls.Config, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	return b.certify("ecdsa", key)
}

// certify is certificate for another key. The name is that of its files, without the extension.
func (b *bench) certify(name string, key crypto.Signer) (env []string, security *tls.Config, err error) {
	loopback := net.IPv4(127, 0, 0, 1)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{loopback},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, nil, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, nil, err
	}
	trusted := x509.NewCertPool()
	for _, file := range [...]struct {
		extension, kind, variable string
		content                   []byte
	}{
		{".pem", "CERTIFICATE", "SIGNAL_TLS_CERT", cert},
		{".key", "PRIVATE KEY", "SIGNAL_TLS_KEY", private},
	} {
		path := filepath.Join(b.dir, name+file.extension)
		text := pem.EncodeToMemory(&pem.Block{Type: file.kind, Bytes: file.content})
		if err := os.WriteFile(path, text, 0o600); err != nil {
			return nil, nil, fmt.Errorf("a certificate: %w", err)
		}
		trusted.AppendCertsFromPEM(text) // which takes no notice of the key
		env = append(env, file.variable+"="+path)
	}
	return env, &tls.Config{RootCAs: trusted, ServerName: loopback.String(), MinVersion: tls.VersionTLS13}, nil
}
