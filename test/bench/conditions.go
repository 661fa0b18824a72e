package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"time"
)

// conditions says what the figures were taken on.
func (b *bench) conditions(took time.Duration) string {
	text := fmt.Sprintf("Taken in one run of %v on %d cores (%s), Linux, %s, fasthttp %s", took.Round(time.Second),
		b.cores.count, processor(), runtime.Version(), version("github.com/valyala/fasthttp"))
	if b.size.peerServer {
		node, err := exec.Command("node", "--version").Output()
		if err != nil {
			node = []byte("of an unknown version")
		}
		text += fmt.Sprintf(", PeerServer %s on node %s", peerVersion(b.peer), strings.TrimSpace(string(node)))
	}
	if redisInstalled() {
		text += ", Redis " + redisVersion()
	}
	if coturnInstalled() {
		text += ", coturn " + coturnVersion()
	}
	text += fmt.Sprintf(". Each server was a process of its own on one core, the load ran on the other; the candidates took turns "+
		"in %d rounds, with a new process each. The load checked %d answers: none was lost, doubled, mixed up or wrong.",
		b.size.rounds, b.faults.checked.Load())
	if b.cores.count == 1 {
		text += " **This machine has a single core: servers and load shared it.**"
	}
	return text + "\n\nAbsolute times mean little elsewhere; ratios are taken within each round. All figures: median (least–most). " +
		"An hour under load, drawn, with what must not grow in it: [soak.md](soak.md)."
}

func processor() string {
	file, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return "an unknown processor"
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if name, value, _ := strings.Cut(lines.Text(), ":"); strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "an unknown processor"
}

// version returns the version of a module that this program, and so the server, is built with.
func version(module string) string {
	info, _ := debug.ReadBuildInfo()
	for _, m := range info.Deps {
		if m.Path == module {
			return m.Version
		}
	}
	return "of an unknown version"
}

// peerVersion returns the version in the package of that script.
func peerVersion(script string) string {
	text, err := os.ReadFile(filepath.Join(filepath.Dir(script), "..", "..", "package.json"))
	var manifest struct{ Version string }
	if err == nil {
		err = json.Unmarshal(text, &manifest)
	}
	if err != nil {
		return "of an unknown version"
	}
	return manifest.Version
}
