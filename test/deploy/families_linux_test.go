package check

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// TestUnitAllowsSockets starts the program with its TURN server, and looks of which families the sockets are that it asks the system for: the unit has to
// allow each, and no other. Which addresses this machine has, Go asks by one of AF_NETLINK.
func TestUnitAllowsSockets(t *testing.T) {
	if _, err := exec.LookPath("strace"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	unit, err := os.ReadFile("../../deploy/systemd/signal-server.service")
	if err != nil {
		t.Fatal(err)
	}
	allowed := map[string]bool{}
	for _, family := range strings.Fields(regexp.MustCompile(`(?m)^RestrictAddressFamilies=(.*)$`).FindStringSubmatch(string(unit))[1]) {
		allowed[family] = true
	}
	calls := filepath.Join(t.TempDir(), "calls")
	cmd := exec.CommandContext(t.Context(), "strace", "-f", "-e", "trace=socket", "-o", calls,
		program(t), "--listen", "unix:"+filepath.Join(t.TempDir(), "api"), "--admin", "127.0.0.1:0", "--turn", "--turn-listen", "127.0.0.1:0")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	said, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	serving, all := false, ""
	for lines := bufio.NewScanner(said); !serving && lines.Scan(); {
		all += lines.Text() + "\n"
		serving = strings.Contains(all, "msg=serving ")
	}
	syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM)
	cmd.Wait()
	if !serving {
		t.Fatalf("got %s, want it to serve", all)
	}
	trace, err := os.ReadFile(calls)
	if err != nil {
		t.Fatal(err)
	}
	asked := map[string]bool{}
	for _, m := range regexp.MustCompile(`socket\((AF_[A-Z0-9]+),`).FindAllStringSubmatch(string(trace), -1) {
		asked[m[1]] = true
		if !allowed[m[1]] {
			t.Errorf("got a socket of %s, which the unit does not allow", m[1])
		}
	}
	for family := range allowed {
		if !asked[family] {
			t.Errorf("the unit allows %s: got no such socket, want it to allow no more than there is use for", family)
		}
	}
}
