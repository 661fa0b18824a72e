package certificate_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"signal-server/app/apptest/testconfig"
	"signal-server/app/certificate"
)

// TestValidate checks that Validate tells each mistake once, with the field that the operator must change.
func TestValidate(t *testing.T) {
	named := func(more certificate.Config) certificate.Config {
		more.Domains, more.Cache = []string{"signal.example.org"}, "/var/lib/acme"
		return more
	}
	domains := func(names ...string) certificate.Config {
		return certificate.Config{Domains: names, Cache: "/var/lib/acme"}
	}
	for name, test := range map[string]struct {
		config certificate.Config
		wants  []string // one for each mistake; none: the config is good
	}{
		"nothing":             {},
		"files":               {config: certificate.Config{CertFile: "cert", KeyFile: "key"}},
		"a name":              {config: named(certificate.Config{})},
		"all of an authority": {config: named(certificate.Config{Email: "a@example.org", Directory: "https://ca.example.org/dir"})},
		"names that are many": {config: domains("a.example.org", "B.example.org", "bücher.example.org", "xn--bcher-kva.example.org")},
		"the longest label":   {config: domains(strings.Repeat("a", 63) + ".example.org")},

		"no key":         {certificate.Config{CertFile: "cert"}, []string{"--tls-cert and --tls-key are needed both, or none"}},
		"no certificate": {certificate.Config{KeyFile: "key"}, []string{"--tls-cert and --tls-key are needed both, or none"}},
		"files and a name": {named(certificate.Config{CertFile: "cert", KeyFile: "key"}), []string{
			"--tls-cert and --acme-domain exclude each other",
		}},
		"a key and a name": {named(certificate.Config{KeyFile: "key"}), []string{
			"--tls-cert and --tls-key are needed both, or none", "--tls-cert and --acme-domain exclude each other",
		}},
		"secrets, files":  {config: certificate.Config{CertFile: "cert", KeyFile: "key", ResumptionSecretFile: "secrets"}},
		"secrets, a name": {config: named(certificate.Config{ResumptionSecretFile: "secrets"})},
		"secrets alone": {certificate.Config{ResumptionSecretFile: "secrets"}, []string{
			"--tls-resumption-secret-file is of no use without --tls-cert or --acme-domain",
		}},
		"no name, a cache":                {certificate.Config{Cache: "/var/lib/acme"}, []string{"--acme-cache is of no use without --acme-domain"}},
		"no name, an address":             {certificate.Config{Email: "a@example.org"}, []string{"--acme-email is of no use without --acme-domain"}},
		"no name, a directory":            {certificate.Config{Directory: "https://ca"}, []string{"--acme-directory is of no use without --acme-domain"}},
		"files, and a cache":              {certificate.Config{CertFile: "cert", KeyFile: "key", Cache: "c"}, []string{"--acme-cache is of no use without --acme-domain"}},
		"no cache":                        {certificate.Config{Domains: []string{"a.example.org"}}, []string{"--acme-cache is empty"}},
		"an address that is none":         {named(certificate.Config{Email: "example.org"}), []string{`--acme-email is "example.org"`}},
		"an address with a name":          {named(certificate.Config{Email: "A <a@example.org>"}), []string{`--acme-email is "A <a@example.org>"`}},
		"a directory without TLS":         {named(certificate.Config{Directory: "http://ca.example.org"}), []string{"must be an https URL"}},
		"a directory that is a word":      {named(certificate.Config{Directory: "staging"}), []string{`--acme-directory is "staging"`}},
		"a directory without a host":      {named(certificate.Config{Directory: "https:///dir"}), []string{"must be an https URL"}},
		"a directory that cannot be read": {named(certificate.Config{Directory: "https://%zz"}), []string{"must be an https URL"}},
		"an empty name":                   {domains(""), []string{`--acme-domain has ""`}},
		"a name without a dot":            {domains("localhost"), []string{`--acme-domain has "localhost"`}},
		"a name with a dot at its end":    {domains("a.example.org."), []string{`--acme-domain has "a.example.org."`}},
		"a name with a dot at its start":  {domains(".example.org"), []string{`--acme-domain has ".example.org"`}},
		"a name with two dots":            {domains("a..example.org"), []string{`--acme-domain has "a..example.org"`}},
		"a label too long":                {domains(strings.Repeat("a", 64) + ".example.org"), []string{"--acme-domain has"}},
		"a name too long":                 {domains(strings.Repeat("a.", 126) + "org"), []string{"--acme-domain has"}},
		"a wildcard":                      {domains("*.example.org"), []string{`--acme-domain has "*.example.org"`}},
		"an address":                      {domains("192.0.2.1"), []string{`--acme-domain has "192.0.2.1"`}},
		"an address in other digits":      {domains("１９２.0.2.1"), []string{`--acme-domain has "１９２.0.2.1"`}},
		"an address of IPv6":              {domains("2001:db8::1"), []string{`--acme-domain has "2001:db8::1"`}},
		"a port":                          {domains("a.example.org:443"), []string{`--acme-domain has "a.example.org:443"`}},
		"a URL":                           {domains("https://a.example.org"), []string{"--acme-domain has"}},
		"all names that are wrong":        {domains("a.example.org", "b", "c"), []string{`has "b"`, `has "c"`}},
		"all that is wrong with a request": {
			certificate.Config{CertFile: "cert", Domains: []string{"b"}, Email: "c", Directory: "d"},
			[]string{
				"--tls-cert and --tls-key are needed both, or none", "exclude each other", `--acme-domain has "b"`, "--acme-cache is empty", "--acme-email", "--acme-directory",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			lines := testconfig.Mistakes(&test.config)
			if !slices.EqualFunc(lines, test.wants, strings.Contains) {
				t.Errorf("got %q, want lines with %q", lines, test.wants)
			}
			if lines == nil {
				return
			}
			if source, err := certificate.Open(test.config, slog.New(slog.DiscardHandler)); source != nil || err == nil || !strings.HasPrefix(err.Error(), "BUG:") {
				t.Errorf("Open: got %v, %v, want it refused", source, err)
			}
		})
	}
}

