package ice_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"signal-server/app/apptest"
	"signal-server/app/gate/auth"
	"signal-server/app/gate/limit"
	"signal-server/app/iceserver"
	"signal-server/cache/memory"
	"signal-server/custerrors"
)

func TestMain(m *testing.M) {
	// What fasthttp leaves behind: the first sleeps on for up to 10 s after the end, the second never ends.
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"))
}

// serve serves over an empty store.
func serve(t *testing.T, changes ...func(*apptest.Config)) *apptest.Server {
	t.Helper()
	config := apptest.Defaults()
	for _, change := range changes {
		change(&config)
	}
	store, err := memory.New(memory.Config{Limits: config.Limits, Memory: 8 << 20})
	if err != nil {
		t.Fatal(err)
	}
	return apptest.Serve(t, apptest.Listen(t), config, store)
}

// withServers has the server tell of a STUN and a TURN server.
func withServers(t *testing.T) func(*apptest.Config) {
	t.Helper()
	secrets, err := iceserver.OpenSecrets("")
	if err != nil {
		t.Fatal(err)
	}
	var uris []iceserver.URI
	for _, text := range []string{"stun:example.org:3478", "turn:example.org:3478?transport=udp"} {
		u, ok := iceserver.ParseURI(text)
		if !ok {
			t.Fatal(text)
		}
		uris = append(uris, u)
	}
	list := iceserver.NewList(time.Hour, iceserver.Source{URIs: uris, Secrets: secrets})
	return func(c *apptest.Config) { c.Servers = list }
}

// answer is one of GET /ice.
type answer struct {
	*http.Response
	text string
	Msg  custerrors.Error
	Data struct {
		TTL        int
		ICEServers []iceserver.Server
	}
}

func get(t *testing.T, url string, header ...string) (a answer) {
	t.Helper()
	return ask(t, http.MethodGet, url, header...)
}

func ask(t *testing.T, method, url string, header ...string) (a answer) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	if a.Response, err = client.Do(req); err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	body, err := io.ReadAll(a.Body)
	if err != nil {
		t.Fatal(err)
	}
	if a.text = string(body); method != http.MethodHead && len(body) > 0 {
		if err := json.Unmarshal(body, &a); err != nil {
			t.Fatalf("%s: %v", body, err)
		}
	}
	return a
}

// user returns whose the credential of an answer is.
func (a *answer) user(t *testing.T) string {
	t.Helper()
	if len(a.Data.ICEServers) != 2 {
		t.Fatalf("got %s, want two servers", a.text)
	}
	user, until, ok := iceserver.ParseUsername(a.Data.ICEServers[1].Username)
	if left := time.Until(until); !ok || left > time.Hour || left < 59*time.Minute {
		t.Fatalf("username: got %q, good for %v, want an hour", a.Data.ICEServers[1].Username, left)
	}
	return user
}

func (a *answer) want(t *testing.T, what string, status int, msg custerrors.Error) {
	t.Helper()
	if a.StatusCode != status || a.Msg != msg {
		t.Errorf("%s: got %d %s, want %d %q", what, a.StatusCode, a.text, status, msg)
	}
}

func TestNothingToTell(t *testing.T) {
	s := serve(t)
	for _, path := range []string{"/ice", "/ice/"} {
		a := get(t, s.URL+path)
		if want := `{"msg":"","data":{"ttl":3600,"iceServers":[]}}`; a.text != want || a.StatusCode != 200 {
			t.Errorf("%s: got %d %s, want %s", path, a.StatusCode, a.text, want)
		}
		if got := a.Header.Get("Cache-Control"); got != "no-store" {
			t.Errorf("Cache-Control: got %q, want no-store", got)
		}
	}
}

func TestServers(t *testing.T) {
	s := serve(t, withServers(t))
	a := get(t, s.URL+"/ice", "Origin", "https://example.org")
	a.want(t, "GET", 200, "")
	if stun := a.Data.ICEServers[0]; strings.Join(stun.URLs, " ") != "stun:example.org:3478" || stun.Username != "" || stun.Credential != "" {
		t.Errorf("STUN: got %+v", stun)
	}
	if got := a.Header.Get("Access-Control-Allow-Origin"); got != "*" {
		t.Errorf("Access-Control-Allow-Origin: got %q, want *", got)
	}
	again := get(t, s.URL+"/ice?key=k")
	if a.user(t) != again.user(t) {
		t.Errorf("user: got %q and %q, want the same", a.user(t), again.user(t))
	}
	if head := ask(t, http.MethodHead, s.URL+"/ice"); head.StatusCode != 200 || head.text != "" {
		t.Errorf("HEAD: got %d %q", head.StatusCode, head.text)
	}
	preflight := ask(t, http.MethodOptions, s.URL+"/ice", "Origin", "https://example.org", "Access-Control-Request-Method", "GET")
	if preflight.StatusCode != http.StatusNoContent {
		t.Errorf("OPTIONS: got %d", preflight.StatusCode)
	}
	for _, method := range []string{http.MethodPost, http.MethodDelete, http.MethodPut} {
		a := ask(t, method, s.URL+"/ice")
		a.want(t, method, 405, custerrors.MethodNotAllowed)
	}
}

