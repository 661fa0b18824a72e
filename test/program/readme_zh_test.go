package program_test

import (
	"os"
	"path"
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
	heading = regexp.MustCompile(`(?m)^(#+) (\S.*)$`)
	table   = regexp.MustCompile(`(?m)(^\|.*\n)+`)
	flagRow = regexp.MustCompile("(?m)^\\| `--[^|]*\\|[^|]*\\|[^\\n]") // with a third cell
	msgRow  = regexp.MustCompile("(?m)^\\| `[A-Z]\\w+` \\| [^|]+ \\| \\d{3} \\|")
	link    = regexp.MustCompile(`\]\(([^)]+)\)|<(https?://[^>]+)>|src="([^"]+)"`)
)

// translations are the pages that are there in Chinese, too.
var translations = map[string]string{
	"README.md":             "README.zh-CN.md",
	"docs/protocol.md":      "docs/zh-CN/protocol.md",
	"docs/configuration.md": "docs/zh-CN/configuration.md",
	"docs/load-tests.md":    "docs/zh-CN/load-tests.md",
	"docs/migrating.md":     "docs/zh-CN/migrating.md",
}

// outline returns, by kind, what a page must have in common with its translation. Links between the two do not count, nor do those within
// a page; what leads to a page that is translated leads to the translation.
func outline(t *testing.T, page string, chinese bool) map[string][]string {
	t.Helper()
	data, err := os.ReadFile(page)
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
		target, _, _ := strings.Cut(m[1]+m[2]+m[3], "#")
		if target == "" {
			continue
		}
		if !strings.Contains(target, "://") {
			target = path.Join(path.Dir(page), target)
		}
		translation, translated := translations[target]
		switch {
		case !chinese && translated && translation == translations[page]:
		case chinese && translations[target] == page:
		case chinese && translated:
			t.Errorf("%s: got a link to %s, want one to its translation", page, target)
		case !chinese && translated:
			links = append(links, translation)
		default:
			links = append(links, target)
		}
	}
	slices.Sort(links)
	of["link"] = slices.DeleteFunc(slices.Compact(links), func(target string) bool { return target == page || target == translations[page] })
	return of
}

// TestTranslations compares pages with their translations: what is not prose is the same in both.
func TestTranslations(t *testing.T) {
	for english, chinese := range translations {
		translated := outline(t, chinese, true)
		for kind, want := range outline(t, english, false) {
			got := translated[kind]
			for i := range max(len(got), len(want)) {
				if i >= len(got) || i >= len(want) || got[i] != want[i] {
					t.Errorf("%s: %s %d, of %d in the translation and %d in the original:\n got  %q\n want %q", chinese, kind, i+1, len(got), len(want),
						got[min(i, len(got)):min(i+1, len(got))], want[min(i, len(want)):min(i+1, len(want))])
					break
				}
			}
		}
	}
}
