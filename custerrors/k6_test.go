package custerrors_test

import (
	"go/ast"
	"os"
	"regexp"
	"strconv"
	"testing"
)

// The load tests compare the texts, too. Each text that they name must be one of this package.
func TestK6Texts(t *testing.T) {
	script, err := os.ReadFile("../k6/lib/msgs.js")
	if err != nil {
		t.Fatal(err)
	}
	want := make(map[string]string)
	for _, spec := range constants(t) {
		want[spec.Names[0].Name], _ = strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
	}
	lines := regexp.MustCompile(`(?m)^export const (\w+) = '(.*)';$`).FindAllStringSubmatch(string(script), -1)
	if len(lines) == 0 {
		t.Fatal("got no text, want those of msgs.js")
	}
	for _, line := range lines {
		if name, got := line[1], line[2]; got != want[name] {
			t.Errorf("%s: got %q, want %q", name, got, want[name])
		}
	}
}
