package api_test

import (
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"signal-server/app/gate/auth"
	"signal-server/cache"
	"signal-server/custerrors"
)

// guarded returns an option by which the server asks for a token, and three tokens: for anything, for key k only, for the answerer only.
func guarded(t testing.TB) (change func(*options), all, one, answerer string) {
	t.Helper()
	var file strings.Builder
	mint := func(grant auth.Grant) string {
		token, line, err := auth.Mint(grant)
		if err != nil {
			t.Fatal(err)
		}
		file.WriteString(line + "\n")
		return token
	}
	all, one, answerer = mint(auth.Grant{}), mint(auth.Grant{Key: "k"}), mint(auth.Grant{Role: cache.Answer})
	path := filepath.Join(t.TempDir(), "tokens")
	if err := os.WriteFile(path, []byte(file.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	guard, err := auth.Open(t.Context(), auth.Config{TokensFile: path}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(guard.Close)
	return func(o *options) { o.config.Guard = guard }, all, one, answerer
}

func TestTokens(t *testing.T) {
	change, all, one, answerer := guarded(t)
	s := serve(t, change)
	const unknown = custerrors.KeyNotFound
	for _, tt := range []struct {
		line, key, authorization string
		want                     custerrors.Error
	}{
		{"GET /answer/sdp", "k", "", custerrors.NotAuthenticated},
		{"GET /answer/sdp", "k", "Bearer " + all, unknown},
		{"GET /answer/sdp", "k", "bearer  " + all + " ", unknown},
		{"GET /answer/sdp", "k", "BEARER " + all, unknown},
		{"GET /answer/sdp", "k", all, custerrors.NotAuthenticated},
		{"GET /answer/sdp", "k", "Basic " + all, custerrors.NotAuthenticated},
		{"GET /answer/sdp", "k", "Bearer", custerrors.NotAuthenticated},
		{"GET /answer/sdp", "k", "Bearer " + all + "x", custerrors.NotAuthenticated},
		{"GET /answer/sdp", "k", "Bearer " + all[1:], custerrors.NotAuthenticated},
		{"GET /answer/sdp?access_token=" + url.QueryEscape(all), "k", "", unknown},
		{"GET /answer/sdp?access_token=" + url.QueryEscape(all), "k", "Bearer x", custerrors.NotAuthenticated}, // the header wins
		{"GET /answer/sdp?access_token=", "k", "", custerrors.NotAuthenticated},
		{"GET /answer/sdp", "k", "Bearer " + one, unknown},
		{"GET /answer/sdp", "l", "Bearer " + one, custerrors.NotAllowed},
		{"DELETE /session", "k", "Bearer " + one, unknown},
		{"DELETE /session", "l", "Bearer " + one, custerrors.NotAllowed},
		{"GET /answer/sdp", "k", "Bearer " + answerer, unknown},
		{"GET /offer/sdp", "k", "Bearer " + answerer, custerrors.NotAllowed},
		{"DELETE /session", "k", "Bearer " + answerer, unknown},
		{"GET /answer/sdp", "", "Bearer " + all, custerrors.KeyIsEmpty},
		{"GET /answer/events", "k", "", custerrors.NotAuthenticated},
		{"POST /offer/sdp", "k", "", custerrors.NotAuthenticated},
		{"POST /offer/messages", "k", "", custerrors.NotAuthenticated},
		{"POST /answer/candidates", "k", "", custerrors.NotAuthenticated},
		{"GET /healthz", "", "", ""},
		{"GET /readyz", "", "", ""},
		{"GET /nowhere", "", "", custerrors.RouteNotFound},
	} {
		r := request{line: tt.line, key: tt.key}
		if tt.authorization != "" {
			r.header = [][2]string{{"Authorization", tt.authorization}}
		}
		what := tt.line + " of " + tt.key + " by " + strings.NewReplacer(all, "ALL", one, "ONE", answerer, "ANSWERER").Replace(tt.authorization)
		a := s.do(t, r)
		a.expect(t, what, tt.want, "")
		wantChallenge := ""
		if tt.want == custerrors.NotAuthenticated {
			wantChallenge = `Bearer realm="signal-server"`
		}
		if got := a.header.Get("WWW-Authenticate"); got != wantChallenge {
			t.Errorf("%s: WWW-Authenticate: got %q, want %q", what, got, wantChallenge)
		}
	}
	if log := s.log.String(); strings.Contains(log, all) || strings.Contains(log, one) {
		t.Errorf("the log has a token: %s", log)
	}
}

// TestRefusedWritesNothing checks that a request that the gate refuses changes nothing.
func TestRefusedWritesNothing(t *testing.T) {
	change, all, _, _ := guarded(t)
	s := serve(t, change)
	good := [][2]string{{"Authorization", "Bearer " + all}}
	s.do(t, request{line: "POST /offer/sdp", key: "k", body: open("forged")}).expect(t, "forging", custerrors.NotAuthenticated, "")
	s.do(t, request{line: "GET /answer/sdp", key: "k", header: good}).expect(t, "nothing was opened", custerrors.KeyNotFound, "")
	s.do(t, request{line: "POST /offer/sdp", key: "k", header: good, body: open("o")}).expect(t, "opening", "", "")
	s.do(t, request{line: "DELETE /session", key: "k"}).expect(t, "ending", custerrors.NotAuthenticated, "")
	s.do(t, request{line: "GET /answer/sdp", key: "k"}).expect(t, "stealing", custerrors.NotAuthenticated, "")
	s.do(t, request{line: "GET /answer/sdp", key: "k", header: good}).expect(t, "taking", "", `"o"`)
}
