//go:build e2e

package monitoring

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ktail/ktail/test/internal/prometheus"
	"github.com/ktail/ktail/test/internal/suite"
)

// Prometheus counts each line once although ktail is killed again and again, and sees
// no counter go back.
func TestKill_PrometheusCountsEachLineOnce(t *testing.T) {
	const (
		lines = 16_000
		kills = 10
	)
	dir := t.TempDir()
	logs := newPodLog(t, filepath.Join(dir, "pods"), "web-1")
	address := prometheus.FreeAddress(t)
	run := func() *prometheus.Process {
		return prometheus.StartProcess(t, ktail, ".", "--pod-logs-dir", filepath.Join(dir, "pods"), "--quiet", "--resume", "--metrics-listen", address,
			"--metrics-state", filepath.Join(dir, "state"), "--metric", `lines_total{code}=code=(?P<code>\d+)`)
	}
	p := run()
	servers := []*prometheus.Server{prometheus.Start(t, address, prometheus.Options{}), prometheus.Start(t, address, prometheus.Options{Newer: true})}
	for _, server := range servers {
		suite.Eventually(t, patience, "ktail is scraped", func() bool { v, ok := server.Value("ktail_log_lines_total"); return ok && v == 0 })
	}
	begin := time.Now()
	for i := range lines {
		logs.line(t, fmt.Sprintf("line %d code=%d", i, 200+i%2))
		if i%20 == 19 {
			<-time.After(time.Until(begin.Add(time.Duration(i) * time.Second / 200))) // 200 lines a second
		}
		if i%(lines/(kills+1)) == 500 && i > 1000 {
			p.Kill()
			p = run()
		}
	}
	for _, server := range servers {
		suite.Eventually(t, patience, "all lines are counted", func() bool { v, ok := server.Value("sum(lines_total)"); return ok && v >= lines })
	}
	for _, server := range servers {
		server.WaitForScrapes(3) // they must not count more
	}
	for expr, want := range map[string]float64{
		"sum(lines_total)":                   lines,
		"ktail_log_lines_total":              lines,
		"sum(resets(lines_total[10m]))":      0,
		"resets(ktail_log_lines_total[10m])": 0,
		"ktail_log_lines_total - min_over_time(ktail_log_lines_total[10m])": lines,
		"sum(lines_total - min_over_time(lines_total[10m]))":                lines,
	} {
		for _, server := range servers {
			if v, ok := server.Value(expr); !ok || v != want {
				t.Errorf("%s is %v (%v), want %v", expr, v, ok, want)
			}
		}
	}
	const exact = "sum(increase(lines_total[10m] anchored))"
	if v, ok := servers[1].Value(exact); !ok || v != lines {
		t.Errorf("%s is %v (%v), want %v", exact, v, ok, lines)
	}
	t.Logf("%d lines at 200/s, ktail killed %d times: last - first = %v, resets = %v, %s = %v", lines, kills,
		servers[0].Query("sum(lines_total - min_over_time(lines_total[10m]))"), servers[0].Query("sum(resets(lines_total[10m]))"), exact, servers[1].Query(exact))
}

// The first value of a series counts for each of several servers, with default flags
// and with those that use the start times of series.
func TestFirstValue_IncreaseSeesIt(t *testing.T) {
	dir := t.TempDir()
	logs := newPodLog(t, dir, "web-1")
	address := prometheus.FreeAddress(t)
	prometheus.StartProcess(t, ktail, ".", "--pod-logs-dir", dir, "--quiet", "--metrics-listen", address, "--metric", `responses_total{code}=code=(?P<code>\d+)`)
	servers := []*prometheus.Server{prometheus.Start(t, address, prometheus.Options{})}
	for _, flags := range [][]string{nil, nil, nil, {"--enable-feature=created-timestamp-zero-ingestion"}} {
		servers = append(servers, prometheus.Start(t, address, prometheus.Options{Newer: true, Flags: flags}))
	}
	for _, s := range servers {
		suite.Eventually(t, patience, "ktail is scraped", func() bool { _, ok := s.Value("ktail_log_lines_total"); return ok })
	}
	for range 3 {
		logs.line(t, "code=500")
	}
	for i, s := range servers {
		suite.Eventually(t, patience, "the value arrives", func() bool { v, ok := s.Value("responses_total"); return ok && v == 3 })
		s.WaitForScrapes(2)
		v, ok := s.Value(`increase(responses_total[1m])`)
		if !ok || v < 2.5 {
			t.Errorf("server %d: increase is %v (%v), want about 3", i, v, ok)
		}
		t.Logf("server %d: increase(responses_total[1m]) = %.2f", i, v)
		if i == 0 { // it is older than exact increases
			continue
		}
		if v, ok := s.Value(`increase(responses_total[1m] anchored)`); !ok || v != 3 {
			t.Errorf("server %d: the exact increase is %v (%v), want 3", i, v, ok)
		}
	}
}

// Series of deleted pods get a staleness marker.
func TestGonePods_SeriesBecomeStale(t *testing.T) {
	dir := t.TempDir()
	logs := newPodLog(t, dir, "web-1")
	newPodLog(t, dir, "web-2")
	address := prometheus.FreeAddress(t)
	prometheus.StartProcess(t, ktail, ".", "--pod-logs-dir", dir, "--quiet", "--metrics-listen", address, "--metric", `lines_total=`)
	server := prometheus.Start(t, address, prometheus.Options{})
	logs.line(t, "x")
	suite.Eventually(t, patience, "two pods", func() bool { return len(server.Query("lines_total")) == 2 })
	if out, err := exec.Command("rm", "-r", filepath.Join(dir, "shop_web-1_uid-web-1")).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	suite.Eventually(t, patience, "one pod is left", func() bool {
		left := server.Query("lines_total")
		return len(left) == 1 && strings.Contains(fmt.Sprint(left), "web-2")
	})
}
