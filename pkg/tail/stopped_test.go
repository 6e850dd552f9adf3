package tail

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/ktail/ktail/pkg/ktail"
)

// While the process is stopped, for example by Ctrl-Z, timers do not fire, and no stream
// can give a sign of life. That time is no silence of a server.

func TestStallWatch_ProcessWasStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newStallWatch(func() { t.Error("the read fails") })
		w.timer.Stop()
		time.Sleep(time.Hour)
		w.step()
		w.hold(true)
		if w.waited > 2*stallStep {
			t.Errorf("counts %v", w.waited)
		}
	})
}

func TestMerger_ProcessWasStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMerger(-1)
		m.expect(false)
		ins := m.add(2, true, func(int) { t.Error("a stream is late") })
		for _, in := range ins {
			in.opened()
		}
		time.Sleep(time.Hour) // the process is stopped
		m.slept(time.Hour)
		if err := ins[0].push(t.Context(), []ktail.Line{{Time: 1}}); err != nil {
			t.Fatal(err)
		}
		if lines, wait, _ := m.take(nil); len(lines) > 0 || wait <= 0 {
			t.Errorf("%d lines leave, wait %v", len(lines), wait)
		}
		m.reportLate()
	})
}
