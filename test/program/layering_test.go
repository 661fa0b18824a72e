package program_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "signal-server"

// The libraries that only one room of the house may know.
const (
	fiber    = "github.com/gofiber/..."
	fasthttp = "github.com/valyala/fasthttp/..."
	bigcache = "github.com/allegro/bigcache/..."
	rueidis  = "github.com/redis/rueidis/..."

	prometheus = "github.com/prometheus/..."
)

// The table is the architecture: main → app → cache → custerrors, the stores beside it, the client apart.
var layers = []struct {
	packages string   // a pattern, see matches
	never    []string // patterns of what they do not import, however indirectly
}{
	{module + "/cache", []string{bigcache, rueidis}},
	{module + "/cache/...", []string{fiber, fasthttp, module + "/app/...", module + "/client/..."}},
	{module + "/cache/text", []string{module + "/custerrors", module + "/cache"}}, // it knows strings
	{module + "/cache/memory/...", []string{rueidis}},
	{module + "/cache/redis/...", []string{bigcache}},
	{module + "/app/...", []string{ // it serves the browser's client, client/js, and knows no other
		bigcache, rueidis, module + "/client", module + "/client/bridge/...", module + "/client/pionsignal/...",
		module + "/client/seal/...",
	}},
	{module + "/app/gate/auth/...", []string{fiber, fasthttp, module + "/app", module + "/app/jsontext"}}, // it knows tokens, not requests
	{module + "/app/gate/ticket/...", []string{fiber, fasthttp, module + "/app", module + "/app/gate/auth/..."}},
	{module + "/app/watch/metrics/...", []string{fiber, fasthttp, module + "/app"}}, // it knows numbers
	{module + "/app/watch/accesslog/...", []string{fiber, fasthttp, prometheus, module + "/app", module + "/app/watch/metrics"}},
	{module + "/app/gate/auth/...", []string{prometheus}},
	{module + "/app/gate/limit/...", []string{prometheus}},
	{module + "/app/auth/...", []string{fiber, fasthttp, module + "/app", module + "/cache/text"}}, // it knows tokens, not requests
	{module + "/app/ticket/...", []string{fiber, fasthttp, module + "/app", module + "/app/auth/..."}},
	{module + "/app/metrics/...", []string{fiber, fasthttp, module + "/app"}}, // it knows numbers
	{module + "/app/accesslog/...", []string{fiber, fasthttp, prometheus, module + "/app", module + "/app/metrics"}},
	{module + "/app/auth/...", []string{prometheus}},
	{module + "/app/limit/...", []string{prometheus}},
	{module + "/cache/...", []string{prometheus}},
	{module + "/client/...", []string{fiber, fasthttp, bigcache, rueidis, prometheus}},
	{module + "/...", []string{module + "/app/apptest"}}, // tests alone do
}

// goPackage is what go list says of a package, its tests left out.
type goPackage struct {
	ImportPath, Name, Dir, Doc string
	GoFiles, Imports, Deps     []string
	Standard, DepOnly          bool
}

// packages returns the packages of this module that have more than tests, and reports which import paths are standard.
func packages(t *testing.T) (own []goPackage, standard map[string]bool) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-e", "-deps",
		"-json=ImportPath,Name,Dir,Doc,GoFiles,Imports,Deps,Standard,DepOnly", "./...")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	standard = make(map[string]bool)
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var p goPackage
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("go list: %v", err)
		}
		standard[p.ImportPath] = p.Standard
		if !p.DepOnly && len(p.GoFiles) > 0 {
			own = append(own, p)
		}
	}
	if len(own) == 0 {
		t.Fatal("go list names no package: nothing would be checked")
	}
	return own, standard
}

// matches reports whether the import path is the pattern's, or with /... at its end, also one below it.
func matches(pattern, importPath string) bool {
	root, below := strings.CutSuffix(pattern, "/...")
	return importPath == root || below && strings.HasPrefix(importPath, root+"/")
}

