package logfiles

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ktail/ktail/pkg/cri"
	"github.com/ktail/ktail/pkg/ktail"
)

// dir is a directory in memory.
type dir struct {
	mu    sync.Mutex
	files map[string]string // uncompressed
	max   int

	listed, opened func(n int) // called at the end of the n-th request, from 1 on
	lists, opens   int
	limit          int // bytes of a response; 0: no limit
}

func (d *dir) List(context.Context) ([]string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	names := slices.Sorted(maps.Keys(d.files))
	d.lists++
	if d.listed != nil {
		d.listed(d.lists)
	}
	return names, nil
}

func (d *dir) Open(_ context.Context, name string, offset int64) (io.ReadCloser, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	text, ok := d.files[name]
	d.opens++
	if d.opened != nil {
		defer d.opened(d.opens)
	}
	content := []byte(text)
	if strings.HasSuffix(name, ".gz") {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		_, _ = w.Write(content)
		_ = w.Close()
		content = b.Bytes()
	}
	switch {
	case !ok:
		return nil, fs.ErrNotExist
	case offset > 0 && offset >= int64(len(content)):
		return nil, &PastEndError{int64(len(content))}
	}
	content = content[offset:]
	if d.limit > 0 {
		content = content[:min(len(content), d.limit)]
	}
	return io.NopCloser(bytes.NewReader(content)), nil
}

func (d *dir) MaxFiles(context.Context) int { return d.max }

func (d *dir) rename(from, to string) {
	d.files[to] = d.files[from]
	delete(d.files, from)
}

// records returns one record for each number, written at that second.
func records(numbers ...int) string {
	var b strings.Builder
	for _, n := range numbers {
		fmt.Fprintf(&b, "2026-01-31T10:%02d:%02d.5Z stdout F %d\n", n/60, n%60, n)
	}
	return b.String()
}

