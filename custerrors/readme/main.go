// Command readme writes the table of msg texts into the README: the constant, text, status and meaning of each, from the
// documentation of package custerrors. It replaces what is between the two markers and touches nothing else.
//
//	readme DIRECTORY-OF-CUSTERRORS README
//
// A constant's meaning is its doc comment without its name: "KeyIsEmpty says that …".
package main

import (
	"errors"
	"fmt"
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"signal-server/custerrors"
)

const (
	beginMarker = "<!-- msgs:begin (generated: go generate ./custerrors) -->"
	endMarker   = "<!-- msgs:end -->"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: readme DIRECTORY-OF-CUSTERRORS README")
		os.Exit(2)
	}
	if err := update(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "readme:", err)
		os.Exit(1)
	}
}

// update writes the table of the package in dir into the file. It does not write a file that has this table already.
func update(dir, readme string) error {
	entries, err := entriesOf(dir)
	if err != nil {
		return err
	}
	old, err := os.ReadFile(readme) // #nosec G304 G703 -- go generate names it
	if err != nil {
		return err
	}
	text, err := splice(string(old), table(entries))
	if err != nil {
		return fmt.Errorf("%s: %w", readme, err)
	}
	if text == string(old) {
		return nil
	}
	return os.WriteFile(readme, []byte(text), 0o644) // #nosec G306 G703 -- it is for everybody to read, as it was
}

// entry is one msg text. The text tells its status.
type entry struct {
	constant string
	msg      custerrors.Error
	meaning  string
}

// entriesOf returns the constants of type Error of the package in dir, in the order of file name and line.
func entriesOf(dir string) ([]entry, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return nil, err
	}
	paths = slices.DeleteFunc(paths, func(path string) bool { return strings.HasSuffix(path, "_test.go") })
	fset := token.NewFileSet()
	var files []*ast.File
	for _, path := range paths {
		file, err := parser.ParseFile(fset, path, nil, parser.ParseComments)
		if err != nil {
			return nil, err
		}
		files = append(files, file)
	}
	pkg, err := doc.NewFromFiles(fset, files, "signal-server/custerrors")
	if err != nil {
		return nil, err
	}

	var entries []entry
	for _, value := range errorConstants(pkg) {
		for _, spec := range value.Decl.Specs {
			e, err := newEntry(value, spec.(*ast.ValueSpec))
			if err != nil {
				return nil, fmt.Errorf("%s: %w", fset.Position(spec.Pos()), err)
			}
			entries = append(entries, e)
		}
	}
	if len(entries) == 0 {
		return nil, fmt.Errorf("%s: no exported constant of type Error", dir)
	}
	return entries, nil
}

// errorConstants returns the declarations of exported constants of type Error, in their order.
func errorConstants(pkg *doc.Package) []*doc.Value {
	for _, t := range pkg.Types {
		if t.Name == "Error" {
			return slices.SortedFunc(slices.Values(t.Consts), func(a, b *doc.Value) int {
				return int(a.Decl.Pos() - b.Decl.Pos())
			})
		}
	}
	return nil
}

func newEntry(value *doc.Value, spec *ast.ValueSpec) (entry, error) {
	if len(spec.Names) != 1 || len(spec.Values) != 1 {
		return entry{}, errors.New("want one constant with its text")
	}
	name := spec.Names[0].Name
	literal, ok := spec.Values[0].(*ast.BasicLit)
	if !ok || literal.Kind != token.STRING {
		return entry{}, fmt.Errorf("%s: want a string literal", name)
	}
	msg, err := strconv.Unquote(literal.Value)
	if err != nil {
		return entry{}, fmt.Errorf("%s: %w", name, err)
	}
	comment := spec.Doc.Text()
	if !value.Decl.Lparen.IsValid() {
		comment = value.Doc
	}
	meaning, ok := meaningOf(name, comment)
	if !ok {
		return entry{}, fmt.Errorf("%s: want a doc comment that begins with %q or %q", name, name+" says that", name+" is")
	}
	return entry{constant: name, msg: custerrors.Error(msg), meaning: meaning}, nil
}

// meaningOf returns the doc comment of the constant on one line, without its name and the verb after it.
func meaningOf(name, comment string) (meaning string, ok bool) {
	comment = strings.Join(strings.Fields(comment), " ")
	for _, verb := range [...]string{" says that ", " is "} {
		if meaning, ok = strings.CutPrefix(comment, name+verb); ok {
			return meaning, true
		}
	}
	return "", false
}

// table returns the entries as a Markdown table.
func table(entries []entry) string {
	var b strings.Builder
	b.WriteString("| constant | msg | status | meaning |\n|---|---|---|---|\n")
	for _, e := range entries {
		fmt.Fprintf(&b, "| `%s` | %s | %d | %s |\n", e.constant, cell(string(e.msg)), e.msg.Status(), cell(e.meaning))
	}
	return b.String()
}

// cell returns the text as it stands in a cell of a table.
func cell(text string) string { return strings.ReplaceAll(text, "|", `\|`) }

// splice returns the readme with the table between the markers, each of which is there once.
func splice(readme, table string) (string, error) {
	for _, marker := range [...]string{beginMarker, endMarker} {
		if n := strings.Count(readme, marker); n != 1 {
			return "", fmt.Errorf("the marker %q is there %d times, want once", marker, n)
		}
	}
	before, rest, _ := strings.Cut(readme, beginMarker)
	_, after, ok := strings.Cut(rest, endMarker)
	if !ok {
		return "", fmt.Errorf("the marker %q is before %q, want it behind", endMarker, beginMarker)
	}
	return before + beginMarker + "\n\n" + table + "\n" + endMarker + after, nil
}
