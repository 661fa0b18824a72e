package check

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestFlagsExist checks that no file of deploy/ names a flag or variable that the server does not have.
func TestFlagsExist(t *testing.T) {
	cmd := exec.Command(program(t), "--print-config")
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{"SIGNAL_CHECK_CONFIG": true, "SIGNAL_ENV_FILE": true, "SIGNAL_HELP": true, "SIGNAL_FILE": true} // flags alone; token --file'
	for line := range strings.Lines(string(out)) {
		name, _, _ := strings.Cut(line, "=")
		known[name] = true
	}
	variable := regexp.MustCompile(`\bSIGNAL_[A-Z_]+`)
	flag := regexp.MustCompile(`(?:^|[\s(])--([a-z][a-z-]+)`)
	ours := map[string]bool{"nginx": true, "haproxy": true, "caddy": true, "systemd": true} // the other folders name flags of other programs, too
	found := 0
	err = filepath.WalkDir("../../deploy", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		folder := filepath.Base(filepath.Dir(path))
		if folder == "check" || strings.HasSuffix(path, ".sh") {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		names := variable.FindAllString(string(text), -1)
		for line := range strings.Lines(string(text)) {
			if !ours[folder] || strings.Contains(line, "certbot") {
				continue
			}
			for _, m := range flag.FindAllStringSubmatch(line, -1) {
				names = append(names, "SIGNAL_"+strings.ToUpper(strings.ReplaceAll(m[1], "-", "_")))
			}
		}
		for _, name := range names {
			if found++; !known[name] {
				t.Errorf("%s names %s, which is no flag of the server", path, name)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if found < 20 {
		t.Errorf("found %d names, want those that are there", found)
	}
}
