// Package need is how a test says what it cannot do without: programs, root, namespaces. Where something is missing the test is skipped, but
// where CI=true it fails: there all is tested.
//
// It is for tests only. It knows nothing of what is tested.
package need

import (
	"os"
	"os/exec"
	"testing"
)

// Programs ends the test if one of these programs is not in the PATH.
func Programs(t testing.TB, names ...string) {
	t.Helper()
	for _, name := range names {
		if _, err := exec.LookPath(name); err != nil {
			Missing(t, name+" is missing")
		}
	}
}

// Missing ends the test for that reason.
func Missing(t testing.TB, why string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(why)
	}
	t.Skip(why)
}
