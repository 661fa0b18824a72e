package check

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/goreleaser/goreleaser/v2/pkg/config"
	"github.com/goreleaser/nfpm/v2"
	_ "github.com/goreleaser/nfpm/v2/deb"
	"github.com/goreleaser/nfpm/v2/files"
)

// debianPackage makes the package as goreleaser does, of the program that the Dockerfile's command builds.
func debianPackage(t *testing.T) string {
	t.Helper()
	project, err := config.Load("../../.goreleaser.yaml")
	if err != nil {
		t.Fatal(err)
	}
	of := project.NFPMs[0]
	contents := append(laidOut(t, of), &files.Content{
		Source: program(t), Destination: "/usr/bin/" + project.Builds[0].Binary, FileInfo: &files.ContentFileInfo{Mode: 0o755},
	})
	info := nfpm.WithDefaults(&nfpm.Info{
		Name: of.PackageName, Arch: runtime.GOARCH, Platform: "linux", Version: strings.TrimPrefix(builtVersion, "v"),
		Maintainer: "nobody", Description: of.Description, License: of.License, Section: of.Section,
		Overridables: nfpm.Overridables{
			Recommends: of.Recommends, Contents: contents,
			Scripts: nfpm.Scripts{PostInstall: "../../" + of.Scripts.PostInstall, PreRemove: "../../" + of.Scripts.PreRemove},
		},
	})
	packager, err := nfpm.Get("deb")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), packager.ConventionalFileName(info))
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := packager.Package(info, file); err != nil {
		t.Fatalf("making the package: %v", err)
	}
	return path
}

// cleanRoot makes a root of a system in which there is nothing but root, an empty list of packages, and what the package's scripts call.
func cleanRoot(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for _, dir := range []string{"bin", "dev", "etc", "tmp", "usr/bin", "var/lib/dpkg/info", "var/lib/dpkg/updates", "var/lib/dpkg/triggers"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range map[string]string{
		"etc/passwd": "root:x:0:0:root:/root:/bin/sh\n", "etc/group": "root:x:0:\n",
		"var/lib/dpkg/status": "", "var/lib/dpkg/available": "",
	} {
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	library := regexp.MustCompile(`(/\S+) \(0x`)
	for _, name := range []string{"sh", "touch", "chgrp", "chmod", "systemd-sysusers"} {
		path, err := exec.LookPath(name)
		if err != nil {
			need(t, name)
		}
		out, err := exec.Command("ldd", path).CombinedOutput()
		if err != nil {
			t.Fatalf("ldd %s: %v\n%s", path, err, out)
		}
		copyInto(t, path, filepath.Join(root, "usr/bin", name))
		for _, m := range library.FindAllStringSubmatch(string(out), -1) {
			copyInto(t, m[1], filepath.Join(root, m[1]))
		}
	}
	copyInto(t, filepath.Join(root, "usr/bin/sh"), filepath.Join(root, "bin/sh"))
	return root
}

func copyInto(t *testing.T, from, to string) {
	t.Helper()
	text, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, text, 0o755); err != nil {
		t.Fatal(err)
	}
}

// need skips the test for want of something, or fails it where CI=true.
func need(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(what + " is missing")
	}
	t.Skip(what + " is missing")
}

// TestInstall installs Debian's package in a clean root, starts what it has installed as its user, with its environment file, and has two
// peers exchange their sdps through it. Then it removes the package.
func TestInstall(t *testing.T) {
	if os.Getuid() != 0 {
		need(t, "root")
	}
	if _, err := exec.LookPath("dpkg"); err != nil {
		need(t, "dpkg")
	}
	root := cleanRoot(t)
	dpkg := func(arguments ...string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "dpkg", append([]string{"--root=" + root, "--log=/dev/null"}, arguments...)...)
		cmd.Env = append(os.Environ(), "DPKG_MAINTSCRIPT_DEBUG=", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("dpkg %v: %v\n%s", arguments, err, out)
		}
	}
	dpkg("--install", debianPackage(t))

	uid, gid := installedUser(t, root)
	for name, want := range map[string]struct {
		mode os.FileMode
		gid  uint32
	}{
		"usr/bin/signal-server":                        {0o755, 0},
		"etc/signal-server":                            {os.ModeDir | 0o750, gid},
		"etc/signal-server/signal-server.env":          {0o640, gid},
		"etc/signal-server/tokens":                     {0o640, gid},
		"usr/lib/systemd/system/signal-server.service": {0o644, 0},
		"usr/share/doc/signal-server/copyright":        {0o644, 0},
	} {
		info, err := os.Stat(filepath.Join(root, name))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		owner := info.Sys().(*syscall.Stat_t)
		if info.Mode() != want.mode || owner.Uid != 0 || owner.Gid != want.gid {
			t.Errorf("%s: got %v of %d:%d, want %v of 0:%d", name, info.Mode(), owner.Uid, owner.Gid, want.mode, want.gid)
		}
	}

	url := startInstalled(t, root, uid, gid)
	handshake(t, url)

	dpkg("--remove", "signal-server")
	if _, err := os.Stat(filepath.Join(root, "usr/bin/signal-server")); !os.IsNotExist(err) {
		t.Errorf("removed: got %v for the program, want it gone", err)
	}
	if _, err := os.Stat(filepath.Join(root, "etc/signal-server/signal-server.env")); err != nil {
		t.Errorf("removed: got %v for the environment file, want it kept until it is purged", err)
	}
}

