//go:build e2e

package e2e

import (
	"testing"
	"time"

	"github.com/ktail/ktail/test/internal/prometheus"
	"github.com/ktail/ktail/test/internal/suite"
)

// Prometheus counts each line of a pod once, and sees no counter go back, although ktail is
// killed ten times, the kubelet once, and the log is rotated.
func TestPrometheus_CountsEachLineOnce(t *testing.T) {
	t.Parallel()
	const (
		lines = 16_000
		kills = 10
	)
	n := newNamespace(t)
	address, state := prometheus.FreeAddress(t), t.TempDir()
	run := func() *follower {
		return n.follow(newLedger(), "--quiet", "--resume", "--rotated", "--metrics-listen", address, "--metrics-state", state, "--metric", "lines_total=")
	}
	f := run()
	server := prometheus.Start(t, address, prometheus.Options{Interval: "5s"})
	n.createPod("writer", n.podSpec(n.container("c", "-rate", "200", "-n", "16000")), nil)
	counted := func() float64 { v, _ := server.Value("lines_total"); return v }
	suite.Eventually(t, time.Minute, "the first lines to be counted", func() bool { return counted() > 0 })
	clock := suite.StartClock(t)
	for i := range kills {
		clock.Until(time.Duration(i+1) * 6 * time.Second)
		f.Kill()
		if i == kills/2 {
			n.killKubelet(t)
		}
		f = run()
	}
	n.waitForCompletion(2 * time.Minute)
	suite.Eventually(t, time.Minute, "all lines to be counted", func() bool { return counted() >= lines })
	server.WaitForScrapes(2) // they must not count more
	for expr, want := range map[string]float64{
		"lines_total": lines,
		"lines_total - min_over_time(lines_total[10m])": lines,
		"resets(lines_total[10m])":                      0,
		"ktail_log_lines_total":                         lines,
		"resets(ktail_log_lines_total[10m])":            0,
		"sum(ktail_log_gaps_total)":                     0,
	} {
		if v, ok := server.Value(expr); !ok || v != want {
			t.Errorf("%s is %v (%v), want %v", expr, v, ok, want)
		}
	}
	t.Logf("ktail killed %d times, the kubelet once: %d lines written, %v counted", kills, lines, counted())
}
