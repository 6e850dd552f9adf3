package promise_test

import (
	"fmt"
	"net/http"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ktail/ktail/internal/fakeapi"
	"github.com/ktail/ktail/pkg/tail"
)

// FuzzResume checks that, whatever is cut and replayed, the output equals the
// log.
//
// The fuzzer writes a schedule, two bytes a step: a container logs, with few
// texts and many lines at the same time; the times in its log step back; it
// crashes, with an unterminated last line, and is restarted; connections are
// cut; responses are rejected, cut short, or start with text of the kubelet.
// Then everything works, and ktail must have written exactly what the container
// wrote.
func FuzzResume(f *testing.F) {
	f.Add([]byte("\x00\x05\x02\x00\x00\x05\x02\x00"))                         // log, cut, log, cut
	f.Add([]byte("\x00\x09\x04\x40\x02\x00\x04\x10\x03\x00\x04\x33\x02\x00")) // replays cut short
	f.Add([]byte("\x00\x03\x01\x20\x06\x07\x02\x00\x06\x05\x06\x04"))         // times that step back
	f.Add([]byte("\x00\x07\x02\x00\x00\x03\x07\x01\x00\x03\x07\x00\x00\x02")) // crashes while cut
	f.Add([]byte("\x07\x00\x02\x00\x07\x01\x00\x02\x07\x00"))                 // crashes without a line
	f.Add([]byte("\x00\x05\x05\x00\x02\x00\x05\x01\x05\x02\x05\x03\x05\x04\x05\x05\x05\x06\x02\x00\x00\x05"))
	f.Fuzz(func(t *testing.T, schedule []byte) {
		const most = 60 // steps
		synctest.Test(t, func(t *testing.T) {
			n := newScheduler(t)
			for i := 0; i+1 < min(len(schedule), 2*most); i += 2 {
				n.step(schedule[i], int(schedule[i+1]))
			}
			n.recover()
			n.c.Log("the end")
			pass(time.Minute)
			n.run.wants(t, append(n.file, "the end")...)
		})
	})
}

// FuzzRuns is FuzzResume with several runs. Each continues where the previous
// one was stopped, and the schedule includes events in between.
func FuzzRuns(f *testing.F) {
	f.Add([]byte("\x00\x05\x09\x00\x00\x05\x09\x00"))         // log, run, log, run
	f.Add([]byte("\x00\x03\x08\x05\x07\x01\x08\x00\x07\x00")) // crashes between runs
	f.Add([]byte("\x00\x03\x07\x01\x08\x00\x06\x05\x08\x01\x02\x00"))
	f.Fuzz(func(t *testing.T, schedule []byte) {
		const most = 60 // steps
		path := filepath.Join(t.TempDir(), "positions")
		synctest.Test(t, func(t *testing.T) {
			n := newSchedulerAt(t, path)
			n.show() // without a delivered line, no run knows where another stopped
			for i := 0; i+1 < min(len(schedule), 2*most); i += 2 {
				if schedule[i]%10 == 9 {
					n.again(int(schedule[i+1]))
				} else {
					n.step(schedule[i]%10, int(schedule[i+1]))
				}
			}
			n.recover()
			n.c.Log("the end")
			pass(time.Minute)
			n.run.mu.Lock()
			n.run.lines = append(n.shown, n.run.lines...)
			n.run.mu.Unlock()
			n.run.wants(t, append(n.file, "the end")...)
		})
	})
}

// scheduler applies a schedule to one container.
type scheduler struct {
	t      *testing.T
	api    *fakeapi.Server
	c      *fakeapi.Container
	run    *run
	ignore []string   // parameters that the server ignores
	path   string     // path of the positions; empty: only one run
	shown  []string   // lines written by earlier runs
	mu     sync.Mutex // guards faults
	faults []*fakeapi.Fault
	file   []string     // lines that the container wrote
	began  time.Time    // start of the running instance
	silent bool         // the running instance has not written anything
	broken map[int]bool // lengths to which responses were cut
	cuts   bool         // an open response may still be cut short

	unavailable int // faults in which the kubelet cannot retrieve the log
}

func newScheduler(t *testing.T) *scheduler { return newSchedulerAt(t, "") }

func newSchedulerAt(t *testing.T, path string, ignore ...string) *scheduler {
	n := &scheduler{t: t, path: path, ignore: ignore, api: newServer(t, fakeapi.Options{}), broken: map[int]bool{}}
	n.c = n.api.RunPod("default", "web", "app").Container("app")
	n.begin()
	pass(time.Second)
	n.began = time.Now()
	return n
}

// begin starts a run where the previous one was stopped.
func (n *scheduler) begin() {
	if n.path == "" {
		n.run = followAll(n.t, ignoringClient(n.t, n.api, n.ignore...))
		return
	}
	positions, err := tail.LoadPositions(n.path)
	if err != nil {
		n.t.Fatal(err)
	}
	n.run = resume(n.t, watchAll(connect(n.t, n.api), true), positions)
}

