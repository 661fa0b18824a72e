package check

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// dashboard is the part of Grafana's format that the tests read.
type dashboard struct {
	ID            *int
	UID, Title    string
	SchemaVersion int
	Panels        []panel
	Annotations   struct{ List []question }
	Templating    struct{ List []variable }
}

type panel struct {
	ID          int
	Type, Title string
	Collapsed   bool
	Panels      []panel // of a row that is collapsed
	GridPos     struct{ X, Y, W, H int }
	Targets     []question
	Datasource  datasource
	FieldConfig struct {
		Defaults struct {
			Unit       string
			Thresholds struct {
				Steps []struct{ Value *float64 }
			}
		}
	}
}

// question is a query: that of a panel, or that of an annotation, which marks all panels.
type question struct {
	RefID, Expr, LegendFormat, TitleFormat string
	Datasource                             datasource
}

type datasource struct{ Type, UID string }

type variable struct {
	Name, Type string
	Datasource datasource
	Current    struct{ Value string }
}

// theDashboard reads the file. It returns its text, too.
func theDashboard(t *testing.T) (d dashboard, text string) {
	t.Helper()
	data, err := os.ReadFile("../../deploy/grafana/signal-server.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &d); err != nil {
		t.Fatal(err)
	}
	return d, string(data)
}

// chosen is the datasource of all questions: the Prometheus that the viewer chooses at the top.
var chosen = datasource{Type: "prometheus", UID: "${datasource}"}

// units are the units of Grafana that the panels use. Grafana prints the name of a unit that it does not know.
var units = []string{"short", "percentunit", "reqps", "ops", "s", "bytes"}

// TestDashboardIsWhole looks for mistakes that Grafana would accept, and then show wrong or not at all.
func TestDashboardIsWhole(t *testing.T) {
	d, _ := theDashboard(t)
	if d.ID != nil || d.UID == "" || d.Title == "" || d.SchemaVersion < 36 || d.SchemaVersion > 41 {
		t.Errorf("got the id %v, uid %q, title %q and schema %d, want no id, names, and a schema that Grafana 9 to 12 reads",
			d.ID, d.UID, d.Title, d.SchemaVersion)
	}
	ids := make(map[int]bool)
	taken := make(map[[2]int]string) // cells of the grid
	for _, p := range d.Panels {
		if ids[p.ID] || p.ID <= 0 || p.Title == "" {
			t.Errorf("%q: got the id %d, want one of its own, and a title", p.Title, p.ID)
		}
		ids[p.ID] = true
		if p.GridPos.W <= 0 || p.GridPos.H <= 0 {
			t.Errorf("%s: got it %d by %d, want it to be seen", p.Title, p.GridPos.W, p.GridPos.H)
		}
		for x := range p.GridPos.W {
			for y := range p.GridPos.H {
				cell := [2]int{p.GridPos.X + x, p.GridPos.Y + y}
				if other := taken[cell]; other != "" || cell[0] >= 24 {
					t.Errorf("%s: got it over %q, or beyond the grid", p.Title, other)
				}
				taken[cell] = p.Title
			}
		}
		if p.Type == "row" {
			if p.Collapsed || len(p.Panels) > 0 || len(p.Targets) > 0 {
				t.Errorf("%s: got a row that holds something, want it above its panels", p.Title)
			}
			continue
		}
		wantPanel(t, p)
	}
}

// wantPanel checks a panel that shows something.
func wantPanel(t *testing.T, p panel) {
	t.Helper()
	if p.Type != "stat" && p.Type != "timeseries" {
		t.Errorf("%s: got a %q, want a kind of panel that is built into Grafana", p.Title, p.Type)
	}
	if !slices.Contains(units, p.FieldConfig.Defaults.Unit) {
		t.Errorf("%s: got the unit %q, want one of %v", p.Title, p.FieldConfig.Defaults.Unit, units)
	}
	if p.Datasource != chosen || len(p.Targets) == 0 {
		t.Errorf("%s: got %d questions to %v, want some to the chosen one", p.Title, len(p.Targets), p.Datasource)
	}
	for i, step := range p.FieldConfig.Defaults.Thresholds.Steps {
		steps := p.FieldConfig.Defaults.Thresholds.Steps
		if (step.Value == nil) != (i == 0) || i > 1 && *step.Value <= *steps[i-1].Value {
			t.Errorf("%s: got the thresholds out of order, want the first without a value, and each above the one before", p.Title)
		}
	}
	refs := make(map[string]bool)
	for _, q := range p.Targets {
		if refs[q.RefID] || q.RefID == "" || q.Expr == "" || q.Datasource != chosen {
			t.Errorf("%s: got the question %+v, want a name of its own, and the chosen datasource", p.Title, q)
		}
		refs[q.RefID] = true
	}
}

