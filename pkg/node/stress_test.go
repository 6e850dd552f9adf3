package node

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ktail/ktail/pkg/cri"
	"github.com/ktail/ktail/pkg/ktail"
)

// containerWriter writes numbered lines of 40 KiB as a container runtime does,
// in records of 16 KiB, and rotates the log as a kubelet does, with real files
// and without pauses.
type containerWriter struct {
	t       *testing.T
	dir     string
	file    *os.File
	stamp   time.Time
	lines   int
	records int
}

func (w *containerWriter) write() {
	w.lines++
	text := fmt.Sprintf("%d %s", w.lines, strings.Repeat("x", 40<<10))
	for tag := "P"; text != ""; {
		n := min(16<<10, len(text))
		if n == len(text) {
			tag = "F"
		}
		if _, err := fmt.Fprintf(w.file, "%s stdout %s %s\n", time.Now().UTC().Format(time.RFC3339Nano), tag, text[:n]); err != nil {
			w.t.Error(err)
		}
		text = text[n:]
		if w.records++; w.records%70 == 0 { // usually in the middle of a line
			w.rotate()
		}
	}
}

func (w *containerWriter) rotate() {
	check := func(errs ...error) {
		if err := errors.Join(errs...); err != nil {
			w.t.Error(err)
		}
	}
	rotated, err := filepath.Glob(filepath.Join(w.dir, "0.log.*"))
	check(err)
	slices.Sort(rotated)
	for len(rotated) > 3 {
		check(os.Remove(rotated[0]))
		rotated = rotated[1:]
	}
	for _, path := range rotated {
		if strings.HasSuffix(path, ".gz") {
			continue
		}
		in, err := os.Open(path)
		check(err)
		out, err := os.Create(path + ".tmp")
		check(err)
		z := gzip.NewWriter(out)
		_, err = io.Copy(z, in)
		check(err, z.Close(), out.Close(), in.Close(), os.Rename(path+".tmp", path+".gz"), os.Remove(path))
	}
	live := filepath.Join(w.dir, "0.log")
	w.stamp = w.stamp.Add(time.Second)
	check(os.Rename(live, live+"."+w.stamp.Format(cri.RotatedLayout)), w.file.Close())
	w.file, err = os.Create(live)
	check(err)
}

// With real files and events, a reader that is repeatedly killed and resumed
// reads every line once, in order.
func TestRead_ResumesWhileRotating(t *testing.T) {
	dir := t.TempDir()
	w := &containerWriter{t: t, dir: filepath.Join(dir, simPod, "app"), stamp: time.Date(2026, 1, 31, 10, 0, 0, 0, time.UTC)}
	if err := os.MkdirAll(w.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	var err error
	if w.file, err = os.Create(filepath.Join(w.dir, "0.log")); err != nil {
		t.Fatal(err)
	}
	const lines = 200
	var delivered atomic.Int64
	written := make(chan struct{})
	go func() {
		defer close(written)
		for i := range int64(lines) {
			// The node must not remove lines that were not read.
			for i-delivered.Load() > 40 && t.Context().Err() == nil {
				time.Sleep(time.Millisecond)
			}
			w.write()
		}
	}()
	var position ktail.Position
	next := 1
	for deadline := time.Now().Add(time.Minute); next <= lines && time.Now().Before(deadline); {
		ctx, cancel := context.WithTimeout(t.Context(), cri.ReopenGrace/4+rand.N(3*cri.ReopenGrace))
		readOnce(ctx, t, dir, &position, &next, &delivered)
		cancel()
	}
	<-written
	if next != lines+1 {
		t.Errorf("%d lines, want %d", next-1, lines)
	}
}

// readOnce reads until ctx ends and advances the position.
func readOnce(ctx context.Context, t *testing.T, dir string, position *ktail.Position, next *int, delivered *atomic.Int64) {
	t.Helper()
	var reading sync.WaitGroup
	started := false
	watcher := &Watcher{Dir: dir, Options: Options{Follow: true, Tail: -1}}
	err := watcher.Watch(ctx, func(sources []ktail.Source) {
		if started || len(sources) == 0 {
			return
		}
		started = true
		reading.Go(func() {
			for ctx.Err() == nil {
				_ = sources[0].Read(ctx, position.Clone(), func(lines []ktail.Line) error { // ends with ctx
					if ctx.Err() != nil {
						return ctx.Err()
					}
					position.Advance(lines)
					for i := range lines {
						number, _, _ := strings.Cut(string(lines[i].Text), " ")
						if want := fmt.Sprint(*next); lines[i].Kind != ktail.Log || number != want || len(lines[i].Text) != len(want)+1+40<<10 {
							t.Errorf("kind %d, %.60q of %d bytes, want line %s", lines[i].Kind, lines[i].Text, len(lines[i].Text), want)
						}
						*next++
						delivered.Add(1)
					}
					return nil
				})
			}
		})
	})
	reading.Wait()
	if err != nil {
		t.Error(err)
	}
}

// The kubelet renames the log, and the runtime creates the next file, after ktail has read
// the names in the directory and before it has looked at the files.
func TestListFiles_ReportsARotationDuringTheListing(t *testing.T) {
	for _, before := range [][]string{{"0.log"}, {"0.log.20260131-100001", "0.log"}} {
		dir := t.TempDir()
		write := func(name string) {
			t.Helper()
			if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		for _, name := range before {
			write(name)
		}
		rotate := sync.OnceFunc(func() {
			if err := os.Rename(filepath.Join(dir, "0.log"), filepath.Join(dir, "0.log.20260131-100002")); err != nil {
				t.Fatal(err)
			}
			write("0.log")
		})
		if listed, err := listFiles(dir, func(path string) (os.FileInfo, error) {
			rotate()
			return os.Stat(path)
		}); !errors.Is(err, errChanged) {
			t.Errorf("listed %v, error %v", listed, err)
		}
		if listed, err := listFiles(dir, os.Stat); err != nil || len(listed) != len(before)+1 {
			t.Errorf("listed %v, error %v; want %d files", listed, err, len(before)+1)
		}
	}
}
