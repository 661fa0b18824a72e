package program_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestArchitectureNamesFiles checks that the page's guide answers its questions with files that exist, and with names that they have.
func TestArchitectureNamesFiles(t *testing.T) {
	const page = "docs/architecture.md"
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	_, guide, _ := strings.Cut(string(text), "| question | file |\n|---|---|\n")
	guide, _, _ = strings.Cut(guide, "\n\n")
	rows := strings.Split(guide, "\n")
	if len(rows) < 6 {
		t.Fatalf("%s: got %d questions, want six or more", page, len(rows))
	}
	link := regexp.MustCompile("\\[`([^`]+)`\\]\\(([^)]+)\\)((?:, (?:and )?`[A-Za-z.]+`)*(?: and `[A-Za-z.]+`)?)")
	for _, row := range rows {
		files := link.FindAllStringSubmatch(row, -1)
		if len(files) == 0 {
			t.Errorf("%s: got no file for %s", page, row)
		}
		for _, file := range files {
			source, err := os.ReadFile(filepath.Join("docs", file[2]))
			if err != nil || !strings.HasPrefix(filepath.Join("docs", file[2]), file[1]) {
				t.Errorf("%s: got %s as %s, %v, want a file of this repository", page, file[2], file[1], err)
			}
			for _, name := range regexp.MustCompile("`(?:[A-Za-z]+\\.)?([A-Za-z]+)`").FindAllStringSubmatch(file[3], -1) {
				if !strings.Contains(string(source), name[1]) {
					t.Errorf("%s: got no %s in %s, want what is named", page, name[1], file[1])
				}
			}
		}
	}
}
