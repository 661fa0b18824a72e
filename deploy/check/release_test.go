package check

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goreleaser/goreleaser/v2/pkg/config"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
)

// TestRelease reads the release's configuration strictly, and looks for every file that it names.
func TestRelease(t *testing.T) {
	project, err := config.Load("../../.goreleaser.yaml")
	if err != nil {
		t.Fatal(err)
	}
	build := project.Builds[0]
	if !slices.Equal(build.Goos, []string{"linux", "darwin", "windows"}) || !slices.Equal(build.Goarch, []string{"amd64", "arm64"}) {
		t.Errorf("got %v on %v, want all three on both", build.Goos, build.Goarch)
	}
	var files []string
	for _, file := range project.Archives[0].Files {
		files = append(files, file.Source)
	}
	for _, content := range project.NFPMs[0].Contents {
		files = append(files, content.Source)
	}
	scripts := []string{project.NFPMs[0].Scripts.PostInstall, project.NFPMs[0].Scripts.PreRemove}
	files = append(files, scripts...)
	files = append(files, project.DockersV2[0].Dockerfile)
	for _, file := range files {
		if file == "third-party-licenses.txt" { // a hook before the build makes it
			if hooks := strings.Join(project.Before.Hooks, "\n"); !strings.Contains(hooks, file) {
				t.Errorf("the hooks: got %s, want one that makes %s", hooks, file)
			}
			continue
		}
		if found, err := filepath.Glob("../../" + file); err != nil || len(found) == 0 {
			t.Errorf("%s: got %v, want a file", file, err)
		}
	}
	for _, script := range scripts {
		if out, err := exec.Command("sh", "-n", "../../"+script).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", script, err, out)
		}
	}
	if info, err := os.Stat(filepath.Join("../../dist", project.SBOMs[0].Cmd)); err == nil && info.Mode()&0o111 == 0 {
		t.Errorf("%s is not executable", project.SBOMs[0].Cmd)
	}
	all, _, err := stages()
	if err != nil {
		t.Fatal(err)
	}
	for _, flag := range project.DockersV2[0].Flags {
		target, ok := strings.CutPrefix(flag, "--target=")
		if ok && !slices.ContainsFunc(all, func(s instructions.Stage) bool { return s.Name == target }) {
			t.Errorf("the Dockerfile has no stage %s", target)
		}
	}
}