// again stops the run and starts the next one, after a few lines or the exit of
// the container.
func (n *scheduler) again(how int) {
	_ = n.run.stop()
	if err := n.run.positions.Save(); err != nil {
		n.t.Fatal(err)
	}
	n.run.wantsNoGap(n.t)
	n.shown = append(n.shown, n.run.lines...)
	n.broken = map[int]bool{}
	if how%3 == 0 {
		n.log(how, 0)
	}
	n.begin()
	pass(time.Duration(how) * 10 * time.Millisecond)
}

func (n *scheduler) step(what byte, how int) {
	switch what % 9 {
	case 0:
		n.log(how, 0)
	case 1:
		pass(time.Duration(how) * 50 * time.Millisecond)
	case 2, 3:
		n.api.CutAll(what%9 == 2)
		pass(time.Duration(how%3) * 100 * time.Millisecond)
	case 4:
		// Cutting twice at the same byte is how the end of a log is recognized.
		for n.broken[how] {
			how++
		}
		n.broken[how], n.cuts = true, true
		breaks := []fakeapi.Break{fakeapi.End, fakeapi.Reset}
		n.fault(&fakeapi.Fault{Break: breaks[how%2], After: int64(how) * 5})
	case 5:
		refusals := []fakeapi.Fault{
			{Status: 500}, {Status: 502, Body: "<html>Bad Gateway"}, {Status: 503}, {Status: 404},
			{Status: 429, RetryAfter: 2 * time.Second},
			{Body: "unable to retrieve container logs for containerd://0"},
			{Prefix: "failed to create fsnotify watcher: too many open files\n"},
		}
		how %= len(refusals)
		if how == 5 {
			// A log that is unavailable for long counts as removed.
			const most = 5
			if n.unavailable++; n.unavailable > most {
				return
			}
		}
		n.fault(&refusals[how])
	case 6:
		// Two goroutines of the runtime stamp stdout and stderr, and the clock
		// of the node is set, so the times of a log step back and forward by up
		// to two hours.
		ago := time.Duration(how-128) * time.Minute
		if how%4 == 0 {
			ago = time.Duration(how) * 100 * time.Millisecond
		}
		n.log(how, ago)
	case 7:
		n.crash(how%2 == 1)
	case 8:
		n.rotate(how)
	}
}

// log writes a few lines with times that long ago.
func (n *scheduler) log(how int, ago time.Duration) {
	n.silent = false
	at := time.Now().Add(-ago).UnixNano() + int64(len(n.file)) // a clock that is set does not repeat a nanosecond
	for i := range 1 + how%9 {
		text := fmt.Sprintf("text %d", (how>>2+i/2)%4)
		n.c.Append(fakeapi.Entry{Time: at, Text: text})
		n.file = append(n.file, text)
	}
}

// crash ends the container and restarts it. The node keeps the log of one ended
// instance only; the one before it has been read by then. A silent instance
// would break the chain: the log before it is gone when the next one ends, and
// a gap is reported, because it is unknown whether lines are missing. So no
// instance is silent once anything was written.
func (n *scheduler) crash(lastWords bool) {
	if n.silent && len(n.file) > 0 {
		n.log(0, 0)
	}
	n.recover()
	n.api.CutAll(true)
	if lastWords {
		n.c.Append(fakeapi.Entry{Text: "last words", Partial: true})
		n.file = append(n.file, "last words")
	}
	n.c.Exit(1, "")
	n.c.Start()
	n.silent, n.began = true, time.Now()
}

// rotate makes the log unavailable once everything was written, and waits for
// the first line of the next file; until then, it is unknown whether lines were
// lost.
func (n *scheduler) rotate(how int) {
	n.recover()
	n.c.Rotate()
	n.log(how, 0)
	n.recover()
}

// recover lets everything work until all lines were written.
func (n *scheduler) recover() {
	n.api.SetFault(noFault)
	n.mu.Lock()
	n.faults, n.unavailable = nil, 0
	n.mu.Unlock()
	if n.cuts {
		n.cuts = false
		n.api.CutAll(true)
	}
	pass(time.Minute)
}

// fault injects the fault into the next log request after those that are still to fail.
func (n *scheduler) fault(f *fakeapi.Fault) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.faults = append(n.faults, f)
	n.api.SetFault(func(r *http.Request) *fakeapi.Fault {
		n.mu.Lock()
		defer n.mu.Unlock()
		if fakeapi.Parse(r).Subresource != "log" || len(n.faults) == 0 {
			return nil
		}
		first := n.faults[0]
		n.faults = n.faults[1:]
		return first
	})
}