// read returns the lines of the log, each instance and each reason for missing lines on a
// line of its own.
func read(t *testing.T, d *dir, prepare ...func(*Reader) error) []string {
	t.Helper()
	if d.max == 0 {
		d.max = 5
	}
	r := NewReader(d, &ktail.Stream{}, 0)
	if err := r.List(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, f := range prepare {
		if err := f(r); err != nil {
			t.Fatal(err)
		}
	}
	var all []string
	instance := -1
	err := r.Read(t.Context(), func(b Batch) error {
		if b.Missing != "" {
			all = append(all, b.Missing)
		}
		if b.Instance != instance {
			instance = b.Instance
			all = append(all, fmt.Sprint("instance ", instance))
		}
		for _, l := range b.Lines {
			all = append(all, string(l.Text))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func wants(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("read\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

// The names of files are readings of the node's clock, which summer time sets back.
func TestRead_OrdersFilesByTheirTimes(t *testing.T) {
	d := &dir{files: map[string]string{
		"0.log.20261025-015000.gz": records(1),
		"0.log.20261025-025000.gz": records(2),
		"0.log.20261025-023000.gz": records(3), // an hour has begun again
		"0.log.20261025-025500":    records(4),
		"0.log":                    records(5),
	}}
	wants(t, read(t, d), "instance 0", "1", "2", "3", "4", "5")
}

// The parts of a line may be in two files. The beginning of a line at the end of the log
// is no line yet, unless the instance has ended.
func TestRead_JoinsPartsAcrossFiles(t *testing.T) {
	part := func(text string) string { return "2026-01-31T10:00:00.5Z stdout P " + text + "\n" }
	d := &dir{files: map[string]string{
		"0.log.20260131-100000": records(1) + part("a"),
		"0.log":                 part("b") + records(2) + part("last words"),
		"1.log":                 records(3) + part("not yet"),
	}}
	wants(t, read(t, d), "instance 0", "1", "ab2", "last words", "instance 1", "3")
}

// A response that is cut short, without a sign, costs nothing.
func TestRead_ShortResponsesLoseNothing(t *testing.T) {
	d := &dir{limit: 100, files: map[string]string{
		"0.log.20260131-100000": records(1, 2, 3, 4, 5, 6, 7),
		"0.log":                 records(8),
	}}
	wants(t, read(t, d), "instance 0", "1", "2", "3", "4", "5", "6", "7", "8")
}

// Between listing and opening, a file becomes another one.
func TestRead_RenameAfterListingLosesNothing(t *testing.T) {
	for list := 1; list <= 3; list++ {
		synctest.Test(t, func(t *testing.T) {
			d := &dir{files: map[string]string{"0.log.20260131-100000": records(1), "0.log": records(2)}}
			d.listed = func(n int) {
				if n == list {
					d.rename("0.log.20260131-100000", "0.log.20260131-100000.gz")
					d.rename("0.log", "0.log.20260131-100010")
					d.files["0.log"] = records(3)
				}
			}
			got := read(t, d)
			if list == 3 && len(got) == 3 { // the log went no further at the last look
				return
			}
			wants(t, got, "instance 0", "1", "2", "3")
		})
	}
}

// The runtime writes to a file for a moment after it was renamed.
func TestRead_LinesWrittenAfterTheRenameAreRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &dir{files: map[string]string{"0.log": records(1)}}
		d.listed = func(n int) {
			if n == 2 {
				d.rename("0.log", "0.log.20260131-100010")
				time.AfterFunc(cri.ReopenGrace/2, func() {
					d.mu.Lock()
					defer d.mu.Unlock()
					d.files["0.log.20260131-100010"] += records(2)
					d.files["0.log"] = records(3)
				})
			}
		}
		wants(t, read(t, d), "instance 0", "1", "2", "3")
	})
}

// Files that are removed before they are read are missing. Those of an instance that has as
// many files as the node keeps may be.
func TestRead_ReportsWhatWasRemoved(t *testing.T) {
	t.Run("while reading", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			d := &dir{files: map[string]string{
				"0.log.20260131-100000.gz": records(1), "0.log.20260131-100010.gz": records(2),
				"0.log.20260131-100020": records(3), "0.log": records(4),
			}}
			d.opened = func(n int) {
				if n == 4 { // the first three read the times
					delete(d.files, "0.log.20260131-100010.gz")
				}
			}
			got := read(t, d)
			if !slices.Contains(got, cri.FilesRemoved) || got[len(got)-1] != "4" || slices.Contains(got, "2") {
				t.Errorf("read %q", got)
			}
		})
	})
	t.Run("before", func(t *testing.T) {
		d := &dir{max: 3, files: map[string]string{
			"0.log": records(1), "1.log.20260131-100010.gz": records(2), "1.log.20260131-100020": records(3), "1.log": records(4),
		}}
		wants(t, read(t, d), "instance 0", "1", MaybeRemoved, "instance 1", "2", "3", "4")
	})
	t.Run("an instance", func(t *testing.T) {
		d := &dir{files: map[string]string{"0.log": records(1), "2.log": records(2)}}
		wants(t, read(t, d), "instance 0", "1", cri.InstanceRemoved, "instance 2", "2")
	})
}

// The last lines are counted across files, and the file may be renamed in that time.
func TestSkipToLast_CountsAcrossRenamedFiles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &dir{files: map[string]string{"0.log.20260131-100000": records(1, 2), "0.log": records(3, 4, 5)}}
		got := read(t, d, func(r *Reader) error { return r.SkipToLast(t.Context(), 2) }, func(*Reader) error {
			d.rename("0.log.20260131-100000", "0.log.20260131-100000.gz")
			d.rename("0.log", "0.log.20260131-100010")
			d.files["0.log"] = records(6)
			return nil
		})
		wants(t, got, "instance 0", "4", "5", "6")
	})
}

// A line is kept up to the length that a line of the API has at most.
func TestRead_CutsLongLines(t *testing.T) {
	d := &dir{files: map[string]string{
		"0.log.20260131-100000": "2026-01-31T10:00:00Z stdout F " + strings.Repeat("x", 3<<20) + "\n" + records(1),
		"0.log":                 records(2),
	}}
	got := read(t, d)
	if len(got) != 4 || len(got[1]) != cri.MaxText || got[2] != "1" || got[3] != "2" {
		t.Errorf("read %d lines, the first has %d bytes", len(got)-1, len(got[1]))
	}
}
