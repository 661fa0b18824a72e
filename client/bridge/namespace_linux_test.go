package bridge

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"signal-server/test/need"
)

// insideVariable tells the test binary that it runs inside a namespace that a test made.
const insideVariable = "SIGNAL_SERVER_TEST_INSIDE_NAMESPACE"

// inNamespace runs the calling test again in a process of its own, inside fresh network and process namespaces that end with it:
// pion needs an interface that is not loopback, and a route. Inside it returns true. Outside it reports the result of the test inside
// and returns false. environment is added to that of the process inside.
func inNamespace(t *testing.T, limit time.Duration, environment ...string) bool {
	t.Helper()
	if os.Getenv(insideVariable) != "" {
		return true
	}
	if _, err := exec.LookPath("ip"); err != nil {
		need.Missing(t, "the command ip (iproute2) is missing, which gives a network namespace its interfaces")
	}
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, executable, "-test.run=^"+t.Name()+"$", "-test.v", "-test.count=1")
	cmd.Env = append(append(os.Environ(), insideVariable+"=1"), environment...)
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWPID, // what it starts ends with it
		Pdeathsig:  syscall.SIGKILL,
	}
	if os.Getuid() != 0 { // without root, be root in a user namespace, if the system allows it
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Start(); err != nil {
		need.Missing(t, "no network namespace can be made here: "+err.Error())
	}
	err = cmd.Wait()
	t.Logf("inside the namespace:\n%s", &output)
	switch {
	case err != nil:
		t.Errorf("inside the namespace: got %v, want success", err)
	case strings.Contains(output.String(), "--- SKIP"):
		need.Missing(t, "skipped inside the namespace")
	}
	return false
}

// makeInterfaces gives this process's namespace an address and a default route.
func makeInterfaces(t *testing.T) {
	t.Helper()
	for _, command := range []string{
		"link set lo up",
		"link add wan0 type veth peer name wan1",
		"address add 192.0.2.1/24 dev wan0", // RFC 5737: an address for documentation, which nobody has
		"link set wan0 up",
		"link set wan1 up",
		"route add default via 192.0.2.2 dev wan0",
	} {
		if out, err := exec.CommandContext(t.Context(), "ip", strings.Fields(command)...).CombinedOutput(); err != nil {
			need.Missing(t, "ip "+command+": "+err.Error()+": "+string(bytes.TrimSpace(out)))
		}
	}
}