// installedUser returns the numbers of the user that the installation has made.
func installedUser(t *testing.T, root string) (uid, gid uint32) {
	t.Helper()
	number := func(file string) uint32 {
		text, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			t.Fatal(err)
		}
		m := regexp.MustCompile(`(?m)^signal-server:[^:]*:(\d+):`).FindSubmatch(text)
		if m == nil {
			t.Fatalf("%s: got\n%swant signal-server in it", file, text)
		}
		n, err := strconv.ParseUint(string(m[1]), 10, 32)
		if err != nil {
			t.Fatal(err)
		}
		return uint32(n)
	}
	return number("etc/passwd"), number("etc/group")
}

// startInstalled starts the installed program in its root, as the unit would, at a free port. It ends with the test.
func startInstalled(t *testing.T, root string, uid, gid uint32) (url string) {
	t.Helper()
	cmd := exec.Command("/usr/bin/signal-server")
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root, Credential: &syscall.Credential{Uid: uid, Gid: gid}}
	cmd.Dir = "/"
	cmd.Env = append(settings(t, filepath.Join(root, "etc/signal-server/signal-server.env")), "SIGNAL_LISTEN=127.0.0.1:0", "SIGNAL_ADMIN=")
	logged, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout = cmd.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatalf("starting what is installed: %v", err)
	}
	stuck := time.AfterFunc(time.Minute, func() { cmd.Process.Kill() })
	lines := bufio.NewScanner(logged)
	var said strings.Builder
	for url == "" && lines.Scan() {
		said.WriteString(lines.Text() + "\n")
		var line struct{ Msg, Address string }
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "serving" {
			url = "http://" + line.Address
		}
	}
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		io.Copy(io.Discard, logged)
	}()
	t.Cleanup(func() {
		defer stuck.Stop()
		cmd.Process.Signal(syscall.SIGTERM)
		<-drained
		if err := cmd.Wait(); err != nil {
			t.Errorf("the end: got %v, want none of a failure", err)
		}
	})
	if url == "" {
		t.Fatalf("got\n%swant a line that says where it serves", &said)
	}
	return url
}

// settings returns the lines of an environment file that set something.
func settings(t *testing.T, path string) (all []string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			all = append(all, line)
		}
	}
	if len(all) < 5 {
		t.Fatalf("%s: got %q, want what it sets", path, all)
	}
	return all
}

// handshake has two peers exchange their sdps by the four classic requests.
func handshake(t *testing.T, url string) {
	t.Helper()
	ask := func(method, path, body, want string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, url+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("key", "a key of the package")
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		got, err := io.ReadAll(answer.Body)
		if err != nil || string(got) != want {
			t.Errorf("%s %s: got %d %s, %v, want %s", method, path, answer.StatusCode, got, err, want)
		}
	}
	const done, data = `{"msg":"","data":null}`, `{"msg":"","data":%q}`
	ask(http.MethodPost, "/offer/sdp", `{"data":"an offer"}`, done)
	ask(http.MethodGet, "/answer/sdp", "", fmt.Sprintf(data, "an offer"))
	ask(http.MethodPost, "/answer/sdp", "an answer", done)
	ask(http.MethodGet, "/offer/sdp", "", fmt.Sprintf(data, "an answer"))
}
