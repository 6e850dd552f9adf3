//go:build e2e

package e2esearch

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ktail/ktail/internal/fakeapi"
	"github.com/ktail/ktail/test/internal/suite"
	"github.com/ktail/ktail/test/search"
)

// smallDisk mounts a file system of the given size in bytes. It requires root.
func smallDisk(t *testing.T, size int) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("ktail-test", dir, "tmpfs", 0, fmt.Sprintf("size=%d", size)); err != nil {
		t.Fatalf("mount a small disk: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Errorf("unmount the small disk: %v", err)
		}
	})
	return dir
}

// occupy uses all free space on the disk of the directory except one page,
// until free is called, so a larger write fails in the middle.
func occupy(t *testing.T, dir string) (free func()) {
	t.Helper()
	path := filepath.Join(dir, "occupied")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	const page = 4 << 10
	size := int64(0)
	for block := make([]byte, page); err == nil; size += page {
		_, err = f.Write(block)
	}
	if err := f.Truncate(size - 2*page); err != nil { // the last write failed
		t.Fatal(err)
	}
	return func() {
		if err := os.Remove(path); err != nil {
			t.Error(err)
		}
	}
}

// The disk of the spool fills up while the server is down, and space is freed
// when the server is back.
func TestFullDisk_BuffersInMemory(t *testing.T) {
	const pods, rate = 20, 25
	onEach(t, func(t *testing.T, s *search.Server) {
		w := newWorld(t, pods)
		stop := w.flow(rate)
		disk := smallDisk(t, 1<<20)
		r := w.forward(s, "--elasticsearch-spool", filepath.Join(disk, "spool"))
		suite.Eventually(t, 3*time.Minute, "the first lines", func() bool { return s.Count(t, s.Index()) > 0 })
		if err := s.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		free := occupy(t, disk)
		w.burst(500)
		suite.Eventually(t, time.Minute, "a message about the full disk", func() bool {
			return strings.Contains(r.Stderr.String(), "no space left on device; buffering in memory")
		})
		suite.Sleep(t, 5*time.Second)
		s.Start(t)
		suite.Sleep(t, 5*time.Second)
		free()
		suite.Sleep(t, 5*time.Second)
		stop()
		w.settle(t, s, r)
		if n := strings.Count(r.Stderr.String(), "no space left on device"); n > 3 {
			t.Errorf("the full disk is reported %d times", n)
		}
	})
}

// The disk for dead letters is full. Rejected documents wait, and are written
// once when there is space again.
func TestFullDisk_DeadLettersAreKeptOrReported(t *testing.T) {
	onEach(t, func(t *testing.T, s *search.Server) {
		const index = "e2e-strict"
		// A keyword may have 32,766 bytes. Shorter lines are accepted, so ktail
		// sees faulty documents rather than a faulty index.
		createIndex(t, s, index, `{"properties":{"@timestamp":{"type":"date"},"message":{"type":"keyword"}}}`)
		w := newWorld(t, 1)
		disk := smallDisk(t, 4<<20)
		letters := filepath.Join(disk, "dead.ndjson")
		free := occupy(t, disk)
		const refused = 20
		long := strings.Repeat("x", 33_000)
		for i := range refused {
			w.pods[0].write(fakeapi.Entry{Text: fmt.Sprintf("word %d %s", i, long)}, fakeapi.Entry{Text: fmt.Sprint("fits ", i)})
		}
		r := w.forward(s, "--elasticsearch-index", index, "--elasticsearch-dead-letters", letters)
		suite.Eventually(t, 3*time.Minute, "a message about the full disk", func() bool {
			return strings.Contains(r.Stderr.String(), "no space left on device")
		})
		free()
		suite.Eventually(t, 3*time.Minute, "the dead letters", func() bool {
			b, err := os.ReadFile(letters)
			return err == nil && strings.Count(string(b), "\n") == refused
		})
		if code := r.signal(syscall.SIGINT); code == 0 {
			t.Error("exit code 0, although lines were rejected")
		}
		b, err := os.ReadFile(letters)
		if err != nil {
			t.Fatal(err)
		}
		for i := range refused {
			if n := strings.Count(string(b), fmt.Sprintf(`"message":"word %d x`, i)); n != 1 {
				t.Errorf("word %d is among the dead letters %d times", i, n)
			}
		}
	})
}
