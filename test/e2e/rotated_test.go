//go:build e2e

package e2e

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/ktail/ktail/pkg/cri"
	"github.com/ktail/ktail/test/internal/suite"
)

// readRotated runs ktail once with rotated files, and returns the numbers of the lines and
// stderr.
func (n *namespace) readRotated(args ...string) (numbers []int, stderr string) {
	n.t.Helper()
	args = append([]string{".", "-n", n.name, "--rotated", "--no-follow", "--color", "never", "-o", "raw", "--since", "0"}, args...)
	cmd := exec.CommandContext(n.t.Context(), ktailPath, args...)
	var messages strings.Builder
	cmd.Stderr = &messages
	out, err := cmd.Output()
	if err != nil {
		n.t.Fatalf("ktail: %v\n%s", err, messages.String())
	}
	for line := range strings.Lines(string(out)) {
		var number int
		if _, err := fmt.Sscanf(line, "c line %d", &number); err != nil {
			n.t.Fatalf("unexpected line %.100q", line)
		}
		numbers = append(numbers, number)
	}
	return numbers, messages.String()
}

// contiguous fails the test unless each number is one more than the one before.
func contiguous(t *testing.T, numbers []int) {
	t.Helper()
	for i := 1; i < len(numbers); i++ {
		if numbers[i] != numbers[i-1]+1 {
			t.Fatalf("line %d follows line %d, %d lines after the first one", numbers[i], numbers[i-1], i)
		}
	}
}

// oldestOnNode returns the number of the first line that the node still has in a plain
// file.
func (n *namespace) oldestOnNode() int {
	n.t.Helper()
	files, err := filepath.Glob(filepath.Join(n.work, "state/pods", n.name+"_*/c/*.log*"))
	n.must(err)
	oldest := 0
	for _, f := range files {
		if strings.HasSuffix(f, ".gz") || strings.HasSuffix(f, ".tmp") {
			continue
		}
		number := firstNumber(f)
		if number > 0 && (oldest == 0 || number < oldest) {
			oldest = number
		}
	}
	return oldest
}

// firstNumber returns the number in the first line of a log file, or 0.
func firstNumber(path string) int {
	out, err := exec.Command("head", "-n1", path).Output()
	if err != nil {
		return 0 // it was renamed
	}
	return numberIn(string(out))
}

// numberIn returns the number in a line of a log file, or 0.
func numberIn(line string) int {
	_, rest, _ := strings.Cut(line, " c line ")
	var number int
	_, _ = fmt.Sscanf(rest, "%d", &number)
	return number
}

// rotations are the rotations of a log on the node. The kubelet opens the new file as soon as
// it exists. What the runtime writes to the old one after that is not in a response that
// follows the log, and nothing in the API shows it (ReadLogs in k8s.io/cri-client/pkg/logs).
// The runtime copies bytes, not lines, so the last line of the old file may be the beginning
// of one whose end is in the new file.
type rotations struct {
	mu   sync.Mutex
	seen map[string]*rotation // by the path of the old file
}

type rotation struct {
	since      time.Time // it was noticed
	created    time.Time // the new file was created
	late, last int       // lines that were written to the old file after that; 0: none
	split      bool      // the last one is the beginning of a line
}

// watchRotations watches the rotations of the log of container c of a pod, until the test
// ends.
func (n *namespace) watchRotations(pod string) *rotations {
	r := &rotations{seen: map[string]*rotation{}}
	go func() {
		tick := time.NewTicker(cri.ReopenGrace / 2)
		defer tick.Stop()
		for ; n.t.Context().Err() == nil; <-tick.C {
			files, _ := filepath.Glob(filepath.Join(n.work, "state/pods", n.name+"_"+pod+"_*/c/0.log.*"))
			for _, f := range files {
				if ext := filepath.Ext(f); ext != ".gz" && ext != ".tmp" {
					r.look(f)
				}
			}
		}
	}()
	return r
}

// look records what a rotated file shows. It is called repeatedly.
func (r *rotations) look(path string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.seen[path] == nil {
		created := birth(filepath.Join(filepath.Dir(path), "0.log"))
		if created.IsZero() {
			return // the runtime has not created it yet
		}
		r.seen[path] = &rotation{since: time.Now(), created: created}
	}
	at := r.seen[path]
	if time.Since(at.since) < cri.ReopenGrace {
		return
	}
	out, _ := exec.Command("tail", "-n200", path).Output()
	for line := range strings.Lines(string(out)) {
		stamp, record, _ := strings.Cut(line, " ")
		// The runtime takes the time shortly before it writes the line.
		if written, err := time.Parse(time.RFC3339Nano, stamp); err != nil || written.Before(at.created.Add(-5*time.Millisecond)) {
			continue
		}
		at.last = numberIn(line)
		at.split = strings.HasPrefix(record, "stdout P ")
		if at.late == 0 {
			at.late = at.last
		}
	}
}

// birth returns the time when a file was created.
func birth(path string) time.Time {
	out, err := exec.Command("stat", "-c", "%.9W", path).Output()
	var seconds, nanos int64
	if _, scanErr := fmt.Sscanf(string(out), "%d.%d", &seconds, &nanos); err != nil || scanErr != nil {
		return time.Time{}
	}
	return time.Unix(seconds, nanos)
}