func TestNoTLS(t *testing.T) {
	if source, err := certificate.Open(certificate.Config{}, slog.New(slog.DiscardHandler)); source != nil || err != nil {
		t.Errorf("got %v, %v, want nil, nil", source, err)
	}
}

// TestOpenFiles opens pairs that are of no use. The error says what is wrong with either file, and quotes nothing of a key.
func TestOpenFiles(t *testing.T) {
	one, other := certify(t, 1, day), certify(t, 2, day)
	secret := string(one.key[60:100])
	for name, test := range map[string]struct {
		cert, key []byte // nil: there is none
		wants     []string
		is        error
	}{
		"no files":               {nil, nil, []string{"certificate: ", "cert.pem", "private key: ", "key.pem"}, fs.ErrNotExist},
		"no certificate":         {nil, one.key, []string{"certificate: ", "cert.pem"}, fs.ErrNotExist},
		"no key":                 {one.cert, nil, []string{"private key: ", "key.pem"}, fs.ErrNotExist},
		"empty files":            {[]byte{}, []byte{}, []string{"certificate ", " and private key "}, nil},
		"half a certificate":     {one.cert[:len(one.cert)/2], one.key, []string{"certificate "}, nil},
		"half a key":             {one.cert, one.key[:len(one.key)/2], []string{"private key "}, nil},
		"another one's key":      {one.cert, other.key, []string{"private key does not match"}, nil},
		"one for the other":      {one.key, one.cert, []string{"certificate "}, nil},
		"a certificate too long": {padded(one.cert, certificate.MaxFile+1), one.key, []string{"has more than 1MiB"}, nil},
		"a key too long":         {one.cert, padded(one.key, certificate.MaxFile+1), []string{"has more than 1MiB"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDisk(t)
			for path, content := range map[string][]byte{d.cert: test.cert, d.key: test.key} {
				if content != nil {
					put(t, path, content)
				}
			}
			source, err := certificate.Open(d.config(), slog.New(slog.DiscardHandler))
			if err == nil || source != nil || test.is != nil && !errors.Is(err, test.is) {
				t.Fatalf("got %v, %v, want an error", source, err)
			}
			for _, want := range test.wants {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("got %v, want it with %s", err, want)
				}
			}
			if strings.Contains(err.Error(), secret) {
				t.Errorf("got %v, want it without the key", err)
			}
		})
	}
	t.Run("the longest files", func(t *testing.T) {
		d := newDisk(t)
		d.write(t, pair{cert: padded(one.cert, certificate.MaxFile), key: padded(one.key, certificate.MaxFile)})
		serves(t, "a MiB each", open(t, d.config(), new(journal)), 1)
	})
	t.Run("a directory", func(t *testing.T) {
		dir := t.TempDir()
		_, err := certificate.Open(certificate.Config{CertFile: dir, KeyFile: dir}, slog.New(slog.DiscardHandler))
		if err == nil || !strings.Contains(err.Error(), "is a directory") {
			t.Errorf("got %v, want that it is a directory", err)
		}
	})
}

// padded returns the PEM with so many empty lines that it has that many bytes.
func padded(pem []byte, size int) []byte {
	return append(slices.Clone(pem), []byte(strings.Repeat("\n", size-len(pem)))...)
}

// TestVersions shakes hands in each version of TLS, and with each protocol. All sources do the same there.
func TestVersions(t *testing.T) {
	d := newDisk(t)
	d.write(t, certify(t, 1, day))
	source := open(t, d.config(), new(journal))
	for version, want := range map[uint16]bool{tls.VersionTLS10: false, tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
		_, err := shake(source, &tls.Config{MinVersion: version, MaxVersion: version})
		if got := err == nil; got != want {
			t.Errorf("%s: got %v, want it taken: %v", tls.VersionName(version), err, want)
		}
	}
	for protocol, want := range map[string]bool{"h2": false, "acme-tls/1": false, "http/1.1": true} {
		_, err := shake(source, &tls.Config{NextProtos: []string{protocol}})
		if got := err == nil; got != want {
			t.Errorf("%s: got %v, want it taken: %v", protocol, err, want)
		}
	}
	if got := source.Challenges(); got != nil {
		t.Errorf("who answers an authority: got %v, want nobody", got)
	}
	a, b := source.Server(), source.Server()
	if a.NextProtos[0] = "mine"; b.NextProtos[0] != "http/1.1" {
		t.Error("two configs share their protocols: want each its caller's")
	}
}

