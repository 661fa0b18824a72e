package check

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/types"
	"sigs.k8s.io/yaml"
)

// scraping is the part of Prometheus's configuration that the tests read.
type scraping struct {
	Global struct {
		ScrapeInterval string `json:"scrape_interval"`
	} `json:"global"`
	RuleFiles     []string `json:"rule_files"`
	ScrapeConfigs []struct {
		JobName       string                       `json:"job_name"`
		StaticConfigs []struct{ Targets []string } `json:"static_configs"`
	} `json:"scrape_configs"`
}

// prometheusConfig reads a file that scrapes one job, by its one name.
func prometheusConfig(t *testing.T, name string) (config scraping) {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, &config); err != nil {
		t.Fatal(err)
	}
	if len(config.ScrapeConfigs) != 1 || config.ScrapeConfigs[0].JobName != "signal-server" || len(config.ScrapeConfigs[0].StaticConfigs) != 1 {
		t.Fatalf("%s: got %+v, want one job of the name signal-server", name, config.ScrapeConfigs)
	}
	if !slices.Equal(config.RuleFiles, []string{"alerts.yaml"}) {
		t.Errorf("%s: got the rules %v, want the alerts beside it", name, config.RuleFiles)
	}
	return config
}

// TestPrometheus reads both configurations, each beside the alerts, with Prometheus's own tool.
func TestPrometheus(t *testing.T) {
	if got, want := prometheusConfig(t, "../../deploy/prometheus/prometheus.yaml").Global, prometheusConfig(t, "../../deploy/compose/prometheus.yaml").Global; got != want {
		t.Errorf("got %+v here and %+v in compose, want the same", got, want)
	}
	if _, err := exec.LookPath("promtool"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	for _, name := range []string{"../../deploy/prometheus/prometheus.yaml", "../../deploy/compose/prometheus.yaml"} {
		folder := t.TempDir()
		for from, to := range map[string]string{name: "prometheus.yaml", "../../deploy/prometheus/alerts.yaml": "alerts.yaml"} {
			text, err := os.ReadFile(from)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path.Join(folder, to), text, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		out, err := exec.Command("promtool", "check", "config", path.Join(folder, "prometheus.yaml")).CombinedOutput()
		if want := fmt.Sprintf("%d rules found", len(alerts(t))); err != nil || !strings.Contains(string(out), want) {
			t.Errorf("%s: got %v\n%swant %s", name, err, out, want)
		}
	}
}

// mounts returns the file or folder that a service finds at each of its paths.
func mounts(service types.ServiceConfig) map[string]string {
	at := make(map[string]string)
	for _, volume := range service.Volumes {
		at[volume.Target] = volume.Source
	}
	return at
}

// TestComposeIsObserved follows a metric through the compose file: nodes, Prometheus, Grafana, dashboard.
func TestComposeIsObserved(t *testing.T) {
	for name := range composed(t).Services {
		if name == "prometheus" || name == "grafana" {
			t.Errorf("got %s without being asked for, want it in the profile observability", name)
		}
	}
	project := composed(t, "observability")
	prometheus, grafana := project.Services["prometheus"], project.Services["grafana"]
	version := regexp.MustCompile(`:v?\d+\.\d+\.\d+$`)
	for _, service := range []types.ServiceConfig{prometheus, grafana} {
		if !version.MatchString(service.Image) {
			t.Errorf("%s: got the image %s, want a version of it", service.Name, service.Image)
		}
		for _, port := range service.Ports {
			if port.HostIP != "127.0.0.1" {
				t.Errorf("%s: got it at %q, want it for this machine only", service.Name, port.HostIP)
			}
		}
	}

	var admins, targets []string
	for name, service := range project.Services {
		if admin := service.Environment["SIGNAL_ADMIN"]; admin != nil {
			admins = append(admins, name+*admin)
			for _, port := range service.Ports {
				t.Errorf("%s: got the port %s published, want the admin listener to stay inside", name, port.Published)
			}
		}
	}
	config := mounts(prometheus)["/etc/prometheus/prometheus.yaml"]
	targets = append(targets, prometheusConfig(t, config).ScrapeConfigs[0].StaticConfigs[0].Targets...)
	slices.Sort(admins)
	slices.Sort(targets)
	if !slices.Equal(targets, admins) || len(admins) != 3 {
		t.Errorf("scraped: got %v, want %v, the admin listener of each node", targets, admins)
	}
	if !slices.Contains(prometheus.Command, "--config.file=/etc/prometheus/prometheus.yaml") {
		t.Errorf("prometheus: got %v, want it to read its configuration", prometheus.Command)
	}
	if got := path.Base(mounts(prometheus)["/etc/prometheus/alerts.yaml"]); got != "alerts.yaml" {
		t.Errorf("prometheus: got %q beside its configuration, want the alerts", got)
	}

	asked, err := url.Parse(*grafana.Environment["PROMETHEUS_URL"])
	if err != nil {
		t.Fatal(err)
	}
	if want := net.JoinHostPort("prometheus", fmt.Sprint(prometheus.Ports[0].Target)); asked.Host != want || asked.Scheme != "http" {
		t.Errorf("grafana: got %s asked, want %s", asked, want)
	}
	shown := path.Join(provisionedFolder(t), "signal-server.json")
	if got := path.Base(mounts(grafana)[shown]); got != "signal-server.json" {
		t.Errorf("grafana: got %q at %s, want the dashboard", got, shown)
	}
	if got := *grafana.Environment["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]; got != shown {
		t.Errorf("grafana: got %s to begin with, want %s", got, shown)
	}
	if got := path.Base(mounts(grafana)["/etc/grafana/provisioning"]); got != "provisioning" {
		t.Errorf("grafana: got %q, want what it is given at its start", got)
	}
}
