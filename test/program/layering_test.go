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

// wiretest is what all wires are tested with. It lies among them and is none: it makes servers, so it stands above them, and only tests
// import it.
const wiretest = module + "/app/wire/wiretest"

// The libraries that only one room of the house may know.
const (
	fiber    = "github.com/gofiber/..."
	fasthttp = "github.com/valyala/fasthttp/..."
	bigcache = "github.com/allegro/bigcache/..."
	rueidis  = "github.com/redis/rueidis/..."

	prometheus = "github.com/prometheus/..."

	pion = "github.com/pion/..." // of the server: its clients use pion, too
)

// The table is the architecture, from the top to the bottom:
//
//	main → app → server → wire → gate, link, watch → cache → custerrors
//	         └─▶ wire/*, turn, iceserver, cache/memory, cache/redis, pages, listen, certificate, client/bridge
var layers = []struct {
	packages string   // a pattern, see matches
	never    []string // patterns of what they do not import, however indirectly
}{
	{wiretest, []string{rueidis, bigcache, module + "/app", module + "/client", module + "/client/bridge/..."}}, // a harness brings the store
	{module + "/app/server", []string{rueidis, bigcache, pion, module + "/app", module + "/app/turn", module + "/app/pages", module + "/app/flag", module + "/app/wire/call", module + "/client/..."}},
	{module + "/app/wire/...", []string{rueidis, bigcache, pion, module + "/app", module + "/app/turn", module + "/app/server", module + "/app/flag", module + "/app/pages", module + "/client/..."}},
	{module + "/app/pages", []string{rueidis, bigcache, module + "/app", module + "/app/server", module + "/app/wire/call", module + "/client", module + "/client/bridge/..."}},
	{module + "/app/turn", []string{ // Prometheus comes by app/watch/metrics, as to wires; sessions and requests do not
		fiber, fasthttp, rueidis, bigcache, module + "/app", module + "/app/server", module + "/app/wire/...", module + "/app/pages", module + "/app/link", module + "/app/gate/auth",
		module + "/app/gate/ticket", module + "/app/gate", module + "/app/flag", module + "/app/certificate", module + "/cache/memory", module + "/client/...",
	}},
	{module + "/app/iceserver", []string{ // it knows neither HTTP nor who asks
		fiber, fasthttp, prometheus, pion, "net/http", module + "/app", module + "/app/turn", module + "/app/wire/...", module + "/app/gate/...", module + "/app/watch/...",
		module + "/cache/...", module + "/custerrors",
	}},
	{module + "/app/gate/...", []string{fiber, fasthttp, prometheus, module + "/app", module + "/app/wire/...", module + "/app/link", module + "/app/watch/..."}},
	{module + "/app/link", []string{fiber, prometheus, module + "/app", module + "/app/gate/...", module + "/app/wire/...", module + "/app/watch/...", module + "/cache/...", module + "/custerrors"}},
	{module + "/app/watch/...", []string{fiber, fasthttp, module + "/app", module + "/app/gate/...", module + "/app/wire/...", module + "/app/link", module + "/cache/text"}},
	{module + "/app/watch/accesslog", []string{prometheus, module + "/app/watch/metrics"}},
	{module + "/app/gate/auth", []string{module + "/app/gate/ticket", module + "/app/gate/limit", module + "/cache/text"}}, // it knows tokens, not requests
	{module + "/app/gate/ticket", []string{module + "/app/gate/auth", module + "/app/gate/limit", module + "/cache/text"}},
	{module + "/app/flag", []string{module + "/app", module + "/app/gate/...", module + "/app/wire/...", module + "/app/server", module + "/cache/..."}}, // it knows no setting
	{module + "/app/envfile", []string{module + "/app", module + "/app/flag", module + "/cache/..."}},                                                    // it does not know what variables are for
	{module + "/app/listen", []string{fiber, fasthttp, module + "/cache/...", module + "/app/link"}},
	{module + "/app/certificate", []string{fiber, fasthttp, module + "/cache/...", module + "/app/link"}},
	{module + "/app/secrets", []string{module + "/app", module + "/app/gate/...", module + "/app/certificate", module + "/cache/..."}}, // it does not know what they are for
	{module + "/cache", []string{bigcache, rueidis}},
	{module + "/cache/...", []string{fiber, fasthttp, prometheus, module + "/app/...", module + "/client/..."}},
	{module + "/cache/text", []string{module + "/custerrors", module + "/cache"}}, // it knows strings
	{module + "/cache/memory", []string{rueidis}},
	{module + "/cache/redis/...", []string{bigcache}},
	{module + "/client/...", []string{fiber, fasthttp, bigcache, rueidis, prometheus}},
	{module + "/app", []string{module + "/app/apptest/...", module + "/test/..."}}, // tests alone do
}