// TestClientsAreToldApart wants credentials to be of clients: IPv6 ones by /64, and whoever asks through a proxy that is believed by itself.
func TestClientsAreToldApart(t *testing.T) {
	proxies, err := limit.ParseProxies([]string{"loopback"})
	if err != nil {
		t.Fatal(err)
	}
	s := serve(t, withServers(t), func(c *apptest.Config) { c.Proxies = proxies })
	user := func(client string) string {
		a := get(t, s.URL+"/ice", "X-Forwarded-For", client)
		return a.user(t)
	}
	one := user("9.9.9.9")
	for client, same := range map[string]bool{"9.9.9.9": true, "::ffff:9.9.9.9": true, "9.9.9.8": false, "2a00::1": false} {
		if got := user(client) == one; got != same {
			t.Errorf("%s: got the same user as 9.9.9.9: %v, want %v", client, got, same)
		}
	}
	if user("2a00::1") != user("2a00::2") || user("2a00::1") == user("2a00:0:0:1::1") {
		t.Error("IPv6: clients of one /64 must be the same user, of two others not")
	}
}

func TestRate(t *testing.T) {
	limited := func(c *apptest.Config) { c.ICE.Rate = limit.Rate{Events: 2, Per: time.Hour} }
	s := serve(t, withServers(t), limited)
	for range 2 {
		a := get(t, s.URL+"/ice")
		a.want(t, "within the rate", 200, "")
	}
	a := get(t, s.URL+"/ice")
	a.want(t, "over the rate", 429, custerrors.TooManyRequests)
	if after, err := strconv.Atoi(a.Header.Get("Retry-After")); err != nil || after < 1 {
		t.Errorf("Retry-After: got %q", a.Header.Get("Retry-After"))
	}
	nothing := serve(t, limited)
	for range 5 { // there is nothing to give
		a := get(t, nothing.URL+"/ice")
		a.want(t, "without servers", 200, "")
	}
}

func TestTokens(t *testing.T) {
	secret := []byte(strings.Repeat("s", 32))
	dir := t.TempDir()
	file := filepath.Join(dir, "secret")
	if err := os.WriteFile(file, secret, 0o600); err != nil {
		t.Fatal(err)
	}
	guard, err := auth.Open(t.Context(), auth.Config{JWTSecretFile: file}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer guard.Close()
	s := serve(t, withServers(t), func(c *apptest.Config) { c.Guard = guard })
	jwt := func(claims string) string {
		part := base64.RawURLEncoding.EncodeToString
		signed := part([]byte(`{"alg":"HS256"}`)) + "." + part([]byte(fmt.Sprintf(claims, time.Now().Add(time.Hour).Unix())))
		mac := hmac.New(sha256.New, secret)
		mac.Write([]byte(signed))
		return signed + "." + part(mac.Sum(nil))
	}
	a := get(t, s.URL+"/ice")
	a.want(t, "no token", 401, custerrors.NotAuthenticated)
	plain, alice, bob := jwt(`{"exp":%d}`), jwt(`{"exp":%d,"sub":"alice"}`), jwt(`{"exp":%d,"sub":"bob"}`)
	user := func(token string) string {
		a := get(t, s.URL+"/ice", "Authorization", "Bearer "+token)
		return a.user(t)
	}
	if users := []string{user(plain), user(alice), user(bob)}; users[0] == users[1] || users[1] == users[2] || users[0] == users[2] {
		t.Errorf("users: got %q, want three", users)
	}
	if query := get(t, s.URL+"/ice?access_token="+alice); query.user(t) != user(alice) {
		t.Error("a token in the query: got another user")
	}
	bound := jwt(`{"exp":%d,"key":"k"}`)
	for query, status := range map[string]int{"": 200, "?key=k": 200, "?key=other": 403} {
		if a := get(t, s.URL+"/ice"+query, "Authorization", "Bearer "+bound); a.StatusCode != status {
			t.Errorf("a token for one key, %q: got %d %s, want %d", query, a.StatusCode, a.text, status)
		}
	}
	tooLong := get(t, s.URL+"/ice?key="+strings.Repeat("x", 33), "Authorization", "Bearer "+alice)
	tooLong.want(t, "a key that is too long", 400, custerrors.KeyIsTooLong)
}

func TestOrigins(t *testing.T) {
	s := serve(t, withServers(t), func(c *apptest.Config) { c.Gate.AllowOrigins = []string{"https://good.example"} })
	a := get(t, s.URL+"/ice", "Origin", "https://bad.example")
	a.want(t, "a foreign page", 403, custerrors.NotAllowed)
	a = get(t, s.URL+"/ice", "Origin", "https://good.example")
	a.want(t, "a listed page", 200, "")
}
