//go:build e2e

package e2esearch

import (
	"fmt"
	"io"
	"sync"
	"testing"
	"text/tabwriter"
	"time"
)

// summary collects the figures of all tests.
var summary table

type table struct {
	mu   sync.Mutex
	rows []row
}

type row struct {
	test   string
	result *result
	note   string
}

// report puts a result into the summary, and fails the test unless it is exact.
func (r *result) report(t *testing.T, note string) {
	t.Helper()
	t.Logf("%v; %s", r, note)
	summary.mu.Lock()
	summary.rows = append(summary.rows, row{t.Name(), r, note})
	summary.mu.Unlock()
	r.exact(t)
}

func (s *table) print(w io.Writer, took time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Fprintf(w, "\nResults after %v\n", took.Round(time.Second))
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(tw, "written\tfound\tlost\tdoubled\tdisordered\ttest\t")
	for _, r := range s.rows {
		fmt.Fprintf(tw, "%d\t%d\t%d\t%d\t%d\t  %s\t  %s\n", r.result.Written, r.result.Found, r.result.Lost, r.result.Doubled, r.result.Disordered, r.test, r.note)
	}
	tw.Flush()
}
