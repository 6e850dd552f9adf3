//go:build e2e

package monitoring

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/ktail/ktail/internal/fakesearch"
	"github.com/ktail/ktail/test/internal/prometheus"
	"github.com/ktail/ktail/test/internal/suite"
)

// dashboard is the part of Grafana's model that tests look at.
type dashboard struct {
	Panels     []panel
	Templating struct {
		List []struct {
			Name, Type, Definition string
		}
	}
}

type panel struct {
	ID                       int
	Type, Title, Description string
	GridPos                  struct{ H, W, X, Y int }
	FieldConfig              struct{ Defaults struct{ Unit string } }
	Targets                  []struct {
		Expr       string
		Datasource struct{ UID string }
	}
}

func readDashboard(t *testing.T) dashboard {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, "deploy", "monitoring", "dashboard.json"))
	if err != nil {
		t.Fatal(err)
	}
	var d dashboard
	if err := json.Unmarshal(b, &d); err != nil {
		t.Fatal(err)
	}
	if len(d.Panels) == 0 {
		t.Fatal("the dashboard has no panels")
	}
	return d
}

// A user can read each panel: it has a title, says what it shows, in which unit, and
// does not cover another one. No panel depends on a data source of one Grafana.
func TestDashboard_PanelsAreComplete(t *testing.T) {
	ids, cells := map[int]string{}, map[[2]int]string{}
	for _, p := range readDashboard(t).Panels {
		if other, ok := ids[p.ID]; ok {
			t.Errorf("%s and %s have the same ID", p.Title, other)
		}
		ids[p.ID] = p.Title
		for y := range p.GridPos.H {
			for x := range p.GridPos.W {
				at := [2]int{p.GridPos.X + x, p.GridPos.Y + y}
				if other, ok := cells[at]; ok {
					t.Fatalf("%s covers %s", p.Title, other)
				}
				cells[at] = p.Title
			}
		}
		if p.GridPos.X+p.GridPos.W > 24 {
			t.Errorf("%s is wider than the page", p.Title)
		}
		if p.Type == "row" {
			continue
		}
		if p.Title == "" || p.Description == "" || p.FieldConfig.Defaults.Unit == "" || len(p.Targets) == 0 {
			t.Errorf("%+v lacks a title, a description, a unit, or a query", p)
		}
		for _, target := range p.Targets {
			if target.Datasource.UID != "${datasource}" {
				t.Errorf("%s has the data source %q", p.Title, target.Datasource.UID)
			}
		}
	}
}

var labelValues = regexp.MustCompile(`^label_values\((.+), (\w+)\)$`)

// queries returns all queries of the dashboard by what they are for, with the values
// that Grafana would put in for "all".
func (d *dashboard) queries(t *testing.T) map[string]string {
	t.Helper()
	fill := strings.NewReplacer("$__rate_interval", "15s", "$__range", "1m", "$job", ".*", "$namespace", ".*")
	all := map[string]string{}
	for _, p := range d.Panels {
		for i, target := range p.Targets {
			all[fmt.Sprintf("%s %d", p.Title, i+1)] = fill.Replace(target.Expr)
		}
	}
	for _, v := range d.Templating.List {
		if v.Type != "query" {
			continue
		}
		m := labelValues.FindStringSubmatch(v.Definition)
		if m == nil {
			t.Errorf("variable %s: %s is not label_values", v.Name, v.Definition)
			continue
		}
		all["variable "+v.Name] = fmt.Sprintf(`count by (%s) (%s) and on (%[1]s) group by (%[1]s) ({%[1]s!=""})`, m[2], fill.Replace(m[1]))
	}
	for what, expr := range all {
		if strings.Contains(expr, "$") {
			t.Errorf("%s: the test knows no value for a variable of %s", what, expr)
		}
	}
	return all
}

// Each query of the dashboard is valid, and returns data of a ktail that forwards
// lines and makes metrics of them.
func TestDashboard_EveryQueryReturnsData(t *testing.T) {
	search, err := fakesearch.Start(fakesearch.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(search.Close)
	dir := t.TempDir()
	pods := filepath.Join(dir, "pods")
	logs := newPodLog(t, pods, "web-1")
	address := prometheus.FreeAddress(t)
	prometheus.StartProcess(t, ktail, ".", "--pod-logs-dir", pods, "--quiet", "--resume", "--elasticsearch", search.URL(), "--elasticsearch-spool", filepath.Join(dir, "spool"),
		"--metrics-listen", address, "--metric", `http_responses_total{code}= (?P<code>\d{3}) `)
	server := prometheus.Start(t, address, prometheus.Options{})
	suite.Eventually(t, patience, "ktail is scraped", func() bool { _, ok := server.Value("ktail_log_lines_total"); return ok })
	logs.line(t, "GET / 500 1") // both series exist before the lines that rate() sees
	logs.line(t, "GET / 200 1")
	suite.Eventually(t, patience, "the rule is scraped", func() bool { return len(server.Query("http_responses_total > 0")) == 2 })
	write(t, filepath.Join(pods, "shop_web-1_uid-web-1", "app", "1.log"), time.Now().UTC().Format(time.RFC3339Nano)+" stdout F GET / 500 2\n") // the container restarted

	d := readDashboard(t)
	left := d.queries(t)
	if len(left) < 25 {
		t.Fatalf("there are only %d queries", len(left))
	}
	total := len(left)
	for deadline := time.Now().Add(patience); len(left) > 0; <-time.After(time.Second) {
		for what, expr := range left {
			if len(server.Query(expr)) > 0 { // it fails the test if the query is invalid
				delete(left, what)
			}
		}
		if time.Now().After(deadline) {
			for what, expr := range left {
				t.Errorf("%s: no data for %s", what, expr)
			}
			return
		}
	}
	t.Logf("%d queries of the dashboard return data", total)
}

// The dashboard shows the figures that ktail has: a metric that is renamed is renamed
// there.
func TestDashboard_ShowsEveryMetricOfKtail(t *testing.T) {
	var exprs strings.Builder
	for _, p := range readDashboard(t).Panels {
		for _, target := range p.Targets {
			exprs.WriteString(target.Expr + "\n")
		}
	}
	search, err := fakesearch.Start(fakesearch.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(search.Close)
	dir := t.TempDir()
	newPodLog(t, dir, "web-1").line(t, "user=a")
	address := prometheus.FreeAddress(t)
	prometheus.StartProcess(t, ktail, ".", "--pod-logs-dir", dir, "--quiet", "--elasticsearch", search.URL(), "--metrics-listen", address, "--metric", `users_total{user}=user=(?P<user>\S+)`)
	var text string
	suite.Eventually(t, patience, "ktail is scraped", func() bool {
		text = get("http://" + address + "/metrics")
		return strings.Contains(text, "ktail_log_lines_total{")
	})
	for line := range strings.Lines(text) {
		if name, ok := strings.CutPrefix(line, "# TYPE ktail_"); ok {
			name, _, _ = strings.Cut(name, " ")
			if !strings.Contains(exprs.String(), "ktail_"+name) {
				t.Errorf("no panel shows ktail_%s", name)
			}
		}
	}
}

// promtool accepts the job for a Prometheus without the operator.
func TestScrapeConfig_IsValid(t *testing.T) {
	promtool(t, prometheus.NewerTool("promtool"), "", "check", "config", "scrape.yaml")
}
