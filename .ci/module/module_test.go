package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// repository is this one, seen from this folder.
const repository = "../.."

// command runs a command line in a folder, and returns what it says.
func command(t *testing.T, dir, line string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", line)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PWD="+dir, "MAKEFLAGS=", "MAKELEVEL=", "GOFLAGS=-buildvcs=false",
		"GIT_CONFIG_COUNT=3", "GIT_CONFIG_KEY_0=user.name", "GIT_CONFIG_VALUE_0=Test", "GIT_CONFIG_KEY_1=user.email", "GIT_CONFIG_VALUE_1=test@localhost",
		"GIT_CONFIG_KEY_2=safe.directory", "GIT_CONFIG_VALUE_2=*")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// must runs a command line that has to succeed.
func must(t *testing.T, dir, line string) string {
	t.Helper()
	out, err := command(t, dir, line)
	if err != nil {
		t.Fatalf("%s: %v\n%s", line, err, out)
	}
	return out
}

// copied returns a copy of the repository, as the working tree has it, committed.
func copied(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "copy")
	list := must(t, repository, "git ls-files -z --cached --others --exclude-standard")
	for name := range strings.SplitSeq(strings.TrimRight(list, "\x00"), "\x00") {
		from := filepath.Join(repository, name)
		info, err := os.Stat(from)
		if os.IsNotExist(err) {
			continue // it is removed, and that not committed
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		to := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to, text, info.Mode()); err != nil {
			t.Fatal(err)
		}
	}
	must(t, dir, "git init --quiet && git add --all --force && git commit --quiet --message=copy")
	return dir
}

func read(t *testing.T, dir, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestRename renames a copy to a path whose last part is not the program's name, builds and tests it, and imports it from outside.
func TestRename(t *testing.T) {
	const path = "github.com/somebody/rendezvous"
	dir := copied(t)
	out := must(t, dir, "make --no-print-directory module MODULE="+path)
	if !strings.Contains(out, "the module is "+path+" now, and was signal-server") {
		t.Errorf("got %q, want what has been done", out)
	}
	for file, want := range map[string]string{
		"go.mod":                   "module " + path + "\n",
		"test/deploy/go.mod":       "module " + path + "/test/deploy\n",
		"test/bench/go.mod":        "replace " + path + " => ../../\n",
		"k6/go.mod":                "module " + path + "/k6\n",
		".ci/tools/go.mod":         "\t" + path + "/ci/tools/gosec\n",
		".goreleaser.yaml":         "-X " + path + "/app.version=",
		"deploy/docker/Dockerfile": "LABEL org.opencontainers.image.source=https://" + path + "\n",
		"main.go":                  `"` + path + `/app"`,
	} {
		if !strings.Contains(read(t, dir, file), want) {
			t.Errorf("%s: got no %q in it", file, want)
		}
	}
	if got := must(t, dir, "git grep -nE '(^|[^A-Za-z0-9_./-])signal-server/(app|cache|client|custerrors)\\b' -- ':!.ci/module' || true"); got != "" {
		t.Errorf("of the old path, got\n%swant nothing", got)
	}
	for _, file := range []string{"deploy/systemd/signal-server.service", "deploy/kubernetes/signal-server.yaml", "deploy/haproxy/haproxy.cfg"} {
		if got, want := read(t, dir, file), read(t, repository, file); got != want {
			t.Errorf("%s: got it changed, want the program's name kept", file)
		}
	}
	var pkg struct {
		Name, Homepage, Bugs string
		Repository           struct{ Type, URL, Directory string }
	}
	if err := json.Unmarshal([]byte(read(t, dir, "client/js/package.json")), &pkg); err != nil {
		t.Fatal(err)
	}
	if pkg.Name != "signal-server-client" || pkg.Homepage != "https://"+path || pkg.Bugs != "https://"+path+"/issues" ||
		pkg.Repository.URL != "git+https://"+path+".git" || pkg.Repository.Directory != "client/js" {
		t.Errorf("package.json: got %+v, want it to name https://%s", pkg, path)
	}

	must(t, dir, "go build ./... && go vet ./... && go -C test/bench vet ./... && go -C k6 list ./... && go mod tidy -diff && go -C test/bench mod tidy -diff")
	must(t, dir, "go test -timeout 120s ./custerrors/... ./client ./client/seal ./app/flag ./app/pages && "+
		"go test -timeout 120s -run 'Layers|Wires|Fiber|Rooms|Architecture' ./test/program")
	if out := must(t, dir, ".ci/tool gofumpt -l ."); out != "" {
		t.Errorf("not formatted: got\n%swant nothing", out)
	}
	version := must(t, dir, "go build -ldflags='-X "+path+"/app.version=v1.2.3' -o signal-server . && ./signal-server --version")
	if strings.TrimSpace(version) != "v1.2.3" {
		t.Errorf("--version: got %q, want v1.2.3", version)
	}
	outside(t, dir, path, "go mod edit -require "+path+"@v0.0.0 -replace "+path+"="+dir+" && go mod tidy")

	must(t, dir, "git add --all && git commit --quiet --message=renamed")
	if out := must(t, dir, "make --no-print-directory module MODULE="+path); !strings.Contains(out, "already") {
		t.Errorf("the second time: got %q, want already", out)
	}
	if out := must(t, dir, "git status --porcelain"); out != "" {
		t.Errorf("the second time: got\n%swant nothing changed", out)
	}
	const other = "example.org/signal-server"
	must(t, dir, "make --no-print-directory module MODULE="+other)
	if got := must(t, dir, "git grep -n somebody/rendezvous -- ':!.ci/module' || true"); got != "" {
		t.Errorf("renamed again: got\n%swant nothing of the path before", got)
	}
	must(t, dir, "go build . && go -C .ci/module vet .")
	if got := read(t, dir, "client/js/package.json"); !strings.Contains(got, `"homepage": "https://example.org/signal-server"`) || strings.Contains(got, "bugs") {
		t.Errorf("package.json: got\n%s\nwant the new page, and no place of bugs, which nobody knows", got)
	}
}

// outside makes a module that imports the client, by these lines, and runs it.
func outside(t *testing.T, checkout, path, lines string) {
	t.Helper()
	dir := filepath.Join(filepath.Dir(checkout), "outside")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	must(t, dir, "rm -f go.mod go.sum && go mod init example.org/outside")
	source := `package main

import (
	"fmt"

	"` + path + `/client/pionsignal"
)

func main() { fmt.Printf("%T\n", pionsignal.Connect) }
`
	if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte(source), 0o644); err != nil {
		t.Fatal(err)
	}
	must(t, dir, lines)
	if out := must(t, dir, "GOPROXY=off go run . && GOPROXY=off go vet ."); !strings.HasPrefix(out, "func(") {
		t.Errorf("outside: got %q, want the client's func", out)
	}
}

