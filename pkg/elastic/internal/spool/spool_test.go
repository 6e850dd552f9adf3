package spool_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ktail/ktail/pkg/elastic/internal/crashfs"
	"github.com/ktail/ktail/pkg/elastic/internal/spool"
)

func mustOpen(t testing.TB, dir string, limit int64, fs spool.FS) *spool.Spool {
	t.Helper()
	s, err := spool.Open(dir, limit, fs)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// entry returns one whose body says what it is.
func entry(text string) *spool.Entry {
	return &spool.Entry{Docs: 2, Meta: []byte("meta of " + text), Body: []byte(text)}
}

func mustPut(t testing.TB, s *spool.Spool, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if err := s.Put(spool.Main, entry(text)); err != nil {
			t.Fatal(err)
		}
	}
}

// drain takes all entries and acknowledges them. It returns their bodies, and the
// errors of Take.
func drain(t testing.TB, s *spool.Spool) (bodies []string, errs []error) {
	t.Helper()
	for len(errs) < 100 {
		e, receipt, err := s.Take(spool.Main)
		switch {
		case err != nil:
			errs = append(errs, err)
			continue
		case e == nil:
			return bodies, errs
		}
		if got := string(e.Meta); got != "meta of "+string(e.Body) || e.Docs != 2 {
			t.Errorf("%q came with %q and %d documents", e.Body, got, e.Docs)
		}
		bodies = append(bodies, string(e.Body))
		s.Ack(receipt)
	}
	t.Fatal("Take does not stop failing:", errs)
	return nil, nil
}

