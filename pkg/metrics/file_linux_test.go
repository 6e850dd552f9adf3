package metrics

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// The file may be a link, a device, or a named pipe, which stays what it is.
func TestWriteFile_KeepsWhatIsNoRegularFile(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "a", "b"), 0o755); err != nil {
		t.Fatal(err)
	}
	for link, target := range map[string]string{"directory": "a/b", "new": "directory/../new.prom", "old": dir + "/old.prom", "chain": "old", "null": os.DevNull} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	s := newSink(t, Options{})
	write(t, s, log(pod("web"), "x"))
	if err := s.WriteFile(pipe); err == nil || !strings.Contains(err.Error(), "write metrics to "+pipe+": no program reads the named pipe") {
		t.Errorf("without a reader: %v", err)
	}
	reader, err := os.OpenFile(pipe, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close() //nolint:errcheck // of a test
	for _, name := range []string{"new", "new", "old", "chain", "null", "pipe"} {
		before, _ := os.Lstat(filepath.Join(dir, name))
		if err := s.WriteFile(filepath.Join(dir, name)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if after, err := os.Lstat(filepath.Join(dir, name)); err != nil || !os.SameFile(before, after) {
			t.Errorf("%s was replaced by %v (%v)", name, after, err)
		}
	}
	for _, name := range []string{"a/new.prom", "old.prom"} {
		if info, err := os.Lstat(filepath.Join(dir, name)); err != nil || info.Mode().Type() != 0 || info.Size() == 0 {
			t.Errorf("the target %s is %v (%v)", name, info, err)
		}
	}
	b := make([]byte, 1<<16)
	if n, err := reader.Read(b); err != nil || !strings.Contains(string(b[:n]), "\nktail_log_lines_total{") {
		t.Errorf("the reader of the pipe gets %q, %v", b[:n], err)
	}
	if left, _ := fs.Glob(os.DirFS(dir), "*.tmp"); len(left) > 0 {
		t.Errorf("temporary files are left: %q", left)
	}
}
