//go:build e2e

package monitoring

import (
	"bytes"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ktail/ktail/test/internal/prometheus"
	"github.com/ktail/ktail/test/internal/suite"
)

// Whatever lines contain, every server can scrape ktail: in the text format, in
// OpenMetrics, and in protobuf, which a server requests that uses start times.
func TestHostileLines_AreScraped(t *testing.T) {
	dir := t.TempDir()
	logs := newPodLog(t, dir, "web-1")
	address := prometheus.FreeAddress(t)
	prometheus.StartProcess(t, ktail, ".", "--pod-logs-dir", dir, "--quiet", "--metrics-listen", address,
		"--metric", `call_duration_seconds{user}:ms=^ms=(?P<ms>\S+) user=(?P<user>.*)$`, "--metric", `rows_total{table}:rows=`)
	servers := []*prometheus.Server{
		prometheus.Start(t, address, prometheus.Options{}),
		prometheus.Start(t, address, prometheus.Options{Newer: true}),
		prometheus.Start(t, address, prometheus.Options{Newer: true, Flags: []string{"--enable-feature=created-timestamp-zero-ingestion"}}),
	}
	for _, s := range servers {
		suite.Eventually(t, patience, "ktail is scraped", func() bool { _, ok := s.Value("ktail_log_lines_total"); return ok })
	}
	for _, text := range []string{
		"ms=12 user=\xff\"\\", "ms=12 user=\x00", "ms=12 user=" + strings.Repeat("ü", 1<<19), "ms=12 user=a}b{c=\"d\" # EOF",
		"ms=NaN user=a", "ms=1e400 user=a", "ms=-Inf user=a", `{"rows": -1, "table": "a"}`, `{"rows": 2, "table": "a\nb\u0000\ud800"}`,
	} {
		logs.line(t, text)
	}
	for i, s := range servers {
		for expr, want := range map[string]float64{
			"sum(call_duration_seconds_count)": 4, "sum(rows_total)": 2, "sum(ktail_metric_errors_total)": 4, "min_over_time(up[1h])": 1,
		} {
			suite.Eventually(t, patience, expr, func() bool { v, ok := s.Value(expr); return ok && v == want })
		}
		s.WaitForScrapes(2)
		if v, ok := s.Value("min_over_time(up[1h])"); !ok || v != 1 {
			t.Errorf("server %d: a scrape has failed", i)
		}
	}
}

// A Pushgateway that refuses the metrics: ktail repeats its words and exits with 1.
func TestPush_RejectedByTheGatewayFails(t *testing.T) {
	gateway := prometheus.FreeAddress(t)
	prometheus.StartProcess(t, prometheus.Tool("prometheus-pushgateway"), "--web.listen-address="+gateway)
	suite.Eventually(t, patience, "the Pushgateway is ready", func() bool { return get("http://"+gateway+"/-/ready") != "" })
	resp, err := http.Post("http://"+gateway+"/metrics/job/other", "text/plain", strings.NewReader("# TYPE rows_total gauge\nrows_total 1\n"))
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%v, %v", resp, err)
	}
	_ = resp.Body.Close()
	dir := t.TempDir()
	newPodLog(t, filepath.Join(dir, "pods"), "job-1").line(t, "rows=7")
	cmd := exec.Command(ktail, ".", "--pod-logs-dir", filepath.Join(dir, "pods"), "--quiet", "--no-follow", "--metric", `rows_total:rows=rows=(?P<rows>\d+)`, "--metrics-push", "http://"+gateway)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	err = cmd.Run()
	if code := cmd.ProcessState.ExitCode(); code != 1 || !strings.Contains(stderr.String(), "error: push metrics: ") || !strings.Contains(stderr.String(), "rows_total") {
		t.Errorf("%v, exit status %d, and the message %q; want 1 and the reason of the Pushgateway", err, code, stderr.String())
	}
}
