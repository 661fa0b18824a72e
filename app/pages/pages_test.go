package pages_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"strconv"
	"strings"
	"testing"

	"signal-server/app/pages"
)

// TestEveryMsgIsTold checks that the page explains each msg of the server.
func TestEveryMsgIsTold(t *testing.T) {
	msgs, err := fs.ReadFile(pages.Files, "msgs.js")
	if err != nil {
		t.Fatal(err)
	}
	file, err := parser.ParseFile(token.NewFileSet(), "../../custerrors/custerrors.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	ast.Inspect(file, func(node ast.Node) bool {
		spec, ok := node.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 {
			return true
		}
		literal, ok := spec.Values[0].(*ast.BasicLit)
		if !ok || literal.Kind != token.STRING {
			return true
		}
		text, err := strconv.Unquote(literal.Value)
		if err != nil {
			t.Fatal(err)
		}
		found++
		if !strings.Contains(string(msgs), "\n  '"+text+"': '") {
			t.Errorf("msgs.js: got nothing for %s, want its meaning", text)
		}
		return true
	})
	if found < 14 {
		t.Errorf("got %d msgs, want 14 or more: the fixed ones alone are so many", found)
	}
}

// TestNothingMakesMarkup checks that the page's own code puts texts into elements as text, never as markup.
func TestNothingMakesMarkup(t *testing.T) {
	names, err := fs.Glob(pages.Files, "*.js")
	if err != nil || len(names) < 5 {
		t.Fatalf("got %v, %v, want the page's code", names, err)
	}
	for _, name := range names {
		code, err := fs.ReadFile(pages.Files, name)
		if err != nil {
			t.Fatal(err)
		}
		for _, forbidden := range []string{
			"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function(", "setHTML", "createContextualFragment", "http:", "https:",
		} {
			line := strings.ReplaceAll(string(code), "'http://www.w3.org/2000/svg'", "")
			if strings.Contains(line, forbidden) {
				t.Errorf("%s: got %s, want none of it", name, forbidden)
			}
		}
	}
}
