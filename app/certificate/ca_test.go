package certificate_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/acme"

	"signal-server/app/certificate"
)

// ca is an authority (RFC 8555) that a source calls without a network, so that it works in virtual time. It does not verify signatures. The
// program's tests use Pebble, which does.
type ca struct {
	// set at construction
	root   *x509.Certificate
	key    *ecdsa.PrivateKey
	lasts  time.Duration // a certificate
	source certificate.Source

	mu sync.Mutex
	// guarded by mu
	down, hangs bool // it cannot be reached; it does not answer
	deafToTLS   bool // it gets no answer at port 443
	asked       []time.Time
	orders      []*order
}

type order struct {
	domain, token string
	status        string // of its one authorization
	chain         []byte // nil: not yet
}

// newCA makes an authority whose certificates last that long, and connects the source to it.
func newCA(t *testing.T, lasts time.Duration, source certificate.Source) *ca {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &ca{
		root: &x509.Certificate{SerialNumber: big.NewInt(1 << 32), Subject: pkix.Name{CommonName: "ca"}}, key: key, lasts: lasts, source: source,
	}
	certificate.Reach(source, c)
	return c
}

// set changes how the authority behaves.
func (c *ca) set(change func(c *ca)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change(c)
}

// requests returns the times of the requests since the last call, one a second at the most: one certificate takes many requests.
func (c *ca) requests() (at []time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	at, c.asked = slices.CompactFunc(c.asked, func(a, b time.Time) bool { return a.Sub(b).Abs() < time.Second }), nil
	return at
}

func (c *ca) RoundTrip(r *http.Request) (*http.Response, error) {
	c.mu.Lock()
	c.asked = append(c.asked, time.Now())
	down, hangs := c.down, c.hangs
	c.mu.Unlock()
	switch {
	case hangs:
		<-r.Context().Done()
		return nil, r.Context().Err()
	case down:
		return nil, errors.New("connection refused")
	}
	w := httptest.NewRecorder()
	w.Header().Set("Replay-Nonce", "nonce")
	c.answer(w, r)
	return w.Result(), nil
}

// answer answers a request to /directory, /new-…, or /order/N, /authz/N, /challenge/N/TYPE, /finalize/N, /chain/N.
func (c *ca) answer(w *httptest.ResponseRecorder, r *http.Request) {
	const at = "https://ca.example.org"
	var n int
	part := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	if len(part) > 1 {
		fmt.Sscan(part[1], &n)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch part[0] {
	case "directory":
		reply(w, 200, map[string]any{"newNonce": at + "/new-nonce", "newAccount": at + "/new-account", "newOrder": at + "/new-order"})
		return
	case "new-nonce":
		return
	case "new-account":
		w.Header().Set("Location", at+"/account/1")
		reply(w, 201, map[string]any{"status": "valid"})
		return
	case "new-order":
		var asked struct{ Identifiers []struct{ Value string } }
		said(r, &asked)
		n = len(c.orders)
		c.orders = append(c.orders, &order{domain: asked.Identifiers[0].Value, token: fmt.Sprintf("token-%d", n), status: "pending"})
		w.Header().Set("Location", fmt.Sprint(at, "/order/", n))
		w.WriteHeader(201)
	case "challenge":
		c.challenge(c.orders[n], part[2])
		reply(w, 200, map[string]any{"status": c.orders[n].status, "type": part[2], "url": at + r.URL.Path, "token": c.orders[n].token})
		return
	case "finalize":
		c.issue(r, c.orders[n])
	case "chain":
		w.Write(c.orders[n].chain)
		return
	}
	o := c.orders[n]
	if part[0] == "authz" {
		var challenges []any
		for _, way := range []string{"tls-alpn-01", "http-01"} {
			challenges = append(challenges, map[string]any{
				"type": way, "status": o.status, "token": o.token, "url": fmt.Sprint(at, "/challenge/", n, "/", way),
			})
		}
		reply(w, 200, map[string]any{"status": o.status, "identifier": map[string]any{"type": "dns", "value": o.domain}, "challenges": challenges})
		return
	}
	status := map[string]string{"pending": "pending", "valid": "ready", "invalid": "invalid"}[o.status]
	if o.chain != nil {
		status = "valid"
	}
	w.Header().Set("Location", fmt.Sprint(at, "/order/", n))
	reply(w, 200, map[string]any{
		"status": status, "authorizations": []string{fmt.Sprint(at, "/authz/", n)}, "finalize": fmt.Sprint(at, "/finalize/", n),
		"certificate": fmt.Sprint(at, "/chain/", n),
	})
}

// challenge asks the source as an authority asks a server.
func (c *ca) challenge(o *order, way string) {
	o.status = "invalid"
	switch way {
	case "tls-alpn-01":
		leaf, err := shake(c.source, &tls.Config{ServerName: o.domain, NextProtos: []string{acme.ALPNProto}})
		if !c.deafToTLS && err == nil && leaf.VerifyHostname(o.domain) == nil {
			o.status = "valid"
		}
	case "http-01":
		w, challenges := httptest.NewRecorder(), c.source.Challenges()
		challenges.ServeHTTP(w, httptest.NewRequest("GET", "http://"+o.domain+"/.well-known/acme-challenge/"+o.token, nil))
		if w.Code == 200 && strings.HasPrefix(w.Body.String(), o.token+".") {
			o.status = "valid"
		}
	}
}

// issue signs the certificate that was asked for. Certificates have the serial numbers 1, 2 and so on.
func (c *ca) issue(r *http.Request, o *order) {
	var asked struct{ CSR string }
	said(r, &asked)
	der, _ := base64.RawURLEncoding.DecodeString(asked.CSR)
	request, err := x509.ParseCertificateRequest(der)
	if err != nil {
		panic(err)
	}
	serial := int64(1)
	for _, o := range c.orders {
		if o.chain != nil {
			serial++
		}
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(serial), DNSNames: request.DNSNames, NotBefore: time.Now(), NotAfter: time.Now().Add(c.lasts),
	}
	der, err = x509.CreateCertificate(rand.Reader, leaf, c.root, request.PublicKey.(crypto.PublicKey), c.key)
	if err != nil {
		panic(err)
	}
	o.chain = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// said reads what a request signs.
func said(r *http.Request, v any) {
	var signed struct{ Payload string }
	if err := json.NewDecoder(r.Body).Decode(&signed); err != nil {
		panic(err)
	}
	payload, _ := base64.RawURLEncoding.DecodeString(signed.Payload)
	if err := json.NewDecoder(bytes.NewReader(payload)).Decode(v); err != nil {
		panic(err)
	}
}

func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v)
}