// TestReplace types what the README says about using the client before the module has a home.
func TestReplace(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "signal-server")
	root, err := filepath.Abs(repository)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(root, dir); err != nil {
		t.Fatal(err)
	}
	outside(t, dir, "signal-server", "go mod edit -replace signal-server=../signal-server && go get signal-server/client/pionsignal")
}

// TestWrongPathsChangeNothing checks that a path that cannot be a module's is told so, and that changes of somebody's are not mixed with ours.
func TestWrongPathsChangeNothing(t *testing.T) {
	dir := copied(t)
	for path, want := range map[string]string{
		"":                               "MODULE is empty",
		"signal-server":                  "missing dot",
		"owner/signal-server":            "missing dot",
		"github.com/owner/signal server": "invalid char ' '",
		"GitHub.com/owner/signal-server": "invalid char 'G'",
		"github.com/owner/信令":            "invalid char",
		"github.com/../signal-server":    "invalid path element",
		"github.com/owner/":              "trailing slash",
		"/github.com/owner":              "empty path element",
		"https://github.com/owner/x.git": "a module's path is no URL: MODULE=github.com/owner/x",
		"github.com/owner/x/v2":          "ends in /v2",
		"github.com/owner/x$(id)":        "invalid char",
		"-x.org/y":                       "leading dash",
	} {
		var said bytes.Buffer
		cmd := exec.CommandContext(t.Context(), "make", "--no-print-directory", "module", "MODULE="+strings.ReplaceAll(path, "$", "$$"))
		cmd.Dir, cmd.Stderr, cmd.Stdout = dir, &said, &said
		cmd.Env = append(os.Environ(), "MAKEFLAGS=", "MAKELEVEL=", "PWD="+dir)
		if err := cmd.Run(); err == nil || !strings.Contains(said.String(), want) {
			t.Errorf("%q: got %v\n%s\nwant %q", path, err, &said, want)
		}
		if out := must(t, dir, "git status --porcelain"); out != "" {
			t.Fatalf("%q: got\n%swant nothing changed", path, out)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte("package main\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := command(t, dir, "make --no-print-directory module MODULE=example.org/x")
	if err == nil || !strings.Contains(out, "not committed") || !strings.Contains(out, "main.go") {
		t.Errorf("with changes: got %v\n%s\nwant a refusal that names them", err, out)
	}
	if out := must(t, dir, "git status --porcelain"); out != " M main.go\n" {
		t.Errorf("with changes: got\n%swant no other", out)
	}
}

// TestLinksAreLeft renames a tree, in a folder whose name has a space, with links to a folder, to nowhere, and out of the repository.
func TestLinksAreLeft(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a tree")
	const text = "package a\n\nimport _ \"signal-server/app\"\n"
	outside := filepath.Join(t.TempDir(), "a.go")
	for name, text := range map[string]string{filepath.Join(dir, "go.mod"): "module signal-server\n", filepath.Join(dir, "sub/b.go"): text, outside: text} {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, to := range map[string]string{"folder": "sub", "dangling": "nowhere", "a.go": outside} {
		if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	must(t, dir, "git init --quiet && git add --all && git commit --quiet --message=links")
	if err := rename(dir, "example.org/r"); err != nil {
		t.Errorf("got %v, want it done", err)
	}
	if got := must(t, dir, "git diff --name-only"); got != "go.mod\nsub/b.go\n" {
		t.Errorf("got these changed:\n%swant go.mod and sub/b.go", got)
	}
	if got := read(t, filepath.Dir(outside), "a.go"); got != text {
		t.Errorf("outside the repository: got\n%swant it as it was", got)
	}
}

// TestHome checks where npm and git are told that the repository is.
func TestHome(t *testing.T) {
	for path, want := range map[string]home{
		"github.com/o/r":         {page: "https://github.com/o/r", git: "https://github.com/o/r.git", bugs: "https://github.com/o/r/issues"},
		"github.com/o/r/sub/dir": {page: "https://github.com/o/r", git: "https://github.com/o/r.git", bugs: "https://github.com/o/r/issues", sub: "sub/dir/"},
		"gitlab.com/a/b/c":       {page: "https://gitlab.com/a/b/c", git: "https://gitlab.com/a/b/c.git", bugs: "https://gitlab.com/a/b/c/-/issues"},
		"codeberg.org/o/r":       {page: "https://codeberg.org/o/r", git: "https://codeberg.org/o/r.git", bugs: "https://codeberg.org/o/r/issues"},
		"example.org/r":          {page: "https://example.org/r"},
	} {
		if got := newRules("signal-server", path).home(); got != want {
			t.Errorf("%s: got %+v, want %+v", path, got, want)
		}
	}
}

// TestRules checks what is taken for the module's path, and what for the program's name.
func TestRules(t *testing.T) {
	const path = "github.com/o/r"
	for _, tt := range []struct{ name, text, want string }{
		{"a.go", "package a\n\nimport \"signal-server/app/wire\"\n", "package a\n\nimport \"github.com/o/r/app/wire\"\n"},
		{
			"a.go", "package a\n\nimport (\n\t\"golang.org/x\"\n\t\"signal-server/app\"\n)\n",
			"package a\n\nimport (\n\t\"github.com/o/r/app\"\n\t\"golang.org/x\"\n)\n",
		},
		{"a.go", "const module = \"signal-server\"\n", "const module = \"github.com/o/r\"\n"},
		{"a.go", `kong.Name("signal-server")`, `kong.Name("signal-server")`},
		{"a.md", "go mod edit -replace signal-server=../signal-server", "go mod edit -replace github.com/o/r=../signal-server"},
		{"a.md", "`go get signal-server/client@latest`, `go install signal-server@latest`", "`go get github.com/o/r/client@latest`, `go install github.com/o/r@latest`"},
		{"a.md", "replace signal-server => ../signal-server", "replace github.com/o/r => ../signal-server"},
		{"a.md", "git clone https://git.example/x/signal-server.git", "git clone https://github.com/o/r signal-server"},
		{"a.md", "cd signal-server; ./signal-server; docker run signal-server", "cd signal-server; ./signal-server; docker run signal-server"},
		{"a.md", "/etc/signal-server/app and /usr/share/doc/signal-server/docs/x.md", "/etc/signal-server/app and /usr/share/doc/signal-server/docs/x.md"},
		{"a.md", "a signal-server needs no TURN", "a signal-server needs no TURN"},
		{"x/vendor/a.js", "signal-server/app", "signal-server/app"},
	} {
		got, err := newRules("signal-server", path).apply(tt.name, []byte(tt.text))
		if err != nil || string(got) != tt.want {
			t.Errorf("%s: %q: got %q, %v, want %q", tt.name, tt.text, got, err, tt.want)
		}
	}
	again := newRules("github.com/o/r", "example.org/signal")
	for text, want := range map[string]string{
		`"github.com/o/r/app"`:                     `"example.org/signal/app"`,
		"go get github.com/o/r/client":             "go get example.org/signal/client",
		"https://github.com/o/r/issues":            "https://example.org/signal/issues",
		"github.com/o/rest":                        "github.com/o/rest",
		"-replace github.com/o/r=../signal-server": "-replace example.org/signal=../signal-server",
	} {
		if got, err := again.apply("a.md", []byte(text)); err != nil || string(got) != want {
			t.Errorf("again: %q: got %q, %v, want %q", text, got, err, want)
		}
	}
}
