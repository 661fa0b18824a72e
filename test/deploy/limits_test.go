package check

import (
	"maps"
	"os"
	"regexp"
	"testing"
)

// limited matches a variable that bounds what a client may do, in the forms of all files: NAME=value, NAME: value, NAME: "value".
var limited = regexp.MustCompile(`(?m)^(?:ENV)?\s*(SIGNAL_(?:RATE|MAX_CLIENT)_[A-Z_]+)[=:]\s*"?([^"\s]+)`)

// TestLimitsAreTheSame checks that every way to run the server ships the same limits of clients.
func TestLimitsAreTheSame(t *testing.T) {
	var want map[string]string
	for _, path := range []string{"systemd/signal-server.env", "docker/Dockerfile", "compose/compose.yaml", "kubernetes/signal-server.yaml"} {
		text, err := os.ReadFile("../../deploy/" + path)
		if err != nil {
			t.Fatal(err)
		}
		got := make(map[string]string)
		for _, m := range limited.FindAllStringSubmatch(string(text), -1) {
			got[m[1]] = m[2]
		}
		if want == nil {
			want = got
		}
		for _, name := range []string{"SIGNAL_RATE_CONNECTIONS", "SIGNAL_RATE_REQUESTS", "SIGNAL_RATE_OPENS", "SIGNAL_RATE_WRONG_KEYS", "SIGNAL_MAX_CLIENT_WAITS"} {
			if got[name] == "" {
				t.Errorf("%s: got no %s, want it", path, name)
			}
		}
		if !maps.Equal(got, want) {
			t.Errorf("%s: got %v, want %v, as in the other files", path, got, want)
		}
	}
}
