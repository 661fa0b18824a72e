package program_test

import (
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var (
	fenced   = regexp.MustCompile("(?ms)^```(\\w*)\n(.*?)^```$")
	comments = map[string]*regexp.Regexp{
		"sh": regexp.MustCompile(`(?m)(^|[ \t]+)#.*$`),
		"js": regexp.MustCompile(`(?m)(^|[ \t]+)//.*$`),
	}
	heading = regexp.MustCompile(`(?m)^(#+) \S`)
	table   = regexp.MustCompile(`(?m)(^\|.*\n)+`)
	flagRow = regexp.MustCompile("(?m)^\\| `--[^|]*\\|[^|]*\\|")
	msgRow  = regexp.MustCompile("(?m)^\\| `[A-Z]\\w+` \\| [^|]+ \\| \\d{3} \\|")
	link    = regexp.MustCompile(`\]\(([^)]+)\)|<(https?://[^>]+)>|src="([^"]+)"`)
)

// outline returns, by kind, what the README of that name must have in common with other, its translation. Links from one to the other do
// not count, nor do links within a page.
func outline(t *testing.T, name, other string) map[string][]string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	text := fenced.ReplaceAllString(string(data), "")
	of := map[string][]string{
		"flag, with its default":        flagRow.FindAllString(text, -1),
		"msg, with constant and status": msgRow.FindAllString(text, -1),
	}
	for _, block := range fenced.FindAllStringSubmatch(string(data), -1) {
		info, content := block[1], block[2]
		if comment := comments[info]; comment != nil {
			content = comment.ReplaceAllString(content, "")
		}
		of["code block"] = append(of["code block"], info+"\n"+content)
	}
	for _, m := range heading.FindAllStringSubmatch(text, -1) {
		of["heading's level"] = append(of["heading's level"], m[1])
	}
	for _, rows := range table.FindAllString(text, -1) {
		of["table's number of rows"] = append(of["table's number of rows"], strconv.Itoa(strings.Count(rows, "\n")))
	}
	var links []string
	for _, m := range link.FindAllStringSubmatch(text, -1) {
		if target := m[1] + m[2] + m[3]; target != other && !strings.HasPrefix(target, "#") {
			links = append(links, target)
		}
	}
	slices.Sort(links)
	of["link"] = slices.Compact(links)
	if !strings.Contains(text, "]("+other+")\n") {
		t.Errorf("%s has no link to %s", name, other)
	}
	return of
}

// TestReadmeInChinese compares the README with its translation: what is not prose is the same in both.
func TestReadmeInChinese(t *testing.T) {
	chinese := outline(t, "README.zh-CN.md", "README.md")
	for kind, want := range outline(t, "README.md", "README.zh-CN.md") {
		got := chinese[kind]
		if len(want) == 0 {
			t.Errorf("%s: the README has none", kind)
		}
		for i := range max(len(got), len(want)) {
			if i >= len(got) || i >= len(want) || got[i] != want[i] {
				t.Errorf("%s %d, of %d in the translation and %d in the README:\n got  %q\n want %q", kind, i+1, len(got), len(want),
					got[min(i, len(got)):min(i+1, len(got))], want[min(i, len(want)):min(i+1, len(want))])
				break
			}
		}
	}
}
