//go:build e2e

package e2e

import (
	"fmt"
	"io"
	"sync"
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

func (s *table) add(test string, r *result, note string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rows = append(s.rows, row{test, r, note})
}

func (s *table) print(w io.Writer, took time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Fprintf(w, "\nResults after %v\n", took.Round(time.Second))
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(tw, "written\tshown\tlost\tdoubled\tdisordered\ttest\t")
	for _, r := range s.rows {
		figures := "\t\t\t\t"
		if r.result != nil {
			figures = fmt.Sprintf("%d\t%d\t%d\t%d\t%d", r.result.Written, r.result.Shown, r.result.Lost, r.result.Doubled, r.result.Disordered)
		}
		fmt.Fprintf(tw, "%s\t  %s\t  %s\n", figures, r.test, r.note)
	}
	tw.Flush()
}
