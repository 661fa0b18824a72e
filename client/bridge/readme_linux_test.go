package bridge

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// root is the repository's, from this package.
const root = "../.."

// shellBlocks returns the sh blocks of the README's section, as lists of lines without their comments.
func shellBlocks(t *testing.T, section string) (blocks [][]string) {
	t.Helper()
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(readme), "# "+section+"\n")
	text, _, _ = strings.Cut(text, "\n## ")
	for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)\n```").FindAllStringSubmatch(text, -1) {
		lines := strings.Split(block[1], "\n")
		for i, line := range lines {
			line, _, _ = strings.Cut(line, " #")
			lines[i] = strings.TrimSpace(line)
		}
		blocks = append(blocks, lines)
	}
	return blocks
}

// installs reports whether the line needs the network, and so has to be typed outside the namespace.
func installs(line string) bool { return strings.HasPrefix(line, "go install ") }

// TestReadmeIsTyped types the commands under "pion to pion" in the README as they stand there, ports included: no other process is in
// the namespace. Each program has to print what it got over the data channel.
func TestReadmeIsTyped(t *testing.T) {
	blocks := shellBlocks(t, "pion to pion")
	if len(blocks) != 3 || len(blocks[0]) != 2 || len(blocks[1]) != 3 || len(blocks[2]) != 3 {
		t.Fatalf("got %q, want the two examples, and two blocks of a program and its bridge", blocks)
	}
	serve := shellBlocks(t, "signal-server")[0][0]
	var programs string
	if os.Getenv(insideVariable) == "" {
		if testing.Short() {
			t.Skip("it takes half a minute")
		}
		programs = installPrograms(t)
		for _, line := range append([]string{serve}, blocks[0]...) { // built here, where that may take long; go run keeps the result
			line, _, _ = strings.Cut(line, " -key")
			build := exec.CommandContext(t.Context(), "bash", "-c", line+" --help")
			build.Dir = root
			if out, err := build.CombinedOutput(); err != nil {
				t.Fatalf("%s --help: got %v\n%s", line, err, out)
			}
		}
	}
	if !inNamespace(t, 75*time.Second, programsVariable+"="+programs) {
		return
	}
	makeInterfaces(t)
	t.Setenv("PATH", os.Getenv(programsVariable)+":"+os.Getenv("PATH"))

	t.Run("the examples", func(t *testing.T) {
		served(t, serve)
		answer, offer := typeLine(t, blocks[0][0]), typeLine(t, blocks[0][1])
		answer.want(t, "received ")
		offer.want(t, "received ")
	})
	t.Run("upstream's programs and bridges", func(t *testing.T) {
		served(t, serve)
		var programs []*typed
		for _, block := range blocks[1:] {
			commands := slices.DeleteFunc(block, installs)
			typeLine(t, commands[0]).want(t, "the bridge is ready")
			programs = append(programs, typeLine(t, commands[1]))
		}
		for _, program := range programs {
			program.want(t, "Message from DataChannel 'data'")
		}
	})
}

// served types the command that starts a server, and waits until it serves.
func served(t *testing.T, command string) {
	t.Helper()
	typeLine(t, command).want(t, "msg=serving")
}

// typed is one command typed into a terminal, and what it prints.
type typed struct {
	*lines
	shell *exec.Cmd
}

// typeLine types the command into a terminal of its own at the repository's root. The command ends with the test.
func typeLine(t *testing.T, command string) *typed {
	t.Helper()
	p := &typed{newLines(t, command), exec.Command("bash", "-c", command)}
	p.shell.Dir, p.shell.Stdout, p.shell.Stderr = root, p, p
	p.shell.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := p.shell.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		syscall.Kill(-p.shell.Process.Pid, syscall.SIGKILL)
		p.shell.Wait()
	})
	return p
}
