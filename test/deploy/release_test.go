package check

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goreleaser/fileglob"
	"github.com/goreleaser/goreleaser/v2/pkg/config"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
)

// licenses is the file that a hook makes before the build.
const licenses = "third-party-licenses.txt"

// folders returns those of deploy/.
func folders(t *testing.T) (names []string) {
	t.Helper()
	entries, err := os.ReadDir("../../deploy")
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}

// TestReleaseIsSomebodys checks that a release fails unless the releaser gives a name. So nothing published names a placeholder.
func TestReleaseIsSomebodys(t *testing.T) {
	project, err := config.Load("../../.goreleaser.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for name, got := range map[string]string{"MAINTAINER": project.NFPMs[0].Maintainer, "IMAGE": project.DockersV2[0].Images[0]} {
		if want := "{{ .Env." + name + " }}"; got != want {
			t.Errorf("got %q, want %s", got, want)
		}
		set := slices.IndexFunc(project.Env, func(line string) bool { return strings.HasPrefix(line, name+"=") })
		if set < 0 || !strings.Contains(project.Env[set], "{{ else }}{{ .Env."+name+" }}{{ end }}") {
			t.Errorf("got %q, want a release to fail without %s", project.Env, name)
		}
	}
	text, err := os.ReadFile("../../.goreleaser.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "example.") {
		t.Error("got an address of example.com in the configuration, want none")
	}
}

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
	scripts := []string{project.NFPMs[0].Scripts.PostInstall, project.NFPMs[0].Scripts.PreRemove}
	files = append(files, scripts...)
	files = append(files, project.DockersV2[0].Dockerfile)
	archived := make(map[string]bool) // folders of deploy/
	for _, file := range files {
		found, err := fileglob.Glob(file, fileglob.WithFs(os.DirFS("../..")), fileglob.MatchDirectoryIncludesContents)
		if err != nil || len(found) == 0 {
			t.Errorf("%s: got %v, want a file", file, err)
		}
		for _, path := range found {
			if parts := strings.Split(path, "/"); parts[0] == "deploy" {
				archived[parts[1]] = true
			}
		}
	}
	for _, folder := range folders(t) {
		if want := folder != "check"; archived[folder] != want {
			t.Errorf("deploy/%s: got %v, want %v for whether the archive has it", folder, archived[folder], want)
		}
	}
	if hooks := strings.Join(project.Before.Hooks, "\n"); !strings.Contains(hooks, licenses) {
		t.Errorf("the hooks: got %s, want one that makes %s", hooks, licenses)
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

// TestReleaseSaysWhatIsMissing checks that a release which nobody has signed for ends before it begins, and names all that it wants.
func TestReleaseSaysWhatIsMissing(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "make", "--no-print-directory", "release")
	cmd.Dir = "../.."
	cmd.Env = append(os.Environ(), "MAKEFLAGS=", "MAINTAINER=", "IMAGE=", "SNAPSHOT=")
	out, err := cmd.CombinedOutput()
	if err == nil {
		t.Fatalf("got a release, want none:\n%s", out)
	}
	for _, want := range []string{"MAINTAINER is not set", "IMAGE is not set", "make release SNAPSHOT=1"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("got\n%swant %q", out, want)
		}
	}
}
