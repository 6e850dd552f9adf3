package node

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ktail/ktail/pkg/ktail"
)

// Opening a named pipe waits for a writer, and the user could not end ktail.
func TestSource_NamedPipeIsAnError(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "shop_web_uid", "app", "0.log")
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	w := &Watcher{Dir: dir, Options: Options{Tail: -1}}
	result := make(chan error, 1)
	err := w.Watch(t.Context(), func(sources []ktail.Source) {
		if len(sources) != 1 {
			t.Fatalf("%d sources", len(sources))
		}
		go func() {
			result <- sources[0].Read(t.Context(), ktail.Position{}, func([]ktail.Line) error { return nil })
		}()
	})
	if err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-result:
		if err == nil || !strings.Contains(err.Error(), "is not a regular file") {
			t.Errorf("Read returned %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("Read waits for a writer")
	}
}
