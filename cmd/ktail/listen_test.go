package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ktail/ktail/pkg/ktail"
)

type oneSet struct{}

func (oneSet) Watch(_ context.Context, set func([]ktail.Source)) error {
	set(nil)
	return nil
}

func TestProbes_ReadyWithFirstSet(t *testing.T) {
	p := &probes{}
	if p.unready() == nil {
		t.Error("ready before the logs are known")
	}
	known := false
	if err := p.observe(oneSet{}).Watch(t.Context(), func([]ktail.Source) { known = true }); err != nil || !known {
		t.Fatal("the set does not reach the engine")
	}
	if err := p.unready(); err != nil {
		t.Errorf("not ready: %v", err)
	}
}

func TestProbes_UnhealthyWhilePositionsAreNotSaved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &probes{}
		if err := p.unhealthy(); err != nil {
			t.Errorf("without positions: %v", err)
		}
		p.saved()
		time.Sleep(saveOverdue)
		if err := p.unhealthy(); err != nil {
			t.Errorf("after %v: %v", saveOverdue, err)
		}
		time.Sleep(time.Second)
		if p.unhealthy() == nil {
			t.Errorf("healthy although positions were not saved for more than %v", saveOverdue)
		}
		p.saved()
		if err := p.unhealthy(); err != nil {
			t.Errorf("after they were saved again: %v", err)
		}
	})
}

// stuckWatcher is a watcher that makes no progress.
type stuckWatcher struct {
	oneSet
	err error
}

func (w *stuckWatcher) Check() error { return w.err }

func TestProbes_UnhealthyWhileReadingIsStuck(t *testing.T) {
	w := &stuckWatcher{}
	p := &probes{}
	p.observe(&selfExcluder{Watcher: w})
	if err := p.unhealthy(); err != nil {
		t.Errorf("while reading works: %v", err)
	}
	w.err = errors.New("stuck")
	if err := p.unhealthy(); !errors.Is(err, w.err) {
		t.Errorf("unhealthy() = %v, want %v", err, w.err)
	}
}

// The file was there when ktail checked its flags.
func TestProbes_ReportThatNothingIsServed(t *testing.T) {
	messages := make(chan string, 1)
	p := &probes{printf: func(format string, args ...any) { messages <- fmt.Sprintf(format, args...) }}
	file := filepath.Join(t.TempDir(), "web.yaml")
	if err := p.serve(t.Context(), "--metrics-listen", "127.0.0.1:0", newServer(p.mux()), file); err != nil {
		t.Fatal(err)
	}
	defer p.close()
	select {
	case m := <-messages:
		if !strings.HasPrefix(m, "error: --metrics-listen 127.0.0.1:0: ") || !strings.Contains(m, file) {
			t.Errorf("the message is %q", m)
		}
	case <-time.After(patience):
		t.Error("there is no message")
	}
}

// The end of a run is no error.
func TestProbes_CloseWithoutAMessage(t *testing.T) {
	p := &probes{printf: func(format string, args ...any) { t.Errorf(format, args...) }}
	if err := p.serve(t.Context(), "--listen", "127.0.0.1:0", newServer(p.mux()), ""); err != nil {
		t.Fatal(err)
	}
	p.close()
}

func TestProbes_RespondWithStatus(t *testing.T) {
	for _, err := range []error{nil, errors.New("not yet")} {
		w := httptest.NewRecorder()
		answer(func() error { return err })(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/readyz", nil))
		if want := map[bool]int{true: http.StatusOK, false: http.StatusServiceUnavailable}[err == nil]; w.Code != want {
			t.Errorf("status %d for %v, want %d", w.Code, err, want)
		}
	}
}

func TestProbes_NilIsUsable(t *testing.T) {
	p, err := plan{}.startProbes(t.Context(), nil, nil)
	if p != nil || err != nil {
		t.Fatalf("startProbes() = %v, %v without --listen", p, err)
	}
	p.saved()
	p.forwards(nil)
	p.close()
	if w := p.observe(oneSet{}); w != (oneSet{}) {
		t.Error("the watcher is wrapped")
	}
}
