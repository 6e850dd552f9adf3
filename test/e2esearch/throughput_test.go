//go:build e2e

package e2esearch

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

var measureThroughput = flag.Bool("throughput", false, "measure how fast history is read, which requires an idle machine")

// A million lines are read back byte for byte, at the rate that one machine with two
// processors allows for both the server and ktail.
func TestHistory_Throughput(t *testing.T) {
	if !*measureThroughput {
		t.Skip("requires -throughput and an idle machine")
	}
	const (
		pods, each = 50, 20_000
		rounds     = 3
		perSecond  = 40_000
		cpu        = 4 * time.Second
	)
	for _, s := range servers {
		t.Run(s.Name, func(t *testing.T) {
			s.Prepare(t)
			w := newWorld(t, pods)
			w.fill(each)
			began := time.Now()
			if code := w.forward(s, "--no-follow").wait(10 * time.Minute); code != 0 {
				t.Fatalf("exit code %d", code)
			}
			t.Logf("forwarded in %.1f s", time.Since(began).Seconds())
			s.Must(t, "POST", "/"+s.Index()+"/_refresh", "", nil)
			args := []string{".", "-n", namespace, "--kubeconfig", w.kubeconfig, "--only-log-lines", "--color", "never", "--no-follow", "-t"}
			live := printed(t, args...)
			args = append(args, "--history", s.URL())
			if history := printed(t, args...); !bytes.Equal(live, history) {
				t.Fatalf("the live logs and history differ: %s", firstDifference(live, history))
			}
			for range rounds {
				u := w.measure(t, args...)
				rate := pods * each / u.wall.Seconds()
				summary.Add(t.Name(), nil, fmt.Sprintf("%.0f lines/s, %.2f s of CPU time, %.0f MB", rate, u.cpu.Seconds(), u.peak))
				if rate < perSecond || u.cpu > cpu || u.peak > memoryBound/1e6 {
					t.Errorf("%.0f lines/s, %.2f s of CPU time, %.0f MB", rate, u.cpu.Seconds(), u.peak)
				}
			}
		})
	}
}

// usage is what a run took.
type usage struct {
	wall, cpu time.Duration
	peak      float64 // MB
}

// measure runs ktail with its output to /dev/null.
func (w *world) measure(t *testing.T, args ...string) usage {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), ktailPath, args...)
	cmd.Env = append(os.Environ(), "XDG_STATE_HOME="+w.state)
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	cmd.Stdout = null
	began := time.Now()
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	state := cmd.ProcessState
	return usage{
		wall: time.Since(began), cpu: state.UserTime() + state.SystemTime(),
		peak: float64(state.SysUsage().(*syscall.Rusage).Maxrss) * 1024 / 1e6,
	}
}
