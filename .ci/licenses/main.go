// Command licenses lists whose code is linked into the server, on every system that it is released for, and under which license.
//
//	licenses FILE            the list, as a page
//	licenses -texts FILE     the texts of the licenses, which go with each binary
//
// It fails if a license is none that it knows: somebody has to look then.
package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	classifier "github.com/google/licenseclassifier/v2"
	"github.com/google/licenseclassifier/v2/assets"
)

// root is the repository, seen from this folder, where the command runs.
const root = "../.."

// part is somebody's code in the binary.
type part struct {
	name, version, license, text string
	files                        []string // of this repository, instead of the text
}

// bundled are files that are not Go: what they are, and under which license they say that they are.
var bundled = []part{
	{name: "qrcode-generator", version: "`app/pages/demo/vendor/qrcode.js`", license: "MIT", text: "Copyright (c) 2009 Kazuhiko Arase, https://www.d-project.com/"},
	{name: "swagger-ui", version: "`app/pages/swagger/vendor`, and an older one in github.com/swaggo/files", license: "Apache-2.0", files: []string{
		"app/pages/swagger/vendor/LICENSE", "app/pages/swagger/vendor/NOTICE", "app/pages/swagger/vendor/swagger-ui-bundle.js.LICENSE.txt",
	}},
}

func main() {
	texts := flag.Bool("texts", false, "write the texts of the licenses")
	flag.Parse()
	if flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "usage: licenses [-texts] FILE")
		os.Exit(2)
	}
	if err := write(flag.Arg(0), *texts); err != nil {
		fmt.Fprintln(os.Stderr, "licenses:", err)
		os.Exit(1)
	}
}

func write(path string, texts bool) error {
	parts, err := linked()
	if err != nil {
		return err
	}
	var page bytes.Buffer
	if texts {
		for _, p := range append(parts, bundled...) {
			for _, file := range p.files {
				text, err := os.ReadFile(filepath.Join(root, file))
				if err != nil {
					return err
				}
				p.text += string(text) + "\n"
			}
			fmt.Fprintf(&page, "== %s %s (%s)\n\n%s\n\n", p.name, strings.Trim(p.version, "`"), p.license, strings.TrimSpace(p.text))
		}
	} else {
		page.WriteString("# Licenses\n\nWhose code is in the binary, on Linux, macOS or Windows, beside its own (MIT). `make generate` writes this page.\n\n" +
			"| what | version | license |\n|---|---|---|\n")
		for _, p := range append(parts, bundled...) {
			fmt.Fprintf(&page, "| %s | %s | %s |\n", p.name, p.version, p.license)
		}
	}
	return os.WriteFile(path, page.Bytes(), 0o644)
}

// linked returns the modules whose packages the server imports, however indirectly, and Go's own library.
func linked() ([]part, error) {
	known, err := assets.DefaultClassifier()
	if err != nil {
		return nil, err
	}
	goroot, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return nil, err
	}
	library := part{name: "Go's library"}
	library.license, library.text, err = licenseIn(known, strings.TrimSpace(string(goroot)))
	errs := []error{err}
	parts := []part{library}
	seen := make(map[string]bool)
	for _, system := range []string{"linux", "darwin", "windows"} {
		modules, err := modulesOn(system)
		if err != nil {
			return nil, err
		}
		for _, m := range modules {
			if m.Main || seen[m.Path] {
				continue
			}
			seen[m.Path] = true
			license, text, err := licenseIn(known, m.Dir)
			errs = append(errs, err)
			parts = append(parts, part{name: m.Path, version: m.Version, license: license, text: text})
		}
	}
	slices.SortFunc(parts, func(a, b part) int { return cmp.Compare(a.name, b.name) })
	return parts, errors.Join(errs...)
}

type module struct {
	Path, Version, Dir string
	Main               bool
}

func modulesOn(system string) (modules []module, err error) {
	cmd := exec.Command("go", "list", "-deps", "-json=Module", ".")
	cmd.Dir, cmd.Stderr = root, os.Stderr
	cmd.Env = append(cmd.Environ(), "GOOS="+system, "CGO_ENABLED=0")
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list for %s: %w", system, err)
	}
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var p struct{ Module *module }
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return modules, nil
		} else if err != nil {
			return nil, fmt.Errorf("go list for %s: %w", system, err)
		}
		if p.Module != nil {
			modules = append(modules, *p.Module)
		}
	}
}

// licenseIn returns the names of the licenses in a module's folder, and their texts with the notices that belong to them.
func licenseIn(known *classifier.Classifier, dir string) (names, text string, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", "", err
	}
	var found, texts []string
	for _, entry := range entries {
		upper := strings.ToUpper(entry.Name())
		isLicense := strings.HasPrefix(upper, "LICENSE") || strings.HasPrefix(upper, "LICENCE") || strings.HasPrefix(upper, "COPYING")
		if entry.IsDir() || !isLicense && upper != "NOTICE" {
			continue
		}
		content, err := os.ReadFile(filepath.Join(dir, entry.Name()))
		if err != nil {
			return "", "", err
		}
		texts = append(texts, string(content))
		for _, match := range known.Match(content).Matches {
			if isLicense && match.MatchType == "License" && !slices.Contains(found, match.Name) {
				found = append(found, match.Name)
			}
		}
	}
	if len(found) == 0 {
		return "", "", fmt.Errorf("%s has no license that is known", dir)
	}
	slices.Sort(found)
	return strings.Join(found, ", "), strings.Join(texts, "\n"), nil
}
