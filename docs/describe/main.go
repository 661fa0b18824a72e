// Command describe completes the API's description, which swag has made of annotations: it adds what every route has in common, and real
// answers as examples. The texts come from custerrors, so no route can show one that does not exist.
//
//	describe DIR             completes swagger.json, and writes swagger.yaml and docs.go after it
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"

	"github.com/go-openapi/spec"
	"sigs.k8s.io/yaml"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: describe DIR")
		os.Exit(2)
	}
	if err := write(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "describe:", err)
		os.Exit(1)
	}
}

func write(dir string) error {
	path := func(name string) string { return filepath.Join(dir, name) }
	text, err := os.ReadFile(path("swagger.json"))
	if err != nil {
		return err
	}
	var doc spec.Swagger
	if err := json.Unmarshal(text, &doc); err != nil {
		return err
	}
	if err := complete(&doc); err != nil {
		return err
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "    ") // as swag has it
	if err := encoder.Encode(doc); err != nil {
		return err
	}
	completed := bytes.TrimSpace(out.Bytes())
	inYAML, err := yaml.JSONToYAML(completed)
	if err != nil {
		return err
	}
	program, err := os.ReadFile(path("docs.go"))
	if err != nil {
		return err
	}
	if program, err = withPaths(program, completed); err != nil {
		return err
	}
	program = headDescription.ReplaceAllLiteral(program, fmt.Appendf(nil, "Description:      %q,", doc.Info.Description))
	for name, text := range map[string][]byte{"swagger.json": completed, "swagger.yaml": inYAML, "docs.go": program} {
		if err := os.WriteFile(path(name), text, 0o644); err != nil { // #nosec G306 -- they are for everybody to read, as they were
			return err
		}
	}
	return nil
}

// headDescription is the general description in docs.go: it fills swag's template.
var headDescription = regexp.MustCompile(`Description: +".*",`)

// withPaths returns docs.go with the description from its paths on. What stands before them is swag's template.
func withPaths(program, description []byte) ([]byte, error) {
	paths, end := []byte("\n    \"paths\": {"), []byte("}`\n")
	head, rest, ok := bytes.Cut(program, paths)
	_, foot, closed := bytes.Cut(rest, end)
	_, tail, described := bytes.Cut(description, paths)
	if !ok || !closed || !described {
		return nil, errors.New("docs.go or swagger.json: it is not as swag writes it")
	}
	tail = bytes.ReplaceAll(bytes.TrimSuffix(tail, []byte("}")), []byte("`"), []byte("` + \"`\" + `"))
	return bytes.Join([][]byte{head, paths, tail, end, foot}, nil), nil
}
