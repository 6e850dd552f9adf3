//go:build e2e

package e2esearch

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ktail/ktail/test/internal/suite"
	"github.com/ktail/ktail/test/search"
)

// ktail forwards 200,000 lines of 50 pods, and then forwards them again. Each
// is indexed once, with all fields, and the second run reports that all were
// already indexed.
func TestDelivery_EachLineOnce(t *testing.T) {
	const pods, each = 50, 4000
	onEach(t, func(t *testing.T, s *search.Server) {
		w := newWorld(t, pods)
		w.fill(each)
		began := time.Now()
		r := w.forward(s, "--no-follow")
		if code := r.wait(5 * time.Minute); code != 0 {
			t.Errorf("exit code %d", code)
		}
		r.checkMemory()
		rate := float64(w.lines()) / time.Since(began).Seconds()
		w.compare(t, s).report(t, fmt.Sprintf("%.0f lines/s, %s", rate, r.Usage()))
		w.checkServerOrder(t, s)

		again := w.forward(s, "--no-follow", "--since", "1h")
		if code := again.wait(5 * time.Minute); code != 0 {
			t.Errorf("exit code %d of the second run", code)
		}
		again.checkMemory()
		if indexed := fmt.Sprintf("(%d already indexed)", w.lines()); !strings.Contains(again.Stderr.String(), indexed) {
			t.Errorf("the second run does not report: %s", indexed)
		}
		// If the number of documents is unchanged and none was deleted, the
		// documents are the same.
		found := s.Count(t, s.Index())
		(&result{Counts: suite.Counts{Written: w.lines(), Arrived: found, Lost: max(w.lines()-found, 0), Duplicated: max(found-w.lines(), 0)}}).report(t, "second run, "+again.Usage())
	})
}
