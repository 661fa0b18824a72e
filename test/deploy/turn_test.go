package check

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/yaml"
)

// checkConfig has the program look at the variables SIGNAL_… of a container. Files of secrets are there where it expects them in that folder.
func checkConfig(t *testing.T, what string, variables map[string]string, secrets string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte(strings.Repeat("x", 64)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program(t), "--check-config")
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	for name, value := range variables {
		cmd.Env = append(cmd.Env, name+"="+strings.ReplaceAll(value, secrets, file))
	}
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("%s: got %v, %s, want nothing to say", what, err, out)
	}
}

// TestComposeWithTurn takes away what is commented out in the compose file for the profile turn, as it says, and checks that nodes and TURN server share
// their secret, and the address.
func TestComposeWithTurn(t *testing.T) {
	text, err := os.ReadFile("../../deploy/compose/compose.yaml")
	if err != nil {
		t.Fatal(err)
	}
	const secret = "/run/secrets/turn"
	whole := regexp.MustCompile(`(?m)^( +)#((?:SIGNAL_ICE_|secrets:).*)$`).ReplaceAll(text, []byte("$1$2"))
	if bytes.Equal(whole, text) {
		t.Fatal("got nothing that is commented out, want it there to be taken away")
	}
	project, err := loader.LoadWithContext(context.Background(), types.ConfigDetails{
		WorkingDir:  "../../deploy/compose",
		ConfigFiles: []types.ConfigFile{{Filename: "compose.yaml", Content: whole}},
		Environment: types.Mapping{"TURN": "192.0.2.10"},
	}, loader.WithProfiles([]string{"turn"}))
	if err != nil {
		t.Fatal(err)
	}
	for name, wants := range map[string]map[string]string{
		"node1": {"SIGNAL_ICE_SECRET_FILE": secret, "SIGNAL_ICE_SERVERS": "stun:192.0.2.10:3478,turn:192.0.2.10:3478?transport=udp,turn:192.0.2.10:3478?transport=tcp"},
		"turn":  {"SIGNAL_TURN_SECRET_FILE": secret, "SIGNAL_TURN_ADDRESS": "192.0.2.10"},
	} {
		service := project.Services[name]
		variables := make(map[string]string)
		for name, value := range service.Environment {
			variables[name] = *value
		}
		for variable, want := range wants {
			if got := variables[variable]; got != want {
				t.Errorf("%s: got %s=%q, want %q", name, variable, got, want)
			}
		}
		if len(service.Secrets) != 1 || service.Secrets[0].Source != filepath.Base(secret) {
			t.Errorf("%s: got the secrets %v, want turn", name, service.Secrets)
		}
		delete(variables, "SIGNAL_STORE")
		checkConfig(t, name, variables, secret)
	}
	if turn := project.Services["turn"]; turn.NetworkMode != "host" || len(turn.Ports) > 0 {
		t.Errorf("turn: got the network %q and ports %v, want that of the machine", turn.NetworkMode, turn.Ports)
	}
	if _, there := composed(t).Services["turn"]; there {
		t.Error("got turn without being asked for, want it in its profile")
	}
}

// TestKubernetesTurn reads the manifest strictly, and checks what its container is told.
func TestKubernetesTurn(t *testing.T) {
	text, err := os.ReadFile("../../deploy/kubernetes/turn.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var set appsv1.DaemonSet
	if err := yaml.UnmarshalStrict(text, &set); err != nil {
		t.Fatal(err)
	}
	pod := set.Spec.Template.Spec
	if !pod.HostNetwork || pod.EnableServiceLinks == nil || *pod.EnableServiceLinks {
		t.Error("got a network of its own, or variables made of each Service, want neither")
	}
	container := pod.Containers[0]
	variables := make(map[string]string)
	for _, host := range []string{"2001:db8::10", "192.0.2.10"} {
		for _, v := range container.Env {
			if strings.HasPrefix(v.Name, "SIGNAL_") {
				variables[v.Name] = strings.ReplaceAll(v.Value, "$(HOST_IP)", host)
			}
		}
		checkConfig(t, "turn at "+host, variables, variables["SIGNAL_TURN_SECRET_FILE"])
	}
	for _, name := range []string{"SIGNAL_LISTEN", "SIGNAL_ADMIN"} { // on a machine that is reached from outside
		if !strings.HasPrefix(variables[name], "127.0.0.1:") {
			t.Errorf("%s: got %q, want it on the loopback", name, variables[name])
		}
	}
	if got, want := variables["SIGNAL_TURN_SECRET_FILE"], container.VolumeMounts[0].MountPath+"/"; !strings.HasPrefix(got, want) {
		t.Errorf("the secret: got %s, want it below %s", got, want)
	}
	if got, want := pod.Volumes[0].Name, container.VolumeMounts[0].Name; got != want || pod.Volumes[0].Secret == nil {
		t.Errorf("the volume: got %s, want %s, of a Secret", got, want)
	}
}