// explain removes from a result what no client of the API can receive: lines that were
// written to an old file after the new one existed, and the ends of lines that were split
// there.
func (r *rotations) explain(t *testing.T, of *result) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	t.Logf("%d rotations", len(r.seen))
	if len(r.seen) == 0 {
		t.Error("the log was not rotated: nothing was tested")
	}
	splits := 0
	of.missing = slices.DeleteFunc(of.missing, func(lost lostRun) bool {
		for _, at := range r.seen {
			if at.late != 0 && at.late <= lost.first && lost.last <= at.last {
				t.Logf("%v: written after the new file had been created", lost)
				return true
			}
		}
		return false
	})
	for _, at := range r.seen {
		if at.split {
			splits++
		}
	}
	of.foreign = slices.DeleteFunc(of.foreign, func(text string) bool {
		rest := strings.TrimRight(text, "x")
		end := splits > 0 && rest != text && strings.HasSuffix(rest, " c ")
		if end {
			splits--
			t.Log("the end of a line that was split")
		}
		return end
	})
}

// While a container writes 500 to 2,000 lines per second into files of 1 MiB, each run
// prints all lines that the node has, from the oldest to the present, and nothing else. It is
// not parallel, because other tests kill the kubelet, which ktail would report.
func TestRotated_EachRunIsContiguous(t *testing.T) {
	const runs = 8
	n := newNamespace(t)
	spec := n.podSpec(n.container("c", "-rate", "1500", "-n", "180000", "-size", "200"))
	n.createPod("rotate", spec, nil)
	suite.Eventually(t, time.Minute, "rotated files", func() bool {
		files, _ := filepath.Glob(filepath.Join(n.work, "state/pods", n.name+"_*/c/*.gz"))
		return len(files) > 0
	})
	least, most := 1<<30, 0
	for range runs {
		numbers, stderr := n.readRotated("--only-log-lines")
		contiguous(t, numbers)
		if oldest := n.oldestOnNode(); len(numbers) == 0 || oldest == 0 || numbers[0] >= oldest {
			t.Fatalf("%d lines; the node has lines before %d in a compressed file", len(numbers), oldest)
		}
		if stderr != "" {
			t.Errorf("stderr: %s", stderr)
		}
		least, most = min(least, len(numbers)), max(most, len(numbers))
	}
	summary.Add(t.Name(), nil, fmt.Sprintf("%d runs of %d to %d lines, contiguous", runs, least, most))
}

// A run that follows prints everything from the oldest line on, for a minute.
func TestRotated_FollowedIsContiguous(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	n.createPod("rotate", n.podSpec(n.container("c", "-rate", "1500", "-n", "120000", "-size", "200")), nil)
	suite.Eventually(t, time.Minute, "rotated files", func() bool {
		files, _ := filepath.Glob(filepath.Join(n.work, "state/pods", n.name+"_*/c/*.gz"))
		return len(files) > 0
	})
	rotations := n.watchRotations("rotate")
	f := n.follow(newLedger(), "--rotated", "--since", "0")
	n.waitForCompletion(3 * time.Minute)
	r := f.finish(n)
	rotations.explain(t, r)
	r.orderly(t)
	if len(r.missing) > 1 || len(r.missing) == 1 && r.missing[0].first != 1 {
		t.Errorf("lines are missing:\n%s", examples(r.missing))
	}
	if reported := f.gaps("rotate"); len(reported) > 0 {
		t.Errorf("gaps: %v", reported)
	}
}

// While stdout is blocked, the log is rotated twice. The node still has everything, so
// nothing is missing, and no gap is reported.
func TestRotated_BlockedReaderHasNoGap(t *testing.T) {
	t.Parallel()
	const blocked = 40 * time.Second
	n := newNamespace(t)
	rotations := n.watchRotations("busy")
	f := n.follow(newLedger(), "--rotated", "--since", "0")
	n.createPod("busy", n.podSpec(n.container("c", "-rate", "500", "-n", "35000", "-size", "50")), nil)
	suite.Eventually(t, time.Minute, "the first lines", func() bool { return f.last("busy c") > 1000 })
	clock := suite.StartClock(t)
	f.block()
	clock.Until(blocked)
	f.unblock()
	n.waitForCompletion(2 * time.Minute)
	r := f.finish(n)
	rotations.explain(t, r)
	r.orderly(t)
	if len(r.missing) > 0 {
		t.Errorf("lines are missing:\n%s", examples(r.missing))
	}
	if reported := f.gaps("busy"); len(reported) > 0 {
		t.Errorf("gaps: %v", reported)
	}
}

// A container crashes after its log was rotated. Both instances are complete.
func TestRotated_BothInstancesAreComplete(t *testing.T) {
	t.Parallel()
	const lines = 7000 // 1.8 MB, so each instance has one rotated file
	n := newNamespace(t)
	spec := n.podSpec(n.container("c", "-rate", "1500", "-n", fmt.Sprint(lines), "-size", "200", "-linger", "15s", "-exit", "3"))
	spec.RestartPolicy = corev1.RestartPolicyAlways
	n.createPod("crash", spec, nil)
	f := n.follow(newLedger(), "--rotated")
	suite.Eventually(t, 2*time.Minute, "the last line of the second instance", func() bool { return f.last("crash c") >= 2*lines })
	numbers, stderr := n.readRotated("--previous")
	contiguous(t, numbers)
	if len(numbers) != 2*lines || numbers[0] != 1 {
		t.Errorf("%d lines from line %d on, want %d", len(numbers), slices.Min(append(numbers, 0)), 2*lines)
	}
	if strings.Count(stderr, "(Error exit 3)") != 1 || strings.Contains(stderr, "gap") {
		t.Errorf("stderr: %s", stderr)
	}
	summary.Add(t.Name(), nil, fmt.Sprintf("%d lines of two instances", len(numbers)))
}
