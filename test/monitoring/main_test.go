//go:build e2e

package monitoring

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// patience is how long a test waits for something that is to happen.
const patience = time.Minute

var (
	root  = filepath.Join("..", "..")
	ktail string // the program under test
)

func TestMain(m *testing.M) { os.Exit(testMain(m)) }

func testMain(m *testing.M) int {
	dir, err := os.MkdirTemp("", "ktail-monitoring-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a temporary directory
	ktail = filepath.Join(dir, "ktail")
	if out, err := exec.Command("go", "build", "-o", ktail, "../../cmd/ktail").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build ktail: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// get returns the body of a response with the status 200; empty otherwise.
func get(address string) string {
	resp, err := http.Get(address)
	if err != nil {
		return ""
	}
	defer resp.Body.Close() //nolint:errcheck // read to the end
	b, _ := io.ReadAll(resp.Body)
	if resp.StatusCode != http.StatusOK {
		return ""
	}
	return string(b)
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// podLog is the log file of a container, in the format of the container runtime.
type podLog struct{ file *os.File }

func newPodLog(t *testing.T, dir, pod string) *podLog {
	t.Helper()
	path := filepath.Join(dir, "shop_"+pod+"_uid-"+pod, "app", "0.log")
	write(t, path, "")
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return &podLog{f}
}

func (l *podLog) line(t *testing.T, text string) {
	t.Helper()
	if _, err := fmt.Fprintf(l.file, "%s stdout F %s\n", time.Now().UTC().Format(time.RFC3339Nano), text); err != nil {
		t.Fatal(err)
	}
}