func files(t testing.TB, dir, pattern string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// Peek shows the next entry, and does not take it.
func TestPeek_TakesNothing(t *testing.T) {
	s := mustOpen(t, t.TempDir(), 64<<20, nil)
	if e := s.Peek(spool.Main); e != nil {
		t.Errorf("an empty spool has %q", e.Body)
	}
	mustPut(t, s, "a", "b")
	for _, want := range []string{"a", "b"} {
		for range 2 {
			if e := s.Peek(spool.Main); e == nil || string(e.Body) != want {
				t.Fatalf("got %v, want %q", e, want)
			}
		}
		if e, _, err := s.Take(spool.Main); err != nil || string(e.Body) != want {
			t.Fatalf("took %v, %v, want %q", e, err, want)
		}
	}
	if e := s.Peek(spool.Main); e != nil {
		t.Errorf("after the last entry, there is %q", e.Body)
	}
}

func TestSpool_KeepsOrderAcrossRuns(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, dir, 64<<20, nil)
	mustPut(t, s, "a", "b", "c")
	_, receipt, err := s.Take(spool.Main)
	if err != nil {
		t.Fatal(err)
	}
	s.Ack(receipt)
	if docs, _ := s.Usage(); docs != 4 {
		t.Errorf("%d documents are left, want 4", docs)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = mustOpen(t, dir, 64<<20, nil)
	mustPut(t, s, "d")
	if docs, _ := s.Usage(); docs != 8 {
		t.Errorf("%d documents are left after a restart, want 8", docs)
	}
	if got, errs := drain(t, s); !slices.Equal(got, []string{"a", "b", "c", "d"}) || errs != nil {
		t.Errorf("got %q, %v", got, errs)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if left := files(t, dir, "*"); len(left) > 0 {
		t.Errorf("all was acknowledged, and %q are left", left)
	}
}

// Entries of one lane do not delay those of the other. The next run has all in one.
func TestLane_HasItsOwnOrder(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, dir, 64<<20, nil)
	mustPut(t, s, "a", "b")
	for _, text := range []string{"later 1", "later 2"} {
		if err := s.Put(spool.Postponed, entry(text)); err != nil {
			t.Fatal(err)
		}
	}
	mustPut(t, s, "c")
	if e, _, err := s.Take(spool.Postponed); err != nil || string(e.Body) != "later 1" {
		t.Errorf("took %v, %v", e, err)
	}
	if got, errs := drain(t, s); !slices.Equal(got, []string{"a", "b", "c"}) || errs != nil {
		t.Errorf("got %q, %v", got, errs)
	}
	if s.Pending(spool.Main) || !s.Pending(spool.Postponed) {
		t.Error("want one entry in the lane of those that wait, and none in the other")
	}
	if docs, _ := s.Usage(); docs != 4 {
		t.Errorf("%d documents are left, want 4", docs)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = mustOpen(t, dir, 64<<20, nil)
	if got, errs := drain(t, s); !slices.Equal(got, []string{"later 1", "later 2"}) || errs != nil {
		t.Errorf("the next run got %q, %v", got, errs)
	}
}

func TestSpool_LimitBoundsFiles(t *testing.T) {
	dir := t.TempDir()
	const limit = 64 << 10
	s := mustOpen(t, dir, limit, nil)
	n := 0
	var err error
	for ; err == nil && n < 1000; n++ {
		err = s.Put(spool.Main, entry(strings.Repeat(fmt.Sprintf("%08x", n), 200)))
	}
	if !errors.Is(err, spool.ErrFull) {
		t.Fatalf("after %d entries: %v", n, err)
	}
	_, receipt, err := s.Take(spool.Main)
	if err != nil {
		t.Fatal(err)
	}
	lost, ok := s.DropOldest()
	if !ok || lost == 0 {
		t.Fatal("nothing could be dropped")
	}
	mustPut(t, s, "more")
	size := int64(0)
	for _, f := range files(t, dir, "*") {
		info, err := os.Stat(f)
		if err != nil {
			t.Fatal(err)
		}
		size += info.Size()
	}
	if _, used := s.Usage(); size > limit || used != size {
		t.Errorf("the files hold %d bytes, Usage says %d, the limit is %d", size, used, limit)
	}
	s.Ack(receipt)
	if got, errs := drain(t, s); len(got) != (n-1)-1-lost/2+1 || errs != nil {
		t.Errorf("%d entries are left, of %d, one delivered, %d dropped, one more; %v", len(got), n-1, lost/2, errs)
	}
}

func TestSpool_ReadErrorKeepsEntries(t *testing.T) {
	fs := crashfs.New(0)
	s := mustOpen(t, "spool", 1<<20, fs)
	mustPut(t, s, strings.Repeat("1", 200<<10), "two", strings.Repeat("3", 200<<10), "four") // several segments
	broken := errors.New("input/output error")
	bad := true
	fs.Fail = func(op, path string) error {
		if bad && op == "read" && strings.Contains(path, "000001") {
			return broken
		}
		return nil
	}
	got, errs := drain(t, s)
	if len(errs) != 1 || !errors.Is(errs[0], broken) || len(got) == 0 || len(got) == 4 || !s.Pending(spool.Main) {
		t.Fatalf("while a segment cannot be read: %d entries, %v", len(got), errs)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	bad = false
	more, errs := drain(t, mustOpen(t, "spool", 1<<20, fs))
	if len(got)+len(more) != 4 || errs != nil {
		t.Errorf("afterwards: %d and %d entries, %v", len(got), len(more), errs)
	}
}

func TestSpool_OpensFewFiles(t *testing.T) {
	fs := crashfs.New(0)
	s := mustOpen(t, "spool", 4<<20, fs)
	for range 4000 {
		mustPut(t, s, strings.Repeat("x", 400))
	}
	if names, err := fs.ReadDir("spool"); err != nil || len(names) < 5 {
		t.Fatalf("there are %d segments, %v", len(names), err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = mustOpen(t, "spool", 4<<20, fs)
	mustPut(t, s, "more")
	if got, errs := drain(t, s); len(got) != 4001 || errs != nil {
		t.Errorf("got %d, %v", len(got), errs)
	}
	if n := fs.MostOpen(); n > 2 {
		t.Errorf("%d files were open at a time, want at most 2", n)
	}
}

func TestSpool_FailedWriteKeepsOthers(t *testing.T) {
	for _, op := range []string{"write", "sync", "syncdir", "open"} {
		t.Run(op, func(t *testing.T) {
			fs := crashfs.New(0)
			s := mustOpen(t, "spool", 1<<20, fs)
			if op == "write" || op == "sync" {
				mustPut(t, s, "one")
			}
			full := errors.New("no space left on device")
			fs.Fail = func(o, _ string) error {
				if o == op {
					return full
				}
				return nil
			}
			if err := s.Put(spool.Main, entry("two")); !errors.Is(err, full) {
				t.Errorf("error is %v", err)
			}
			fs.Fail = nil
			mustPut(t, s, "two")
			got, errs := drain(t, s)
			if errs != nil || got[len(got)-1] != "two" || len(got) > 2 {
				t.Errorf("got %q, %v", got, errs)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			if names, err := fs.ReadDir("spool"); err != nil || len(names) > 0 {
				t.Errorf("%q are left, %v", names, err)
			}
		})
	}
}

func TestLock_IsExclusive(t *testing.T) {
	dir := t.TempDir()
	lock, err := spool.Lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := spool.Lock(dir); !errors.Is(err, spool.ErrLocked) || !strings.Contains(err.Error(), dir) {
		t.Errorf("error is %v, want one that names %s", err, dir)
	}
	if err := lock.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := spool.Lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestOpen_NamesWhatIsNotADirectory(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{file, filepath.Join(file, "deeper")} {
		if s, err := spool.Open(dir, 64<<20, nil); err == nil || !strings.Contains(err.Error(), "open spool: ") || !strings.Contains(err.Error(), file) {
			t.Errorf("%s: %v, %v", dir, s, err)
		}
	}
}

func BenchmarkSpool(b *testing.B) {
	s := mustOpen(b, b.TempDir(), 1<<30, nil)
	e := &spool.Entry{Docs: 10_000, Meta: make([]byte, 20_000), Body: make([]byte, 300_000)}
	for b.Loop() {
		if err := s.Put(spool.Main, e); err != nil {
			b.Fatal(err)
		}
		_, receipt, err := s.Take(spool.Main)
		if err != nil {
			b.Fatal(err)
		}
		s.Ack(receipt)
	}
}
