package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"regexp"
	"strings"
)

// home is where people find the repository.
type home struct {
	page string // for people
	git  string // for git; "": the page
	bugs string // "": not known
	sub  string // the module's folder in the repository, with a slash at the end
}

// forges are hosts whose repositories have two names, and where their issues are.
var forges = map[string]string{
	"github.com": "/issues", "gitlab.com": "/-/issues", "codeberg.org": "/issues", "bitbucket.org": "/issues", "gitea.com": "/issues",
}

// home returns what the module's path tells of where it is.
func (r *rules) home() home {
	parts := strings.Split(r.path, "/")
	issues, known := forges[parts[0]]
	if !known || len(parts) < 3 {
		return home{page: "https://" + r.path}
	}
	repository := parts[:3]
	if parts[0] == "gitlab.com" { // it has groups in groups
		repository = parts
	}
	page := "https://" + strings.Join(repository, "/")
	return home{page: page, git: page + ".git", bugs: page + issues, sub: strings.TrimPrefix(strings.Join(parts[len(repository):], "/")+"/", "/")}
}

// clone returns what stands behind git clone. The folder is called as the program is.
func (h home) clone() string {
	if path.Base(h.page) == program {
		return h.page
	}
	return h.page + " " + program
}

// inPackage says in package.json where the package comes from, and leaves the rest as it stands.
func (r *rules) inPackage(text []byte) ([]byte, error) {
	for _, member := range []string{`  "repository": \{[^}]*\},\n`, `  "homepage": .*,\n`, `  "bugs": .*,\n`} {
		text = regexp.MustCompile(`(?m)^`+member).ReplaceAll(text, nil)
	}
	h := r.home()
	git := h.git
	if git == "" {
		git = h.page
	}
	members := fmt.Sprintf("  \"repository\": {\n    \"type\": \"git\",\n    \"url\": \"git+%s\",\n    \"directory\": \"%sclient/js\"\n  },\n  \"homepage\": \"%s\",\n",
		git, h.sub, h.page)
	if h.bugs != "" {
		members += fmt.Sprintf("  \"bugs\": \"%s\",\n", h.bugs)
	}
	license := []byte("  \"license\":")
	if !bytes.Contains(text, license) {
		return nil, errors.New("it has no license, before which the repository stands")
	}
	text = bytes.Replace(text, license, append([]byte(members), license...), 1)
	if !json.Valid(text) {
		return nil, fmt.Errorf("got no JSON after the renaming:\n%s", text)
	}
	return text, nil
}
