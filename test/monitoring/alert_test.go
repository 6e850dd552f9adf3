//go:build e2e

package monitoring

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/ktail/ktail/test/internal/prometheus"
	"github.com/ktail/ktail/test/internal/suite"
)

// An error line becomes an alert at a receiver.
func TestAlert_ReachesTheWebhook(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("Debian's Alertmanager reads a template below /usr/share; only root can show it one without installing it")
	}
	dir := t.TempDir()
	received := make(chan string, 10)
	webhook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		received <- string(b)
	}))
	t.Cleanup(webhook.Close)
	config := filepath.Join(dir, "alertmanager.yml")
	write(t, config, "route: {receiver: test, group_wait: 1s}\nreceivers: [{name: test, webhook_configs: [{url: '"+webhook.URL+"'}]}]\n")
	program, err := filepath.Abs(prometheus.Tool("prometheus-alertmanager"))
	if err != nil {
		t.Fatal(err)
	}
	templates, err := filepath.Abs(prometheus.Shared("prometheus/alertmanager"))
	if err != nil {
		t.Fatal(err)
	}
	address := prometheus.FreeAddress(t)
	// Only this process sees the templates there.
	prometheus.StartProcess(t, "unshare", "-m", "sh", "-c", `mount -t tmpfs tmpfs /usr/share && mkdir /usr/share/prometheus && cp -r "$1" /usr/share/prometheus/ && shift && exec "$@"`,
		"sh", templates, program, "--config.file="+config, "--storage.path="+filepath.Join(dir, "alertmanager"), "--web.listen-address="+address, "--cluster.listen-address=")
	suite.Eventually(t, patience, "Alertmanager is ready", func() bool { return get("http://"+address+"/-/ready") != "" })

	rules := filepath.Join(dir, "rules.yml")
	write(t, rules, "groups: [{name: test, rules: [{alert: Errors, expr: 'increase(errors_total[1m]) > 0'}]}]\n")
	pods := filepath.Join(dir, "pods")
	logs := newPodLog(t, pods, "web-1")
	listen := prometheus.FreeAddress(t)
	prometheus.StartProcess(t, ktail, ".", "--pod-logs-dir", pods, "--quiet", "--metrics-listen", listen, "--metric", `errors_total{code}=ERROR (?P<code>\d+)`)
	server := prometheus.Start(t, listen, prometheus.Options{Rules: rules, Alertmanager: address})
	suite.Eventually(t, patience, "ktail is scraped", func() bool { _, ok := server.Value("ktail_log_lines_total"); return ok })
	began := time.Now()
	logs.line(t, "ERROR 500")
	const most = 2*time.Second + time.Second + time.Second + time.Second // two scrapes, evaluation, group_wait, one more
	select {
	case body := <-received:
		took := time.Since(began)
		t.Logf("the webhook received the alert after %v", took.Round(10*time.Millisecond))
		if !strings.Contains(body, `"pod":"web-1"`) || !strings.Contains(body, `"code":"500"`) {
			t.Errorf("it received %s", body)
		}
		if took > 2*most { // other tests may use the machine
			t.Errorf("it took %v, want at most %v", took, most)
		}
	case <-time.After(patience):
		t.Fatal("no alert arrives")
	}
}

// promtool runs promtool, which must succeed.
func promtool(t *testing.T, program, stdin string, args ...string) {
	t.Helper()
	program, err := filepath.Abs(program)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, args...)
	cmd.Dir = filepath.Join(root, "deploy", "monitoring")
	cmd.Stdin = strings.NewReader(stdin)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func TestRules_FireAndStaySilent(t *testing.T) {
	for _, program := range []string{prometheus.Tool("promtool"), prometheus.NewerTool("promtool")} {
		promtool(t, program, "", "check", "rules", "rules.yaml")
		promtool(t, program, "", "test", "rules", "rules_test.yaml")
	}
}

