// Command module gives the repository's Go modules another path, and tells Docker, npm and the documentation where that is.
//
//	module ROOT PATH         github.com/owner/signal-server, for example
//
// Either it changes all of it or nothing. It keeps the name of the program, which people type and packages install.
package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: module ROOT PATH")
		os.Exit(2)
	}
	if err := rename(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "module:", err)
		os.Exit(1)
	}
}

// check says why a path cannot be the module's.
func check(path string) error {
	if path == "" {
		return errors.New("MODULE is empty: make module MODULE=github.com/owner/signal-server")
	}
	if _, bare, ok := strings.Cut(path, "://"); ok {
		return fmt.Errorf("MODULE=%s: a module's path is no URL: MODULE=%s", path, strings.TrimSuffix(bare, ".git"))
	}
	if err := module.CheckPath(path); err != nil {
		return fmt.Errorf("MODULE=%s: %w", path, errors.Unwrap(err))
	}
	if _, major, _ := module.SplitPathVersion(path); major != "" {
		return fmt.Errorf("MODULE=%s: it ends in %s, which is for modules whose versions are tagged so: leave it out", path, major)
	}
	return nil
}

// rename gives the modules below root the path.
func rename(root, path string) error {
	if err := check(path); err != nil {
		return err
	}
	text, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		return err
	}
	old := modfile.ModulePath(text)
	if old == path {
		fmt.Printf("the module is %s already\n", path)
		return nil
	}
	names, err := tracked(root)
	if err != nil {
		return err
	}
	rules := newRules(old, path)
	changed := make(map[string][]byte)
	for _, name := range names {
		info, err := os.Lstat(filepath.Join(root, name))
		if err != nil {
			return err
		}
		if !info.Mode().IsRegular() { // a link, whose file has its own turn or is none of ours, or a submodule's folder
			continue
		}
		before, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			return err
		}
		after, err := rules.apply(name, before)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if string(after) != string(before) {
			changed[name] = after
		}
	}
	for name, text := range changed {
		if err := os.WriteFile(filepath.Join(root, name), text, 0o644); err != nil { // whose mode stays: it is there
			return fmt.Errorf("%w; git restore . takes all back", err)
		}
	}
	fmt.Printf("the module is %s now, and was %s: %d files have changed, see git diff\n", path, old, len(changed))
	return nil
}

// tracked returns the files of the repository. What is not committed could not be told from what the renaming changes, nor taken back
// without it.
func tracked(root string) ([]string, error) {
	git := func(arguments ...string) (string, error) {
		cmd := exec.Command("git", append([]string{"-C", root}, arguments...)...)
		var said strings.Builder
		cmd.Stderr = &said
		out, err := cmd.Output()
		if err != nil {
			return "", fmt.Errorf("%s: %w: %s", cmd, err, strings.TrimSpace(said.String()))
		}
		return string(out), nil
	}
	dirty, err := git("status", "--porcelain", "--untracked-files=no")
	if err != nil {
		return nil, err
	}
	if dirty != "" {
		return nil, fmt.Errorf("there are changes that are not committed; commit or stash them first:\n%s", strings.TrimRight(dirty, "\n"))
	}
	list, err := git("ls-files", "-z")
	if err != nil {
		return nil, err
	}
	return strings.FieldsFunc(list, func(r rune) bool { return r == 0 }), nil
}
