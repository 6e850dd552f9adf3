//go:build e2e

package e2esearch

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/ktail/ktail/test/search"
)

// Forwarded lines that are read back equal, byte for byte, what ktail prints
// from the live logs.
func TestHistory_EqualsTheLiveLogs(t *testing.T) {
	const pods, each = 50, 1000
	onEach(t, func(t *testing.T, s *search.Server) {
		w := newWorld(t, pods)
		w.fill(each)
		if code := w.forward(s, "--no-follow").wait(5 * time.Minute); code != 0 {
			t.Fatalf("exit code %d", code)
		}
		s.Must(t, "POST", "/"+s.Index()+"/_refresh", "", nil)
		for _, args := range [][]string{
			{"."},
			{"web-01"},
			{"-l", "tier=2"},
			{"-l", "app.kubernetes.io/name=web,tier notin (1)"},
			{".", "--exclude-pod", "1$", "-e", `user=\\?"3`},
			{".", "-i", "cart/9[0-6]", "-o", "raw"},
			{".", "--tail", "7"},
			{"web-00", "--tail", "100", "--template", `{{.PodName}} {{.Message}}{{"\n"}}`},
		} {
			args = append(args, "-t", "-n", namespace, "--kubeconfig", w.kubeconfig, "--only-log-lines", "--color", "never", "--no-follow")
			live := printed(t, args...)
			began := time.Now()
			history := printed(t, append(args, "--history", s.URL())...)
			t.Logf("%v: %d bytes in %.1f s", args[:2], len(history), time.Since(began).Seconds())
			if slices.Contains(args, "-i") || slices.Contains(args, "-e") {
				// The merge key of a live line is the latest time among the lines that
				// the filters kept; history is in the order of all lines.
				live, history = sorted(live), sorted(history)
			}
			if !bytes.Equal(live, history) {
				t.Errorf("%v: %d bytes from the live logs and %d bytes from history differ: %s", args, len(live), len(history), firstDifference(live, history))
			}
		}
	})
}

// sorted returns the lines in the order of their bytes.
func sorted(output []byte) []byte {
	lines := bytes.SplitAfter(output, []byte("\n"))
	slices.SortFunc(lines, bytes.Compare)
	return bytes.Join(lines, nil)
}

// printed returns the output of ktail.
func printed(t *testing.T, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), ktailPath, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	cmd.Env = append(os.Environ(), "XDG_STATE_HOME="+t.TempDir())
	stdout, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%s", args, err, stderr.Bytes())
	}
	return stdout
}

// firstDifference quotes the first line in which two outputs differ.
func firstDifference(a, b []byte) string {
	as, bs := bytes.Split(a, []byte("\n")), bytes.Split(b, []byte("\n"))
	for i := range min(len(as), len(bs)) {
		if !bytes.Equal(as[i], bs[i]) {
			return fmt.Sprintf("line %d is %q and %q", i+1, as[i], bs[i])
		}
	}
	return "one has more lines"
}
