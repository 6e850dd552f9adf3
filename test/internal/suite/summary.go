//go:build e2e

package suite

import (
	"fmt"
	"io"
	"sync"
	"text/tabwriter"
	"time"
)

// Counts compares the lines that containers wrote with those that arrived.
type Counts struct {
	Written    int
	Arrived    int // including duplicates
	Lost       int
	Duplicated int
	OutOfOrder int
}

// String returns the counts in one line.
func (c Counts) String() string {
	return fmt.Sprintf("written %d, arrived %d, lost %d, duplicated %d, out of order %d", c.Written, c.Arrived, c.Lost, c.Duplicated, c.OutOfOrder)
}

// Exact reports whether every line arrived exactly once and in order.
func (c Counts) Exact() bool { return c.Lost == 0 && c.Duplicated == 0 && c.OutOfOrder == 0 }

// Summary collects the counts of all tests. It is safe for concurrent use.
type Summary struct {
	mu   sync.Mutex
	rows []row
}

type row struct {
	test   string
	counts *Counts
	note   string
}

// Add adds the result of a test. Counts may be nil.
func (s *Summary) Add(test string, counts *Counts, note string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rows = append(s.rows, row{test, counts, note})
}

// Print prints a table.
func (s *Summary) Print(w io.Writer, took time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Fprintf(w, "\nResults after %v\n", took.Round(time.Second))
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(tw, "written\tarrived\tlost\tduplicated\tout of order\ttest\t")
	for _, r := range s.rows {
		figures := "\t\t\t\t"
		if c := r.counts; c != nil {
			figures = fmt.Sprintf("%d\t%d\t%d\t%d\t%d", c.Written, c.Arrived, c.Lost, c.Duplicated, c.OutOfOrder)
		}
		fmt.Fprintf(tw, "%s\t  %s\t  %s\n", figures, r.test, r.note)
	}
	tw.Flush()
}
