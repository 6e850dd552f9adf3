//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ktail/ktail/test/internal/suite"
)

// kubelet returns the process ID of the kubelet, or 0 if it is not running.
func (c *cluster) kubelet() int {
	b, err := os.ReadFile(filepath.Join(c.work, "run/kubelet.pid"))
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		return 0
	}
	command, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "cmdline"))
	if err != nil || !strings.Contains(string(command), "testcluster\x00kubelet\x00") {
		return 0
	}
	return pid
}

// killKubelet kills the kubelet, which is restarted automatically. Containers
// are not affected.
func (c *cluster) killKubelet(t *testing.T) {
	t.Helper()
	var pid int
	suite.Eventually(t, 10*time.Second, "a kubelet to kill", func() bool {
		pid = c.kubelet()
		return pid != 0
	})
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	t.Logf("killed the kubelet, process %d", pid)
}

// waitForKubelet waits until the kubelet is healthy.
func (c *cluster) waitForKubelet(t *testing.T) {
	t.Helper()
	client := &http.Client{Timeout: time.Second}
	suite.Eventually(t, time.Minute, "the kubelet to be healthy", func() bool {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://127.0.0.1:10248/healthz", nil)
		if err != nil {
			return false
		}
		resp, err := client.Do(req)
		if err != nil {
			return false
		}
		resp.Body.Close()
		return c.kubelet() != 0 && resp.StatusCode == http.StatusOK
	})
}

var logMaxSize = regexp.MustCompile(`(?m)^containerLogMaxSize: .*$`)

// rotateAt sets the size at which the kubelet rotates logs, instead of 1Mi,
// until the test ends. The pod log API serves only the newest file, so a test
// that reads a complete log after a pause needs a large one.
func (c *cluster) rotateAt(t *testing.T, size string) {
	t.Helper()
	path := filepath.Join(c.work, "etc/kubelet.yaml")
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, logMaxSize.ReplaceAll(before, []byte("containerLogMaxSize: "+size)), 0o644); err != nil {
		t.Fatal(err)
	}
	c.restartKubelet(t)
	t.Cleanup(func() {
		if err := os.WriteFile(path, before, 0o644); err != nil {
			t.Error(err)
		}
		c.endKubelet()
	})
}

// setZone sets the time zone of the node until the test ends.
func (c *cluster) setZone(t *testing.T, zone string) {
	t.Helper()
	path := filepath.Join(c.work, "etc/kubelet.env")
	if err := os.WriteFile(path, []byte("TZ="+zone+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.Remove(path); err != nil {
			t.Error(err)
		}
		c.endKubelet()
	})
	c.restartKubelet(t)
	environ, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", c.kubelet()))
	if err != nil || !strings.Contains("\x00"+string(environ), "\x00TZ="+zone+"\x00") {
		t.Fatalf("the kubelet does not run in the time zone %s: %v", zone, err)
	}
}

// restartKubelet kills the kubelet, so that it reads its configuration, and waits until
// another one is healthy.
func (c *cluster) restartKubelet(t *testing.T) {
	t.Helper()
	pid := c.kubelet()
	c.killKubelet(t)
	suite.Eventually(t, 10*time.Second, "another kubelet", func() bool {
		next := c.kubelet()
		return next != 0 && next != pid
	})
	c.waitForKubelet(t)
}

// endKubelet kills the kubelet, if it is running. It is restarted automatically.
func (c *cluster) endKubelet() {
	if pid := c.kubelet(); pid != 0 {
		syscall.Kill(pid, syscall.SIGKILL) //nolint:errcheck // the kubelet may have ended
	}
}

// controlPlane runs controlplane.sh kill or start.
func (c *cluster) controlPlane(t *testing.T, verb string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "../cluster/controlplane.sh", verb).CombinedOutput()
	if err != nil {
		t.Fatalf("controlplane.sh %s: %v\n%s", verb, err, out)
	}
	c.http.CloseIdleConnections()
	t.Logf("control plane: %s", verb)
}
