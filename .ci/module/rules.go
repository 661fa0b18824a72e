package main

import (
	"bytes"
	"go/format"
	"path"
	"regexp"
	"strings"

	"golang.org/x/mod/modfile"
)

// program is what the binary is called, whatever the module's path is.
const program = "signal-server"

// rules are what is written otherwise in which files.
type rules struct {
	old, path string

	importPaths *regexp.Regexp // the old path, and what follows it
	modulePath  *regexp.Regexp // the old path alone, where it can be nothing but a module's
	clone       *regexp.Regexp
}

// newRules returns the rules. A path without a dot, as the module has it at first, is also the name of the program, and of much that has to do
// with it. So it is taken for the path only before a folder of the repository, and where Go's commands want a module.
func newRules(old, path string) *rules {
	quoted := regexp.QuoteMeta(old)
	r := &rules{
		old: old, path: path,
		importPaths: regexp.MustCompile(`(^|[^\w./@-])` + quoted + `(/(?:app|cache|ci|client|custerrors|docs|k6|test)\b)`),
		modulePath:  regexp.MustCompile(`(?m)(-replace |-require |\breplace |\brequire |^const module = "|\bgo (?:get|install) )` + quoted + `((?:@\S*)?(?:[=" ` + "`" + `]|$))`),
		clone:       regexp.MustCompile(`(\bgit clone )\S*\b` + program + `(?:\.git)?((?: ` + program + `)?)`),
	}
	if strings.Contains(old, ".") { // nothing else is called so
		r.importPaths = regexp.MustCompile(`(^|[^\w.-])` + quoted + `($|[^\w-])`)
	}
	return r
}

// apply returns the file as it is after the renaming.
func (r *rules) apply(name string, text []byte) ([]byte, error) {
	if bytes.IndexByte(text, 0) >= 0 || strings.Contains(name, "/vendor/") || strings.HasPrefix(name, ".ci/module/") && !strings.HasSuffix(name, "go.mod") {
		return text, nil // a picture, other people's file, or this program, which speaks of both paths
	}
	if path.Base(name) == "go.mod" {
		return r.inGoMod(name, text)
	}
	before := text
	text = r.everywhere(text)
	switch {
	case path.Ext(name) == ".go" && !bytes.Equal(text, before): // the order of its imports may be another one
		return format.Source(text)
	case name == "client/js/package.json":
		return r.inPackage(text)
	case path.Base(name) == "Dockerfile":
		return r.inDockerfile(text), nil
	case path.Ext(name) == ".md":
		return r.clone.ReplaceAll(text, []byte("${1}"+r.home().clone())), nil
	}
	return text, nil
}

func (r *rules) everywhere(text []byte) []byte {
	for _, where := range []*regexp.Regexp{r.importPaths, r.modulePath} {
		text = where.ReplaceAll(text, []byte("${1}"+r.path+"${2}"))
	}
	return text
}

// inGoMod renames in a go.mod: the module itself, and those of the repository that it stands on.
func (r *rules) inGoMod(name string, text []byte) ([]byte, error) {
	file, err := modfile.Parse(name, text, nil)
	if err != nil {
		return nil, err
	}
	renamed := func(token string) string {
		if rest, ok := strings.CutPrefix(token, r.old); ok && (rest == "" || rest[0] == '/') {
			return r.path + rest
		}
		return token
	}
	var lines []*modfile.Line
	for _, statement := range file.Syntax.Stmt {
		switch statement := statement.(type) {
		case *modfile.Line:
			lines = append(lines, statement)
		case *modfile.LineBlock:
			lines = append(lines, statement.Line...)
		}
	}
	for _, line := range lines {
		for i := range line.Token {
			line.Token[i] = renamed(line.Token[i])
		}
	}
	file.SortBlocks()
	return modfile.Format(file.Syntax), nil
}

// inDockerfile says in the image where its source is (OCI Image Spec, Annotations).
func (r *rules) inDockerfile(text []byte) []byte {
	const key = "LABEL org.opencontainers.image.source="
	text = regexp.MustCompile(`(?m)^`+regexp.QuoteMeta(key)+`.*\n`).ReplaceAll(text, nil)
	return regexp.MustCompile(`(?m)^LABEL org\.opencontainers\.image\.title=.*\n`).ReplaceAll(text, []byte("${0}"+key+r.home().page+"\n"))
}
