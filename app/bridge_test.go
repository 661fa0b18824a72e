package app

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"signal-server/custerrors"
)

func TestReadWords(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secret")
	for _, tt := range []struct{ content, want, wrong string }{
		{"correct horse battery staple", "correct horse battery staple", ""},
		{"correct horse\n", "correct horse", ""},
		{"correct horse\r\n", "correct horse", ""},
		{" as it is \t\n\n", " as it is \t", ""},
		{strings.Repeat("x", 4096), strings.Repeat("x", 4096), ""},
		{"", "", "is empty"},
		{" \n", "", "is empty"},
		{"hidden\nhidden\n", "", "has more than one line"},
		{strings.Repeat("x", 4097), "", "has more than 4096 bytes"},
	} {
		if err := os.WriteFile(path, []byte(tt.content), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := readWords("--secret-file", path)
		if want := fmt.Sprintf("--secret-file %s: %s", path, tt.wrong); got != tt.want || (err != nil) != (tt.wrong != "") || err != nil && err.Error() != want {
			t.Errorf("%.40q: got %.40q, %v, want %.40q, %s", tt.content, got, err, tt.want, tt.wrong)
		}
	}
	os.Remove(path)
	if _, err := readWords("--token-file", path); err == nil || strings.Count(err.Error(), path) != 1 || !strings.HasPrefix(err.Error(), "--token-file ") {
		t.Errorf("without a file: got %v, want the setting and the path once", err)
	}
}

// The file of a server's tokens is easily taken for that of a token.
func TestReadTokenTakesNoListOfTokens(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens")
	if err := os.WriteFile(path, []byte("sha256:hidden name\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := readToken("--token-file", path)
	if got := fmt.Sprint(err); !strings.HasPrefix(got, "--token-file "+path+": holds no token") || !strings.Contains(got, "a space at byte 14 of 18") || strings.Contains(got, "hidden") {
		t.Errorf("got %q, want it to say why that is no token", got)
	}
}

// A token that is renewed counts at once, without a restart. The secret names the session, so that no key is needed.
func TestBridgeReadsItsTokenAgain(t *testing.T) {
	asked := make(chan *http.Request)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case asked <- r:
		case <-r.Context().Done():
		}
		fmt.Fprintf(w, `{"msg":%q,"data":null}`, string(custerrors.KeyNotFound))
	}))
	t.Cleanup(server.Close)
	token, secret := filepath.Join(t.TempDir(), "token"), filepath.Join(t.TempDir(), "secret")
	write := func(path, text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(token, "first\n")
	write(secret, "correct horse battery staple\n")
	c := bridgeCommand{Server: server.URL, Role: "answer", Listen: "127.0.0.1:0", Forward: "127.0.0.1:1", TokenFile: token, SecretFile: secret}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- c.run(ctx, slog.New(slog.DiscardHandler), nil) }()
	next := func() *http.Request {
		select {
		case r := <-asked:
			if got, want := r.Header.Get("Key"), "D0mW1LFCDJx2JmX3YyPoaA"; got != want {
				t.Errorf("got the key %q, want %q, that of the secret", got, want)
			}
			return r
		case err := <-ended:
			t.Fatalf("got an end, %v, want the bridge to go on", err)
			return nil
		}
	}
	sends := func(want string) {
		for next().Header.Get("Authorization") != "Bearer "+want {
		}
	}
	sends("first") // so that the bridge has begun, which it does not with a file that is being written
	write(token, "second\n")
	sends("second")
	cancel()
	for {
		select {
		case <-asked:
			continue
		case err := <-ended:
			if err != nil {
				t.Errorf("got %v, want no error", err)
			}
		}
		return
	}
}

// All that is wrong with the bridge's files is told at once.
func TestBridgeSaysWhatIsWrongWithItsFiles(t *testing.T) {
	c := bridgeCommand{TokenFile: filepath.Join(t.TempDir(), "none"), SecretFile: t.TempDir()}
	err := c.run(t.Context(), nil, nil)
	if got := fmt.Sprint(err); !strings.Contains(got, "--token-file ") || !strings.Contains(got, "--secret-file ") || strings.Count(got, "\n") != 1 {
		t.Errorf("got %q, want a line for each", got)
	}
}
