//go:build e2e

package e2e

import (
	"bufio"
	"syscall"
	"testing"
	"time"

	"github.com/ktail/ktail/test/internal/suite"
)

// The reader closes the pipe, as head does.
func TestReaderCloses_EndsWithoutMessage(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	n.createPod("spout", n.podSpec(n.container("c", "-rate", "200")), nil)
	f := start(t, newLedger(), ".", "-n", n.name, "--only-log-lines")
	if _, err := bufio.NewReader(f.stdout).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	f.stdout.Close()
	close(f.collected)
	code := f.wait(10 * time.Second)
	t.Logf("exit code %d", code)
	if s := f.Stderr.String(); s != "" {
		t.Errorf("stderr is not empty: %q", s)
	}
}

// A signal ends ktail with the exit code that shells expect, after it has
// printed everything written up to a moment before.
func TestSignal_PrintsEverythingWritten(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		sig  syscall.Signal
		code int
	}{
		{"interrupt", syscall.SIGINT, 130},
		{"terminate", syscall.SIGTERM, 143},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			const moment = time.Second
			n := newNamespace(t)
			f := n.follow(newLedger())
			n.createPod("steady", n.podSpec(n.container("c", "-rate", "200", "-stamp")), nil)
			suite.Eventually(t, time.Minute, "1000 lines", func() bool { return f.last("steady c") >= 1000 })
			at := time.Now()
			if code := f.signal(tt.sig); code != tt.code {
				t.Errorf("exit code %d, want %d", code, tt.code)
			}
			log := f.logs["steady c"]
			last := log.last[0]
			for i := 1; i <= last; i++ {
				if log.count(i) != 1 {
					t.Errorf("line %d was printed %d times", i, log.count(i))
				}
			}
			if late := at.Sub(time.Unix(0, log.time(last))); late > moment {
				t.Errorf("the last printed line is from %v before the signal", late)
			}
		})
	}
}