func TestRules_AreThoseOfTheOperator(t *testing.T) {
	var plain map[string]any
	var operator struct{ Spec map[string]any }
	for name, into := range map[string]any{"rules.yaml": &plain, "prometheusrule.yaml": &operator} {
		b, err := os.ReadFile(filepath.Join(root, "deploy", "monitoring", name))
		if err != nil {
			t.Fatal(err)
		}
		if err := yaml.Unmarshal(b, into); err != nil {
			t.Fatal(err)
		}
	}
	if !reflect.DeepEqual(plain, operator.Spec) {
		t.Error("prometheusrule.yaml has other rules than rules.yaml")
	}
}

func TestRules_HaveRunbooks(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(root, "deploy", "monitoring", "rules.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	docs, err := os.ReadFile(filepath.Join(root, "docs", "metrics.md"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		name, ok := strings.CutPrefix(strings.TrimSpace(line), "- alert: ")
		if ok && !bytes.Contains(docs, []byte("\n### "+name+"\n")) {
			t.Errorf("docs/metrics.md has no runbook for %s", name)
		}
	}
}

// promtool finds nothing to complain about in what ktail shows.
func TestExposition_PassesPromtoolCheckMetrics(t *testing.T) {
	dir := t.TempDir()
	logs := newPodLog(t, dir, "web-1")
	for _, text := range []string{"ms=12 user=\xff\"\\", "ms=NaN user=\x00", "ms=1e400 user=" + strings.Repeat("x", 1<<20), "ms=7 user=a"} {
		logs.line(t, text)
	}
	out, err := exec.Command(ktail, ".", "--pod-logs-dir", dir, "--no-follow", "--quiet", "--metrics-file", "-",
		"--metric", `call_duration_seconds{user}:ms=^ms=(?P<ms>\S+) user=(?P<user>.*)$`, "--metric", "lines_total=").Output()
	if err != nil {
		t.Fatal(err)
	}
	promtool(t, prometheus.Tool("promtool"), string(out), "check", "metrics")
}

// A run pushes once, also after SIGINT; the next one replaces the group.
func TestPush_ReplacesTheGroup(t *testing.T) {
	dir := t.TempDir()
	gateway := prometheus.FreeAddress(t)
	prometheus.StartProcess(t, prometheus.Tool("prometheus-pushgateway"), "--web.listen-address="+gateway)
	suite.Eventually(t, patience, "the Pushgateway is ready", func() bool { return get("http://"+gateway+"/-/ready") != "" })
	args := []string{".", "--pod-logs-dir", dir, "--quiet", "--metric", `rows_total{table}:rows=^migrated (?P<rows>\d+) rows of (?P<table>\w+)`,
		"--metrics-push", "http://" + gateway, "--metrics-push-group", "pipeline=nightly"}
	logs := newPodLog(t, dir, "job-1")
	logs.line(t, "migrated 7 rows of users")
	if out, err := exec.Command(ktail, append(args, "--no-follow")...).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	pushed := get("http://" + gateway + "/metrics")
	for _, want := range []string{`rows_total{container="app",instance="",job="ktail",namespace="shop",pipeline="nightly",table="users"} 7`, `ktail_run_success{instance="",job="ktail",pipeline="nightly"} 1`} {
		if !strings.Contains(pushed, want) {
			t.Errorf("there is no %s in\n%s", want, pushed)
		}
	}
	if strings.Contains(pushed, "pod=") {
		t.Error("series have pods")
	}
	listen := prometheus.FreeAddress(t)
	following := prometheus.StartProcess(t, ktail, append(args, "--metrics-listen", listen)...)
	suite.Eventually(t, patience, "it follows", func() bool { return strings.Contains(get("http://"+listen+"/metrics"), "ktail_log_lines_total{") })
	logs.line(t, "migrated 9 rows of carts")
	suite.Eventually(t, patience, "the line is counted", func() bool {
		return strings.Contains(get("http://"+listen+"/metrics"), `table="carts"`)
	})
	if code := following.Interrupt(); code != 130 {
		t.Errorf("exit status %d, want 130", code)
	}
	pushed = get("http://" + gateway + "/metrics")
	if !strings.Contains(pushed, `table="carts"} 9`) || strings.Contains(pushed, `table="users"`) {
		t.Errorf("the group was not replaced:\n%s", pushed)
	}
}
