package node

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/ktail/ktail/pkg/ktail"
)

// The last record of a file that was copied while the container wrote may have no newline.
func TestSource_TailCountsTextAfterLastNewline(t *testing.T) {
	const full = "2026-01-31T10:00:01Z stdout F one\n2026-01-31T10:00:02Z stdout F two\n"
	for _, tt := range []struct {
		file string
		want []string
	}{
		{full, []string{"one", "two"}},
		{full + "2026-01-31T10:00:03Z stdout F thr", []string{"one", "two", "thr"}},
		{full + "2026-01-31T10:00:03Z stdout P thr", []string{"one", "two", "thr"}},
		{full + "2026-01-31T10:00:03Z stdout P thr\n2026-01-31T10:00:03Z stdout F ee", []string{"one", "two", "three"}},
		{full + "2026-01-31T10", []string{"one", "two"}},
	} {
		for tail := range int64(5) {
			got, err := linesOf(t, tt.file, Options{Tail: tail})
			if want := tt.want[max(0, len(tt.want)-int(tail)):]; err != nil || !slices.Equal(got, want) {
				t.Errorf("--tail %d of %q: %q, %v, want %q", tail, tt.file, got, err, want)
			}
		}
	}
}

// Lines of a node whose clock was not set are dated before 1970.
func TestSource_ReadsLinesBefore1970(t *testing.T) {
	const file = "0001-01-01T00:00:01Z stdout F one\n1969-12-31T23:59:59.9Z stdout F two\n1970-01-01T00:00:00Z stdout F three\n2026-01-31T10:00:00Z stdout F four\n"
	got, err := linesOf(t, file, Options{Tail: -1})
	if want := []string{"one", "two", "three", "four"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%q, %v, want %q", got, err, want)
	}
}

// linesOf returns the lines of a log that consists of one file.
func linesOf(t *testing.T, file string, o Options) (lines []string, err error) {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "shop_web_uid", "app", "0.log")
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	err = (&Watcher{Dir: dir, Options: o}).Watch(t.Context(), func(sources []ktail.Source) {
		for _, s := range sources {
			err := s.Read(t.Context(), ktail.Position{}, func(emitted []ktail.Line) error {
				for _, l := range emitted {
					if l.Kind == ktail.Log {
						lines = append(lines, string(l.Text))
					}
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		}
	})
	return lines, err
}