// rooms that may name Fiber: those that have a request of its router in their hands.
var fiberRooms = []string{module + "/app/server", module + "/app/wire/...", module + "/app/pages"}

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
			if !matches(layer.packages, p.ImportPath) || p.ImportPath == wiretest && layer.packages != wiretest {
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

// TestWiresAreApart checks that no wire knows another one: each is a folder that can be taken out.
func TestWiresAreApart(t *testing.T) {
	own, _ := packages(t)
	checked := 0
	for _, p := range own {
		wire, ok := wireOf(p.ImportPath)
		if !ok {
			continue
		}
		checked++
		for _, dep := range p.Deps {
			if other, ok := wireOf(dep); ok && other != wire {
				t.Errorf("%s: got %s among its imports, want no other wire", p.ImportPath, dep)
			}
		}
	}
	if checked == 0 {
		t.Fatal("found no wire: nothing was checked")
	}
}

// wireOf returns the name of the wire that a package belongs to.
func wireOf(importPath string) (string, bool) {
	below, ok := strings.CutPrefix(importPath, module+"/app/wire/")
	name, _, _ := strings.Cut(below, "/")
	return name, ok && importPath != wiretest
}

func TestOnlyTestsImportWhatWiresAreTestedWith(t *testing.T) {
	own, _ := packages(t)
	found := false
	for _, p := range own {
		found = found || p.ImportPath == wiretest
		if slices.Contains(p.Deps, wiretest) {
			t.Errorf("%s: got %s among its imports, however indirect; want it in tests only", p.ImportPath, wiretest)
		}
	}
	if !found {
		t.Fatalf("found no %s: nothing was checked", wiretest)
	}
}

func TestFiberIsInItsRooms(t *testing.T) {
	own, _ := packages(t)
	found := false
	for _, p := range own {
		if !slices.ContainsFunc(p.Imports, func(dep string) bool { return matches(fiber, dep) }) || strings.HasPrefix(p.ImportPath, module+"/test/") {
			continue
		}
		found = true
		if !slices.ContainsFunc(fiberRooms, func(room string) bool { return matches(room, p.ImportPath) }) {
			t.Errorf("%s: got Fiber among its imports, want it in %v only", p.ImportPath, fiberRooms)
		}
	}
	if !found {
		t.Fatal("no package imports Fiber: nothing was checked")
	}
}

// TestRoomsHaveNoCircle checks what the compiler does not: that no two folders need each other, by whichever of their packages.
func TestRoomsHaveNoCircle(t *testing.T) {
	own, _ := packages(t)
	needs := make(map[string]map[string]bool)
	for _, p := range own {
		from := roomOf(p.ImportPath)
		if needs[from] == nil {
			needs[from] = make(map[string]bool)
		}
		for _, dep := range p.Imports {
			if to := roomOf(dep); to != "" && to != from {
				needs[from][to] = true
			}
		}
	}
	var below func(room string, path []string)
	below = func(room string, path []string) {
		if i := slices.Index(path, room); i >= 0 {
			t.Fatalf("got the circle %v, want none", append(path[i:], room))
		}
		for next := range needs[room] {
			below(next, append(slices.Clone(path), room))
		}
	}
	for room := range needs {
		below(room, nil)
	}
	if len(needs) < 10 {
		t.Fatalf("got %d rooms: hardly anything was checked", len(needs))
	}
}

// roomOf returns the folder that a package belongs to, "" if it is not of this module: of app and test each folder is a room, elsewhere
// the top-level one. app itself is the program, and a room of its own; so is what wires are tested with.
func roomOf(importPath string) string {
	if importPath == wiretest {
		return "app/wire/wiretest"
	}
	below, ok := strings.CutPrefix(importPath, module+"/")
	if !ok {
		return ""
	}
	parts := strings.SplitN(below, "/", 3)
	if (parts[0] == "app" || parts[0] == "test") && len(parts) > 1 {
		return parts[0] + "/" + parts[1]
	}
	return parts[0]
}

func TestOnlyTheProgramNamesAStore(t *testing.T) {
	own, _ := packages(t)
	for _, p := range own {
		for _, store := range []string{module + "/cache/memory", module + "/cache/redis"} {
			if p.ImportPath == module+"/app" || matches(store+"/...", p.ImportPath) || strings.HasPrefix(p.ImportPath, module+"/test/") {
				continue
			}
			if slices.Contains(p.Imports, store) {
				t.Errorf("%s: got the import %s, want it in app only", p.ImportPath, store)
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
	checked := map[string]int{}
	for _, name := range sources(t) {
		source, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		lines := bytes.Count(source, []byte("\n"))
		if lines > limit && !generated(name, source) {
			t.Errorf("%s: got %d lines, want %d or fewer", name, lines, limit)
		}
		checked[filepath.Ext(name)]++
	}
	if checked[".go"] == 0 || checked[".js"] == 0 {
		t.Fatalf("got %v files: some were not checked", checked)
	}
}

// sources returns all Go and JavaScript files below this directory, those of other modules included, without tests and the code of others.
func sources(t *testing.T) []string {
	t.Helper()
	var names []string
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && name != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "node_modules" || d.Name() == "vendor"):
			return fs.SkipDir
		case d.IsDir() || strings.HasSuffix(name, "_test.go") || strings.HasSuffix(name, ".test.js"):
		case strings.HasSuffix(name, ".go") || strings.HasSuffix(name, ".js"):
			names = append(names, name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func generated(name string, source []byte) bool {
	if bytes.HasPrefix(source, []byte("// Package docs Code generated by swaggo/swag.")) { // swag does not keep to Go's form
		return true
	}
	if !strings.HasSuffix(name, ".go") {
		return strings.Contains(name, "/dist/")
	}
	file, err := parser.ParseFile(token.NewFileSet(), "", source, parser.PackageClauseOnly|parser.ParseComments)
	return err == nil && ast.IsGenerated(file)
}