func TestLayers(t *testing.T) {
	own, standard := packages(t)
	checked := 0
	for _, layer := range layers {
		for _, p := range own {
			if !matches(layer.packages, p.ImportPath) {
				continue
			}
			checked++
			for _, dep := range p.Deps {
				if slices.ContainsFunc(layer.never, func(never string) bool { return matches(never, dep) }) {
					t.Errorf("%s: got %s among its imports, however indirect; want it without", p.ImportPath, dep)
				}
			}
		}
	}
	for _, p := range own {
		switch {
		case p.ImportPath == module+"/custerrors":
			checked++
			for _, dep := range p.Deps {
				if !standard[dep] {
					t.Errorf("%s: got the import %s, want the standard library only", p.ImportPath, dep)
				}
			}
		case matches(module+"/client/...", p.ImportPath):
			for _, dep := range p.Imports {
				if matches(module+"/...", dep) && !matches(module+"/client/...", dep) && dep != module+"/custerrors" {
					t.Errorf("%s: got the import %s, want nothing of the server but custerrors", p.ImportPath, dep)
				}
			}
		}
	}
	if checked == 0 {
		t.Fatal("no package is named by any layer: nothing was checked")
	}
}

func TestOnlyMainNamesAStore(t *testing.T) {
	own, _ := packages(t)
	for _, p := range own {
		for _, store := range []string{module + "/cache/memory/...", module + "/cache/redis/..."} {
			if p.ImportPath == module || matches(store, p.ImportPath) {
				continue
			}
			for _, dep := range p.Imports {
				starts := dep == module+"/cache/redis/redistest" && matches(module+"/test/...", p.ImportPath) // programs for tests; no store
				if matches(store, dep) && !starts {
					t.Errorf("%s: got the import %s, want it in main only", p.ImportPath, dep)
				}
			}
		}
	}
}

func TestOnlyMetricsNamesPrometheus(t *testing.T) {
	own, _ := packages(t)
	found := false
	for _, p := range own {
		if slices.ContainsFunc(p.Imports, func(dep string) bool { return matches(prometheus, dep) }) {
			found = true
			if p.ImportPath != module+"/app/watch/metrics" {
				t.Errorf("%s: got Prometheus among its imports, want it in app/watch/metrics only", p.ImportPath)
			}
		}
	}
	if !found {
		t.Fatal("no package imports Prometheus: nothing was checked")
	}
}

func TestPackages(t *testing.T) {
	own, _ := packages(t)
	vague := []string{"util", "utils", "helper", "helpers", "common", "manager", "managers"}
	for _, p := range own {
		if slices.Contains(vague, p.Name) || slices.Contains(vague, path.Base(p.ImportPath)) {
			t.Errorf("%s: got package %s, want a name that says what it is", p.ImportPath, p.Name)
		}
		if p.Doc == "" {
			t.Errorf("%s: got no doc comment, want one that says what the package is", p.ImportPath)
		}
	}
}

func TestFileLength(t *testing.T) {
	const limit = 400 // lines: a file is one idea
	checked := 0
	for _, name := range goFiles(t) {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		source, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		lines := bytes.Count(source, []byte("\n"))
		if lines > limit && !generated(source) {
			t.Errorf("%s: got %d lines, want %d or fewer", name, lines, limit)
		}
		checked++
	}
	if checked == 0 {
		t.Fatal("found no Go file: nothing was checked")
	}
}

// goFiles returns all Go files below this directory, those of other modules included.
func goFiles(t *testing.T) []string {
	t.Helper()
	var names []string
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && name != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "node_modules"):
			return fs.SkipDir
		case !d.IsDir() && strings.HasSuffix(name, ".go"):
			names = append(names, name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func generated(source []byte) bool {
	if bytes.HasPrefix(source, []byte("// Package docs Code generated by swaggo/swag.")) { // swag does not keep to Go's form
		return true
	}
	file, err := parser.ParseFile(token.NewFileSet(), "", source, parser.PackageClauseOnly|parser.ParseComments)
	return err == nil && ast.IsGenerated(file)
}
