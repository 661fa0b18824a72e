package check

import (
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goreleaser/goreleaser/v2/pkg/config"
	"github.com/goreleaser/nfpm/v2/files"
)

// laidOut returns the contents of the packages besides the program, as nfpm lays them out.
func laidOut(t *testing.T, of config.NFPM) files.Contents {
	t.Helper()
	var raw files.Contents
	for _, c := range of.Contents {
		source := "../../" + c.Source
		if c.Source == licenses { // any file in its place
			source = "../../LICENSE"
		}
		raw = append(raw, &files.Content{
			Source: source, Destination: c.Destination, Type: c.Type, FileInfo: &files.ContentFileInfo{Mode: c.FileInfo.Mode},
		})
	}
	all, err := files.PrepareForPackager(raw, 0o022, "deb", false, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestPackage checks that the package installs every file that the units name.
func TestPackage(t *testing.T) {
	project, err := config.Load("../../.goreleaser.yaml")
	if err != nil {
		t.Fatal(err)
	}
	of := project.NFPMs[0]
	if of.Bindir != "" {
		t.Errorf("got the program in %s, want it where the unit looks, in /usr/bin", of.Bindir)
	}
	installed := map[string]*files.Content{"/usr/bin/" + project.Builds[0].Binary: {}}
	for _, c := range laidOut(t, of) {
		installed[c.Destination] = c
	}
	var units []string
	for name := range installed {
		if !strings.HasPrefix(name, "/usr/lib/systemd/system/") || strings.HasSuffix(name, "/") {
			continue
		}
		units = append(units, path.Base(name))
		text, err := os.ReadFile("../../deploy/systemd/" + path.Base(name))
		if err != nil {
			t.Fatal(err)
		}
		for _, named := range regexp.MustCompile(`/(?:usr|etc)/[\w./-]*\w`).FindAllString(string(text), -1) {
			if installed[named] == nil {
				t.Errorf("%s names %s: got no such file in the package, want it", name, named)
			}
		}
	}
	slices.Sort(units)
	if want := []string{"signal-server.service", "signal-server.socket"}; !slices.Equal(units, want) {
		t.Errorf("units: got %v, want %v", units, want)
	}
	env := installed["/etc/signal-server/signal-server.env"]
	if env == nil || env.Type != files.TypeConfigNoReplace || env.FileInfo.Mode != 0o640 {
		t.Errorf("the environment file: got %+v, want it kept at an upgrade, and not for all to read: --store may have a password", env)
	}
	for _, page := range []string{"docs/operations.md", "deploy/prometheus/alerts.yaml", "deploy/grafana/signal-server.json", "deploy/coturn/turnserver.conf", "deploy/eturnal/eturnal.yml"} {
		if name := "/usr/share/doc/signal-server/" + page; installed[name] == nil {
			t.Errorf("got no %s in the package, want all that docs/operations.md needs", name)
		}
	}
	if !slices.Contains(of.Recommends, "ca-certificates") {
		t.Errorf("recommends: got %q, want the authorities that TLS to others is checked by", of.Recommends)
	}
	script := func(name string) string {
		text, err := fs.ReadFile(os.DirFS("../.."), name)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	for _, unit := range units { // a socket that still listens would start the service again
		if text := script(of.Scripts.PreRemove); !strings.Contains(text, unit) {
			t.Errorf("before removal: got no word of %s in\n%s", unit, text)
		}
	}
	// root makes files by the command that the environment file names, and the server must be able to read them.
	tokens := regexp.MustCompile(`signal-server token --file (\S+)`).FindStringSubmatch(script("deploy/systemd/signal-server.env"))
	if tokens == nil || !strings.Contains(script(of.Scripts.PostInstall), "touch "+tokens[1]) {
		t.Errorf("after installation: got %q in the environment file, want the file of tokens made, to be read by the group", tokens)
	}
}