// TestSuites shakes hands in TLS 1.2 by each suite that Go knows, with a certificate of ECDSA and with one of RSA. Only those are taken that have
// keys of the moment and an AEAD.
func TestSuites(t *testing.T) {
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	for kind, certified := range map[string]pair{"ECDSA": certify(t, 1, day), "RSA": certifyKey(t, private, 1, now.Add(-day), now.Add(day))} {
		d := newDisk(t)
		d.write(t, certified)
		source := open(t, d.config(), new(journal))
		taken := 0
		var cbc []uint16
		for _, suite := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
			if !slices.Contains(suite.SupportedVersions, tls.VersionTLS12) {
				continue
			}
			want := regexp.MustCompile("^TLS_ECDHE_" + kind + "_WITH_(AES_(128|256)_GCM_|CHACHA20_POLY1305_)").MatchString(suite.Name)
			_, err := shake(source, &tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{suite.ID}})
			if got := err == nil; got != want {
				t.Errorf("%s with a certificate of %s: got %v, want it taken: %v", suite.Name, kind, err, want)
			}
			if want {
				taken++
			}
			if strings.Contains(suite.Name, "_CBC_") {
				cbc = append(cbc, suite.ID)
			}
		}
		if taken != 3 || len(cbc) < 6 {
			t.Errorf("%s: got %d suites taken and %d of CBC, want 3, and 6 or more", kind, taken, len(cbc))
		}
		if _, err := shake(source, &tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: cbc}); err == nil {
			t.Errorf("%s: got a client taken that offers CBC only, want it refused", kind)
		}
	}
}

// TestEndIsNear opens certificates of many ages. A program that renews when a third is left has half of that third before the log warns.
func TestEndIsNear(t *testing.T) {
	const (
		quiet   = ""
		soon    = "the certificate expires soon, and was not renewed"
		expired = "the certificate has expired"
		notYet  = "the certificate is not valid yet"
	)
	for name, test := range map[string]struct {
		age, lasts time.Duration
		want       string
	}{
		"90 days, 15 are left":        {75 * day, 90 * day, quiet},
		"90 days, less":               {75*day + time.Second, 90 * day, soon},
		"90 days, a second is left":   {90*day - time.Second, 90 * day, soon},
		"90 days, none":               {90 * day, 90 * day, expired},
		"90 days, a year ago":         {455 * day, 90 * day, expired},
		"six days, one is left":       {5 * day, 6 * day, quiet},
		"six days, less":              {5*day + time.Second, 6 * day, soon},
		"a year, 15 days are left":    {350 * day, 365 * day, quiet}, // 30 days at the most, and half of them
		"a year, less":                {350*day + time.Second, 365 * day, soon},
		"90 days, from now on":        {0, 90 * day, quiet},
		"90 days, in a second":        {-time.Second, 90 * day, notYet},
		"90 days, from next year on":  {-365 * day, 90 * day, notYet},
		"it ends before it is valid":  {-day, -2 * day, notYet},
		"it ends at once, when valid": {0, 0, expired},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d, j := newDisk(t), new(journal)
				d.write(t, certifyFrom(t, 1, time.Now().Add(-test.age), time.Now().Add(test.lasts-test.age)))
				source := open(t, d.config(), j)
				if test.want == quiet {
					j.wants(t, "at start")
				} else {
					j.wants(t, "at start", test.want)
				}
				serves(t, "whatever its age", source, 1)
			})
		})
	}
}

// TestCacheOfAuthority checks that the directory of certificates is made, for its owner only, and that Open fails where it cannot be made.
func TestCacheOfAuthority(t *testing.T) {
	config := certificate.Config{Domains: []string{"signal.example.org"}, Cache: filepath.Join(t.TempDir(), "lib", "acme")}
	open(t, config, new(journal))
	if dir, err := os.Stat(config.Cache); err != nil || dir.Mode().Perm() != 0o700 {
		t.Errorf("got %v, %v, want a directory of mode 0700", dir, err)
	}
	if left, err := os.ReadDir(config.Cache); err != nil || len(left) > 0 {
		t.Errorf("got %v, %v in it, want nothing", left, err)
	}
	put(t, filepath.Join(config.Cache, "file"), nil)
	config.Cache = filepath.Join(config.Cache, "file")
	if source, err := certificate.Open(config, slog.New(slog.DiscardHandler)); err == nil || source != nil || !strings.Contains(err.Error(), "directory of certificates: ") {
		t.Errorf("a file: got %v, %v, want an error of the directory", source, err)
	}
}
