package promise_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ktail/ktail/internal/fakeapi"
	"github.com/ktail/ktail/pkg/tail"
)

// FuzzResume: whatever the cuts and the replays, the output is the file.
//
// The fuzzer writes a story, two bytes a step: a container logs, few texts and
// many at the same moment; the times in its log step back; it crashes, with last
// words that no newline ends, and is started again; connections are cut; answers
// are refused, cut short, or begin with words of the kubelet. Then all is well,
// and what ktail has shown must be what the container has written.
func FuzzResume(f *testing.F) {
	f.Add([]byte("\x00\x05\x02\x00\x00\x05\x02\x00"))                         // log, cut, log, cut
	f.Add([]byte("\x00\x09\x04\x40\x02\x00\x04\x10\x03\x00\x04\x33\x02\x00")) // replays cut short
	f.Add([]byte("\x00\x03\x01\x20\x06\x07\x02\x00\x06\x05\x06\x04"))         // times that step back
	f.Add([]byte("\x00\x07\x02\x00\x00\x03\x07\x01\x00\x03\x07\x00\x00\x02")) // crashes while cut
	f.Add([]byte("\x07\x00\x02\x00\x07\x01\x00\x02\x07\x00"))                 // crashes without a word
	f.Add([]byte("\x00\x05\x05\x00\x02\x00\x05\x01\x05\x02\x05\x03\x05\x04\x05\x05\x05\x06\x02\x00\x00\x05"))
	f.Fuzz(func(t *testing.T, story []byte) {
		const most = 60 // steps
		synctest.Test(t, func(t *testing.T) {
			n := newNarrator(t)
			for i := 0; i+1 < min(len(story), 2*most); i += 2 {
				n.step(story[i], int(story[i+1]))
			}
			n.recover()
			n.c.Log("the end")
			pass(time.Minute)
			n.run.wants(t, append(n.file, "the end")...)
		})
	})
}

// FuzzRuns is FuzzResume with several runs: each continues where the one before was
// stopped, and the events in between are part of the schedule.
func FuzzRuns(f *testing.F) {
	f.Add([]byte("\x00\x05\x09\x00\x00\x05\x09\x00"))         // log, run, log, run
	f.Add([]byte("\x00\x03\x08\x05\x07\x01\x08\x00\x07\x00")) // crashes between runs
	f.Add([]byte("\x00\x03\x07\x01\x08\x00\x06\x05\x08\x01\x02\x00"))
	f.Fuzz(func(t *testing.T, story []byte) {
		const most = 60 // steps
		path := filepath.Join(t.TempDir(), "positions")
		synctest.Test(t, func(t *testing.T) {
			n := newNarratorOf(t, path)
			n.show() // of a log that has shown nothing yet, no run knows where another was
			for i := 0; i+1 < min(len(story), 2*most); i += 2 {
				if story[i]%10 == 9 {
					n.again(int(story[i+1]))
				} else {
					n.step(story[i]%10, int(story[i+1]))
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

// narrator lets a story happen to one container.
type narrator struct {
	t      *testing.T
	api    *fakeapi.Server
	c      *fakeapi.Container
	run    *run
	ignore []string // parameters that the server ignores
	path   string   // of the positions; empty: there is one run only
	shown  []string // by the runs before
	faults []*fakeapi.Fault
	file   []string     // what was written
	began  time.Time    // the instance that runs
	silent bool         // the instance that runs has not said anything
	broken map[int]bool // answers, after so many bytes
}

func newNarrator(t *testing.T) *narrator { return newNarratorOf(t, "") }

func newNarratorOf(t *testing.T, path string, ignore ...string) *narrator {
	n := &narrator{t: t, path: path, ignore: ignore, api: newServer(t, fakeapi.Options{}), broken: map[int]bool{}}
	n.c = n.api.RunPod("default", "web", "app").Container("app")
	n.begin()
	pass(time.Second)
	n.began = time.Now()
	return n
}

// begin starts a run where the one before was stopped.
func (n *narrator) begin() {
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

// again stops the run and starts the next one, after a few lines or the end of the
// container.
func (n *narrator) again(how int) {
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

func (n *narrator) step(what byte, how int) {
	switch what % 9 {
	case 0:
		n.log(how, 0)
	case 1:
		pass(time.Duration(how) * 50 * time.Millisecond)
	case 2, 3:
		n.api.CutAll(what%9 == 2)
		pass(time.Duration(how%3) * 100 * time.Millisecond)
	case 4:
		// Not twice at the same byte: that is how the end of a log is recognized.
		for n.broken[how] {
			how++
		}
		n.broken[how] = true
		breaks := []fakeapi.Break{fakeapi.End, fakeapi.Reset}
		n.fault(&fakeapi.Fault{Break: breaks[how%2], After: int64(how) * 5})
	case 5:
		refusals := []fakeapi.Fault{
			{Status: 500}, {Status: 502, Body: "<html>Bad Gateway"}, {Status: 503}, {Status: 404},
			{Status: 429, RetryAfter: 2 * time.Second},
			{Body: "unable to retrieve container logs for containerd://0"},
			{Prefix: "failed to create fsnotify watcher: too many open files\n"},
		}
		n.fault(&refusals[how%len(refusals)])
	case 6:
		// Two goroutines of the runtime stamp stdout and stderr, and the clock of
		// the node is set: the times of a log step back, and forward, by up to two
		// hours.
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

// log writes a few lines, stamped that long ago.
func (n *narrator) log(how int, ago time.Duration) {
	n.silent = false
	at := time.Now().Add(-ago).UnixNano()
	for i := range 1 + how%9 {
		text := fmt.Sprintf("text %d", (how>>2+i/2)%4)
		n.c.Append(fakeapi.Entry{Time: at, Text: text})
		n.file = append(n.file, text)
	}
}

// crash ends the container and starts it again. The node keeps the log of one
// dead instance only: the one before has been read by then. An instance that says
// nothing breaks the chain: what came before it is gone when the next one ends, and
// a gap is reported, since it is unknown whether there is one. So none is silent, once
// anything was said.
func (n *narrator) crash(lastWords bool) {
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

// rotate takes the log out of reach when everything has been shown, and has the first
// line of the next file shown: until then it is unknown whether something was lost.
func (n *narrator) rotate(how int) {
	n.recover()
	n.c.Rotate()
	n.log(how, 0)
	n.recover()
}

// recover lets all be well until everything has been shown.
func (n *narrator) recover() {
	n.faults = nil
	n.api.SetFault(noFault)
	pass(time.Minute)
}

// fault has the next log request go wrong.
func (n *narrator) fault(f *fakeapi.Fault) {
	n.faults = append(n.faults, f)
	faults(n.api, n.faults...)
}
