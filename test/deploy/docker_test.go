package check

import (
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// stages parses the Dockerfile as docker does.
func stages() ([]instructions.Stage, []instructions.ArgCommand, error) {
	file, err := os.Open("../../deploy/docker/Dockerfile")
	if err != nil {
		return nil, nil, err
	}
	defer file.Close()
	parsed, err := parser.Parse(file)
	if err != nil {
		return nil, nil, err
	}
	return instructions.Parse(parsed.AST, nil)
}

// builtVersion is the version that the program of these tests reports.
const builtVersion = "v1.2.3-test"

// program builds the server once, by the Dockerfile's own command, and returns its path.
func program(t *testing.T) string {
	t.Helper()
	path, err := build()
	if err != nil {
		t.Fatalf("building as the Dockerfile does: %v", err)
	}
	return path
}

var folder string // of the program; TestMain makes and removes it

func TestMain(m *testing.M) {
	os.Exit(func() int {
		var err error
		if folder, err = os.MkdirTemp("", "check"); err != nil {
			panic(err)
		}
		defer os.RemoveAll(folder)
		return m.Run()
	}())
}

var build = sync.OnceValues(func() (string, error) {
	all, _, err := stages()
	if err != nil {
		return "", err
	}
	path := filepath.Join(folder, "signal-server")
	for _, stage := range all {
		for _, command := range stage.Commands {
			run, ok := command.(*instructions.RunCommand)
			if !ok || !strings.Contains(run.CmdLine[0], "go build") {
				continue
			}
			cmd := exec.Command("sh", "-ec", strings.Replace(run.CmdLine[0], "-o /signal-server", "-o "+path, 1))
			cmd.Dir, cmd.Stderr = "../..", os.Stderr
			cmd.Env = append(os.Environ(), "TARGETOS="+runtime.GOOS, "TARGETARCH="+runtime.GOARCH, "VERSION="+builtVersion)
			return path, cmd.Run()
		}
	}
	return "", os.ErrNotExist
})

// TestDockerfile checks the image that the Dockerfile describes, and that its build command makes a program that runs in it.
func TestDockerfile(t *testing.T) {
	all, args, err := stages()
	if err != nil {
		t.Fatal(err)
	}
	pinned := regexp.MustCompile(`:[0-9]+\.[0-9]+\.[0-9]+-|distroless/static-debian12:nonroot`)
	for _, arg := range args {
		for _, a := range arg.Args {
			if a.Value == nil || !pinned.MatchString(*a.Value) {
				t.Errorf("%s is not a version", a.Key)
			}
		}
	}
	var text strings.Builder
	for _, command := range all[0].Commands { // the stage on which both images are based
		text.WriteString(strings.Join(strings.Fields(command.(interface{ String() string }).String()), " ") + "\n")
	}
	for _, want := range []string{"USER 65532:65532", `"/signal-server", "healthcheck"`, `ENTRYPOINT ["/signal-server"]`} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the image: got\n%swant %s", &text, want)
		}
	}
	if last := all[len(all)-1]; last.BaseName != all[0].Name {
		t.Errorf("the last stage is made from %s, want %s", last.BaseName, all[0].Name)
	}
	if out, err := exec.Command(program(t), "--version").Output(); err != nil || strings.TrimSpace(string(out)) != builtVersion {
		t.Errorf("--version: got %q %v, want %s", out, err, builtVersion)
	}
	file, err := elf.Open(program(t))
	if err != nil {
		t.Skipf("what is built here is not for Linux: %v", err)
	}
	defer file.Close()
	for _, p := range file.Progs {
		if p.Type == elf.PT_INTERP {
			t.Error("the program needs a dynamic linker: there is none in the image")
		}
	}
}
