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
			dir := t.TempDir()
			path := filepath.Join(dir, "shop_web_uid", "app", "0.log")
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(tt.file), 0o600); err != nil {
				t.Fatal(err)
			}
			var got []string
			err := (&Watcher{Dir: dir, Options: Options{Tail: tail}}).Watch(t.Context(), func(sources []ktail.Source) {
				for _, s := range sources {
					err := s.Read(t.Context(), ktail.Position{}, func(lines []ktail.Line) error {
						for _, l := range lines {
							if l.Kind == ktail.Log {
								got = append(got, string(l.Text))
							}
						}
						return nil
					})
					if err != nil {
						t.Error(err)
					}
				}
			})
			if want := tt.want[max(0, len(tt.want)-int(tail)):]; err != nil || !slices.Equal(got, want) {
				t.Errorf("--tail %d of %q: %q, %v, want %q", tail, tt.file, got, err, want)
			}
		}
	}
}
