package pages_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"signal-server/app/pages"
)

// TestEveryMsgIsTold checks that the page explains each msg of the server, in English and in Chinese.
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
		told := regexp.MustCompile(`\n  '` + regexp.QuoteMeta(text) + `': \['[^']*[a-z]{2}[^']*', '[^']*\p{Han}[^']*'\],\n`)
		if !told.Match(msgs) {
			t.Errorf("msgs.js: got nothing for %s, want its meaning in two languages", text)
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

// TestPageHasNoTextOfItsOwn checks that what index.html says is named in the table of texts, which has it in each language: only what a
// browser without JavaScript shows is written there.
func TestPageHasNoTextOfItsOwn(t *testing.T) {
	content, err := fs.ReadFile(pages.Files, "index.html")
	if err != nil {
		t.Fatal(err)
	}
	texts, err := fs.ReadFile(pages.Files, "texts.js")
	if err != nil {
		t.Fatal(err)
	}
	page := regexp.MustCompile(`(?s)<noscript>.*?</noscript>|<title>.*?</title>|<p class="name">.*?</p>`).ReplaceAllString(string(content), "")
	_, body, found := strings.Cut(page, "<body")
	if !found {
		t.Fatal("got no body")
	}
	for _, text := range regexp.MustCompile(`>([^<>]+)<`).FindAllStringSubmatch(body, -1) {
		if got := strings.TrimSpace(text[1]); got != "" {
			t.Errorf("index.html: got the text %q, want data-text", got)
		}
	}
	for _, attribute := range regexp.MustCompile(` (?:aria-label|alt|title)="[^"]*"`).FindAllString(body, -1) {
		t.Errorf("index.html: got%s, want data-label", attribute)
	}
	named := regexp.MustCompile(` data-(?:text|label|placeholder)="(\w+)"`).FindAllStringSubmatch(body, -1)
	if len(named) < 30 {
		t.Errorf("got %d named texts, want 30 or more", len(named))
	}
	for _, name := range named {
		if !strings.Contains(string(texts), "\n  "+name[1]+": [") {
			t.Errorf("texts.js: got nothing for %s, want its text", name[1])
		}
	}
}
