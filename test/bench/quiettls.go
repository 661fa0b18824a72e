package main

import (
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

// certificate makes a certificate for the loopback. It returns the variables that give it to a signaling server, and the security of clients that
// trust it.
func (b *bench) certificate() (env []string, security *tls.Config, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
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
		name, kind, variable string
		content              []byte
	}{
		{"cert.pem", "CERTIFICATE", "SIGNAL_TLS_CERT", cert},
		{"key.pem", "PRIVATE KEY", "SIGNAL_TLS_KEY", private},
	} {
		path := filepath.Join(b.dir, file.name)
		text := pem.EncodeToMemory(&pem.Block{Type: file.kind, Bytes: file.content})
		if err := os.WriteFile(path, text, 0o600); err != nil {
			return nil, nil, fmt.Errorf("a certificate: %w", err)
		}
		trusted.AppendCertsFromPEM(text) // which takes no notice of the key
		env = append(env, file.variable+"="+path)
	}
	return env, &tls.Config{RootCAs: trusted, ServerName: loopback.String(), MinVersion: tls.VersionTLS13}, nil
}