// TestDashboardAsksWhatIsThere parses every question, and checks that the dashboard shows every metric.
func TestDashboardAsksWhatIsThere(t *testing.T) {
	d, _ := theDashboard(t)
	metrics := known(t)
	asked := ""
	for _, p := range d.Panels {
		for _, q := range p.Targets {
			checkQuery(t, p.Title, q.Expr, metrics)
			wantLabels(t, p.Title, q.Expr, q.LegendFormat)
			asked += q.Expr + "\n"
		}
	}
	for _, q := range d.Annotations.List {
		checkQuery(t, "annotation", q.Expr, metrics)
		if q.Datasource != chosen {
			t.Errorf("annotation: got %v asked, want the chosen one", q.Datasource)
		}
	}
	for name := range metrics {
		bare := strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(name, "_bucket"), "_sum"), "_count")
		if strings.HasPrefix(name, "signal_") && !strings.Contains(asked, bare) && bare != "signal_waits_limit" { // 0 in most places
			t.Errorf("%s: got no panel that shows it", name)
		}
	}
}

var (
	grouped     = regexp.MustCompile(`\bby \(([^)]*)\)`)
	placeholder = regexp.MustCompile(`\{\{\s*(\w+)\s*\}\}`)
)

// wantLabels checks that the query keeps the labels that the legend names. One that sums them away leaves the legend empty.
func wantLabels(t *testing.T, what, query, legend string) {
	t.Helper()
	by := grouped.FindStringSubmatch(query)
	for _, m := range placeholder.FindAllStringSubmatch(legend, -1) {
		switch {
		case by != nil && !slices.Contains(strings.Split(strings.ReplaceAll(by[1], " ", ""), ","), m[1]):
			t.Errorf("%s: got {{%s}} in the legend of %s, which leaves %s", what, m[1], query, by[1])
		case by == nil && strings.HasPrefix(query, "sum("):
			t.Errorf("%s: got {{%s}} in the legend of %s, which leaves no label", what, m[1], query)
		}
	}
}

// TestDashboardVariables checks that each variable that a question uses is defined, and that each defined one is used.
func TestDashboardVariables(t *testing.T) {
	d, text := theDashboard(t)
	used := make(map[string]bool)
	for _, m := range regexp.MustCompile(`\$\{?(\w+)`).FindAllStringSubmatch(text, -1) {
		if !strings.HasPrefix(m[1], "__") { // Grafana's own
			used[m[1]] = true
		}
	}
	before := make(map[string]bool)
	for _, v := range d.Templating.List {
		if !used[v.Name] || before[v.Name] {
			t.Errorf("got the variable %s unused, or twice", v.Name)
		}
		if v.Type == "query" && v.Datasource != chosen {
			t.Errorf("%s: got %v asked, want the chosen one", v.Name, v.Datasource)
		}
		before[v.Name] = true
	}
	for name := range used {
		if !before[name] {
			t.Errorf("got $%s used, want it among the variables", name)
		}
	}
}

// provisioned reads a file of deploy/grafana/provisioning, strictly.
func provisioned(t *testing.T, name string, into any) {
	t.Helper()
	text, err := os.ReadFile("../../deploy/grafana/provisioning/" + name)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.UnmarshalStrict(text, into); err != nil {
		t.Errorf("%s: %v", name, err)
	}
}

// source is a datasource that Grafana reads at its start.
type source struct {
	Name, UID, Type, Access, URL string
	JSONData                     struct {
		TimeInterval string `json:"timeInterval"`
	} `json:"jsonData"`
}

// provisionedSource returns the only datasource.
func provisionedSource(t *testing.T) source {
	t.Helper()
	var file struct {
		APIVersion  int      `json:"apiVersion"`
		Datasources []source `json:"datasources"`
	}
	provisioned(t, "datasources/signal-server.yaml", &file)
	if file.APIVersion != 1 || len(file.Datasources) != 1 {
		t.Fatalf("got %+v, want one datasource, in version 1", file)
	}
	return file.Datasources[0]
}

// provisionedFolder returns where Grafana looks for dashboards.
func provisionedFolder(t *testing.T) string {
	t.Helper()
	var file struct {
		APIVersion int `json:"apiVersion"`
		Providers  []struct {
			Name, Type string
			Options    struct{ Path string }
		} `json:"providers"`
	}
	provisioned(t, "dashboards/signal-server.yaml", &file)
	if file.APIVersion != 1 || len(file.Providers) != 1 || file.Providers[0].Type != "file" {
		t.Fatalf("got %+v, want one folder, in version 1", file)
	}
	return file.Providers[0].Options.Path
}

// TestDashboardBeginsWithItsDatasource checks that the dashboard asks the Prometheus that is provisioned beside it.
func TestDashboardBeginsWithItsDatasource(t *testing.T) {
	d, _ := theDashboard(t)
	source := provisionedSource(t)
	if source.Type != "prometheus" || source.Access != "proxy" || source.URL != "$PROMETHEUS_URL" {
		t.Errorf("got %+v, want a Prometheus that Grafana itself asks, where the environment says", source)
	}
	first := d.Templating.List[0]
	if first.Type != "datasource" || first.Current.Value != source.UID {
		t.Errorf("got %+v first, want the choice of datasource, at %s", first, source.UID)
	}
	if got, want := source.JSONData.TimeInterval, prometheusConfig(t, "../../deploy/prometheus/prometheus.yaml").Global.ScrapeInterval; got != want {
		t.Errorf("the datasource's interval: got %s, want that of scraping, %s", got, want)
	}
}
