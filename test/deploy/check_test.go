// Package check reads the files of deploy/ with the parsers of the programs that they are for.
package check

import (
	"bytes"
	"context"
	"os"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"sigs.k8s.io/yaml"
)

// composed loads the compose file as docker compose does, with these profiles.
func composed(t *testing.T, profiles ...string) *types.Project {
	t.Helper()
	project, err := loader.LoadWithContext(context.Background(), types.ConfigDetails{
		WorkingDir:  "../../deploy/compose",
		ConfigFiles: []types.ConfigFile{{Filename: "../../deploy/compose/compose.yaml"}},
	}, loader.WithProfiles(profiles))
	if err != nil {
		t.Fatal(err)
	}
	return project
}

// TestCompose checks that the compose file has the fleet that it describes.
func TestCompose(t *testing.T) {
	project := composed(t, "*")
	count := func(prefix string) (n int) {
		for name := range project.Services {
			if strings.HasPrefix(name, prefix) {
				n++
			}
		}
		return n
	}
	if nodes, redis := count("node"), count("redis"); nodes != 3 || redis != 6 {
		t.Errorf("got %d nodes and %d Redis servers, want 3 and 6", nodes, redis)
	}
	for name, service := range project.Services {
		if strings.HasPrefix(name, "redis") && !strings.Contains(strings.Join(service.Command, " "), "--maxmemory-policy noeviction") {
			t.Errorf("%s: got %q, want it never to evict", name, service.Command)
		}
		for _, volume := range service.Volumes {
			if volume.Type != types.VolumeTypeBind {
				continue
			}
			if _, err := os.Stat(volume.Source); err != nil {
				t.Errorf("%s: a volume: %v", name, err)
			}
		}
		if service.Build != nil {
			if _, err := os.Stat(service.Build.Context + "/" + service.Build.Dockerfile); err != nil {
				t.Errorf("%s: the Dockerfile: %v", name, err)
			}
		}
	}
}

// TestKubernetes reads each manifest strictly: an unknown field is a mistake.
func TestKubernetes(t *testing.T) {
	text, err := os.ReadFile("../../deploy/kubernetes/signal-server.yaml")
	if err != nil {
		t.Fatal(err)
	}
	kinds := make(map[string]int)
	for _, document := range bytes.Split(text, []byte("\n---\n")) {
		var head struct{ Kind, APIVersion string }
		if err := yaml.Unmarshal(document, &head); err != nil {
			t.Fatal(err)
		}
		kinds[head.Kind]++
		object, ok := map[string]any{
			"v1 ConfigMap": &corev1.ConfigMap{}, "v1 Service": &corev1.Service{},
			"apps/v1 Deployment": &appsv1.Deployment{}, "apps/v1 StatefulSet": &appsv1.StatefulSet{}, "batch/v1 Job": &batchv1.Job{},
			"policy/v1 PodDisruptionBudget": &policyv1.PodDisruptionBudget{}, "networking.k8s.io/v1 NetworkPolicy": &networkingv1.NetworkPolicy{},
		}[head.APIVersion+" "+head.Kind]
		if !ok {
			t.Errorf("got a %s of %s, which this test does not know", head.Kind, head.APIVersion)
			continue
		}
		if err := yaml.UnmarshalStrict(document, object); err != nil {
			t.Errorf("%s: %v", head.Kind, err)
		}
		switch object := object.(type) {
		case *appsv1.Deployment:
			if got := *object.Spec.Replicas; got != 3 {
				t.Errorf("nodes: got %d, want 3", got)
			}
			if links := object.Spec.Template.Spec.EnableServiceLinks; links == nil || *links {
				t.Error("nodes: got variables made of each Service, want enableServiceLinks: false, because theirs begin with SIGNAL_SERVER")
			}
		case *appsv1.StatefulSet:
			if got := *object.Spec.Replicas; got != 6 {
				t.Errorf("Redis servers: got %d, want 6", got)
			}
		}
	}
	for kind, want := range map[string]int{"Deployment": 1, "StatefulSet": 1, "Service": 2, "Job": 1, "ConfigMap": 1} {
		if kinds[kind] != want {
			t.Errorf("%s: got %d, want %d", kind, kinds[kind], want)
		}
	}
}
