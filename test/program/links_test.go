package program_test

import (
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
)

// TestLinks follows each link from one page of the repository to another, and to a heading there.
func TestLinks(t *testing.T) {
	followed := 0
	for _, page := range append(pages(t), "CHANGELOG.md") {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(unquoted(string(text)), -1) {
			target := m[1] + m[2] + m[3]
			if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
				continue
			}
			followed++
			name, fragment, _ := strings.Cut(target, "#")
			if name == "" {
				name = page
			} else {
				name = path.Join(path.Dir(page), name)
			}
			if _, err := os.Stat(name); err != nil {
				t.Errorf("%s: got a link to %s, want it there: %v", page, target, err)
			} else if fragment != "" && !slices.Contains(anchors(t, name), fragment) {
				t.Errorf("%s: got a link to %s, want such a heading in %s", page, target, name)
			}
		}
	}
	if followed < 50 {
		t.Errorf("got %d links, want those of all pages", followed)
	}
}

var codeSpan = regexp.MustCompile("`[^`\n]*`")

// unquoted returns a page without its code.
func unquoted(page string) string {
	return codeSpan.ReplaceAllString(fenced.ReplaceAllString(page, ""), "")
}

// anchors returns the names by which the headings of a page are linked to, as GitHub makes them.
func anchors(t *testing.T, page string) (all []string) {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range heading.FindAllStringSubmatch(fenced.ReplaceAllString(string(text), ""), -1) {
		all = append(all, strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
				return unicode.ToLower(r)
			}
			return -1
		}, m[2]))
	}
	return all
}
