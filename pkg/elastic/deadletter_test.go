package elastic

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ktail/ktail/pkg/elastic/internal/crashfs"
	"github.com/ktail/ktail/pkg/elastic/internal/spool"
	"github.com/ktail/ktail/pkg/ktail"
)

// someLetters returns dead letters with these messages.
func someLetters(texts ...string) []DeadLetter {
	all := make([]DeadLetter, len(texts))
	for i, text := range texts {
		l := ktail.Line{Stream: testStream(), Time: testTime.UnixNano() + int64(i), Text: []byte(text)}
		all[i] = letter("index", (&encoder{}).append(nil, &l, readTime), &item{status: 400, err: &itemError{reason: "no"}})
	}
	return all
}

func mustAdd(t *testing.T, d *deadLetters, texts ...string) {
	t.Helper()
	if err := d.add(someLetters(texts...)); err != nil {
		t.Fatal(err)
	}
}

// rows counts the rows of the file that are dead letters, and the others.
func rows(t *testing.T, path string) (good, bad int) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for row := range strings.Lines(string(b)) {
		if _, _, err := parseLetter([]byte(row)); err != nil {
			bad++
		} else {
			good++
		}
	}
	return good, bad
}

func TestDeadLetters_TornRowDamagesOnlyItself(t *testing.T) {
	path := filepath.Join(t.TempDir(), "dead.ndjson")
	d := deadLetters{path: path, fs: spool.OS}
	mustAdd(t, &d, "one", "two")
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, info.Size()-20); err != nil {
		t.Fatal(err)
	}
	mustAdd(t, &d, "three", "four")
	mustAdd(t, &d, "five")
	if good, bad := rows(t, path); good != 4 || bad != 1 {
		t.Errorf("%d rows are dead letters and %d are not, want 4 and 1", good, bad)
	}
}

func TestDeadLetters_LimitBoundsBothFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "dead.ndjson")
	const limit, n = 20_000, 200
	dropped := 0
	d := deadLetters{path: path, limit: limit, fs: spool.OS, dropped: func(n int, where string) {
		if dropped += n; where != path+".1" {
			t.Errorf("dropped dead letters of %s", where)
		}
	}}
	for i := range n {
		mustAdd(t, &d, fmt.Sprint("letter ", i))
	}
	left, size := 0, int64(0)
	for _, p := range []string{path, path + ".1"} {
		info, err := os.Stat(p)
		if err != nil {
			t.Fatal(err)
		}
		size += info.Size()
		good, bad := rows(t, p)
		left += good
		if bad > 0 {
			t.Errorf("%d rows of %s are not dead letters", bad, p)
		}
	}
	if size > limit || dropped == 0 || left+dropped != n {
		t.Errorf("the files have %d bytes; %d letters are left and %d dropped, of %d", size, left, dropped, n)
	}
}

// Runs that forward to the same destination without a spool share the file.
func TestDeadLetters_ProcessesShareTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state", "dead.ndjson")
	const processes, each = 4, 100
	var dropped atomic.Int64
	var running sync.WaitGroup
	for p := range processes {
		running.Go(func() {
			d := deadLetters{path: path, limit: 20_000, fs: spool.OS, dropped: func(n int, _ string) { dropped.Add(int64(n)) }}
			for i := range each {
				if err := d.add(someLetters(fmt.Sprint("letter ", p, i))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	running.Wait()
	left := 0
	for _, p := range []string{path, path + ".1"} {
		good, bad := rows(t, p)
		left += good
		if bad > 0 {
			t.Errorf("%d rows of %s are not dead letters", bad, p)
		}
	}
	if left+int(dropped.Load()) != processes*each {
		t.Errorf("%d letters are left and %d dropped, of %d", left, dropped.Load(), processes*each)
	}
}

func TestDeadLetters_FullDiskHoldsAllOrNothing(t *testing.T) {
	for _, op := range []string{"write", "sync", "syncdir"} {
		t.Run(op, func(t *testing.T) {
			fs := crashfs.New(0)
			if err := fs.MkdirAll("state"); err != nil {
				t.Fatal(err)
			}
			d := deadLetters{path: "state/dead.ndjson", fs: fs}
			full := errors.New("no space left on device")
			fs.Fail = func(o, _ string) error {
				if o == op {
					return full
				}
				return nil
			}
			if err := d.add(someLetters("one")); !errors.Is(err, full) {
				t.Errorf("error is %v", err)
			}
			fs.Fail = nil
			mustAdd(t, &d, "one")
			n, err := d.count(d.path)
			if want := map[bool]int{true: 2, false: 1}[op == "syncdir"]; err != nil || n != want {
				t.Errorf("there are %d letters, want %d; %v", n, want, err)
			}
		})
	}
}

// FuzzParseLetter parses rows that ktail did not write.
func FuzzParseLetter(f *testing.F) {
	row, err := json.Marshal(someLetters("text")[0])
	if err != nil {
		f.Fatal(err)
	}
	f.Add(row)
	f.Add([]byte(`{"id":"","document":{"@timestamp":"2026"}}`))
	f.Add(bytes.Replace(row, []byte(`10:00:00`), []byte(`10:00:00\n`), 1))
	f.Add(bytes.Replace(row, []byte(`400`), []byte(`413`), 1))
	f.Fuzz(func(t *testing.T, row []byte) {
		if bytes.ContainsAny(row, "\n") {
			return // a row is a single line
		}
		pair, at, err := parseLetter(row)
		if err != nil {
			return
		}
		if bytes.Count(pair, []byte("\n")) != 2 || !json.Valid(pair[bytes.IndexByte(pair, '\n'):]) {
			t.Errorf("%q", pair)
		}
		if _, err := time.Parse(time.DateOnly, dayOf(pair)); err != nil {
			t.Errorf("%v of %d", err, at)
		}
		want := bytes.Clone(pair)
		stream := &dataStream{"logs", "ktail", "default"}
		if got := (*dataStream)(nil).convertTo(stream.convertTo(bytes.Clone(pair))); !bytes.Equal(got, (*dataStream)(nil).convertTo(want)) {
			t.Errorf("there and back: %q, want %q", got, want)
		}
	})
}
