// Package certificate is what a server proves its name with over TLS: a certificate from files, which are read again when they
// change, or one from an ACME authority (RFC 8555), which is renewed. It knows nothing of what is spoken over TLS but the names
// of its protocols.
package certificate

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/mail"
	"net/url"
	"time"
)

// Source is where a certificate comes from. Its methods may be called concurrently.
type Source interface {
	// Server returns how a server speaks TLS with the certificates from here: HTTP/1.1 over TLS 1.2 or newer. Certificates change
	// with the next handshake; connections that are open are not touched. The caller owns it.
	Server() *tls.Config

	// Challenges answers an authority that asks over plain HTTP on port 80 whether the name is this server's (RFC 8555, Section
	// 8.3), and 404 to who asks anything else. It is nil where nobody asks.
	Challenges() http.Handler

	// Reload reads the files again, or has what failed lately tried again soon. If it fails nothing has changed.
	Reload() error

	// Run keeps the certificate fresh until ctx ends. It is called once, when the server listens.
	Run(ctx context.Context)
}

// Config says where the certificate comes from: from a file and its key, or from an authority. The zero Config means no TLS.
type Config struct {
	// CertFile has the certificate and those between it and a root, KeyFile its private key, both in PEM.
	CertFile, KeyFile string

	// Domains are the names to get certificates for. Who names any agrees to the authority's terms.
	Domains []string

	// Cache is a directory for certificates, their keys and the account's, which is made if need be. It must outlive the
	// process: authorities give out a few certificates a week for the same names.
	Cache string

	// Email is where the authority may write to; empty: nowhere.
	Email string

	// Directory is the URL of the authority's directory; empty: Let's Encrypt's.
	Directory string
}

// Validate returns all that is wrong with the config, as far as can be told without reading a file, in the words of the command
// line.
func (c *Config) Validate() error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	check((c.CertFile == "") == (c.KeyFile == ""), "--tls-cert and --tls-key are needed both, or none")
	check(c.CertFile == "" && c.KeyFile == "" || len(c.Domains) == 0, "--tls-cert and --acme-domain exclude each other")
	for _, domain := range c.Domains {
		if _, err := ascii(domain); err != nil {
			errs = append(errs, err)
		}
	}
	if len(c.Domains) == 0 {
		check(c.Cache == "" && c.Email == "" && c.Directory == "", "--acme-… are of no use without --acme-domain")
		return errors.Join(errs...)
	}
	check(c.Cache != "", "--acme-cache is empty, must be a directory that is kept: a new certificate at each start would soon be refused")
	if c.Email != "" {
		address, err := mail.ParseAddress(c.Email)
		check(err == nil && address.Address == c.Email, "--acme-email is %q, must be an address of mail", c.Email)
	}
	if c.Directory != "" {
		u, err := url.Parse(c.Directory)
		check(err == nil && u.Scheme == "https" && u.Host != "", "--acme-directory is %q, must be an https URL", c.Directory)
	}
	return errors.Join(errs...)
}

// Open returns the source that the config names, or nil if it names none. It reads the files, and talks to no authority. The error
// lists all that is wrong, one line each, without anything of a key.
func Open(config Config, log *slog.Logger) (Source, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	switch {
	case config.CertFile != "":
		return openFiles(config.CertFile, config.KeyFile, log)
	case len(config.Domains) > 0:
		return openAuthority(config, log)
	}
	return nil, nil
}

// server is what all sources have in common. Versions before 1.2 are out of use (RFC 8996). HTTP/2 is not spoken here, and who can
// speak nothing else is told so.
func server(get func(*tls.ClientHelloInfo) (*tls.Certificate, error), more ...string) *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		NextProtos:     append([]string{"http/1.1"}, more...),
		GetCertificate: get,
	}
}

// warnOfEnd logs a certificate that has ended, or whose end is nearer than it is where somebody renews it: authorities and their
// programs renew when a third of its time is left, 30 days at the most.
func warnOfEnd(log *slog.Logger, leaf *x509.Certificate, now time.Time) {
	left := leaf.NotAfter.Sub(now)
	renewed := min(leaf.NotAfter.Sub(leaf.NotBefore)/3, 30*24*time.Hour)
	switch {
	case now.Before(leaf.NotBefore):
		log.Warn("the certificate is not valid yet", "from", leaf.NotBefore, "names", leaf.DNSNames)
	case left <= 0:
		log.Warn("the certificate has expired", "at", leaf.NotAfter, "names", leaf.DNSNames)
	case left < renewed/2:
		log.Warn("the certificate expires soon, and was not renewed", "at", leaf.NotAfter, "names", leaf.DNSNames)
	}
}

// warnEvery is between two warnings of a certificate's end: often enough for one that is valid for six days.
const warnEvery = 6 * time.Hour
