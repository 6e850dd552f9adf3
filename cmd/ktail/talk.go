package main

import (
	"fmt"
	"io"
	"sync"

	"github.com/ktail/ktail/pkg/ktail"
	"github.com/ktail/ktail/pkg/output"
	"github.com/ktail/ktail/pkg/tail"
)

// talk says on stderr what is no log line.
type talk struct {
	style    output.Style
	onlyLogs bool
	once     bool
	terminal bool
	limit    int
	trouble  *trouble
	expect   func(*ktail.Stream) // told which streams there are, before their lines come

	mu  sync.Mutex
	out io.Writer
}

func newTalk(s streams, o *options) *talk {
	t := &talk{
		style:    o.style(s.ErrTTY, s.Env, o.showNamespace()),
		onlyLogs: o.onlyLogLines || o.stdin,
		once:     o.noFollow,
		terminal: s.ErrTTY,
		limit:    o.maxLogRequests,
		out:      s.ErrOut,
	}
	t.trouble = newTrouble(t.say)
	t.expect = func(*ktail.Stream) {}
	return t
}

func (t *talk) say(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	fmt.Fprintf(t.out, format+"\n", args...) //nolint:errcheck // there is nowhere else to tell it
}

// event says what the engine tells.
func (t *talk) event(e tail.Event) {
	switch e.Kind {
	case tail.Started, tail.Restarted:
		t.expect(e.Stream)
		if !t.onlyLogs {
			t.say("%s", t.style.Started(e.Stream))
		}
	case tail.Ended:
		t.trouble.forget(e.Stream)
		t.stopped(e)
	case tail.Stopped:
		t.stopped(e)
	case tail.Failing:
		t.trouble.fail(e.Stream, e.Err)
	case tail.Recovered:
		t.trouble.recover(e.Stream)
	case tail.Failed:
		t.trouble.forget(e.Stream)
		t.say("error: %v", e.Err)
	case tail.Waiting:
		t.waiting(e.Count)
	}
}

func (t *talk) stopped(e tail.Event) {
	if !t.onlyLogs {
		t.say("%s", t.style.Stopped(e.Stream)+because(e.Why))
	}
}

// waiting says that logs are not read yet. If all there are end anyway, that is
// no more of interest than what comes and goes.
func (t *talk) waiting(logs int) {
	switch {
	case t.onlyLogs && t.once:
	case logs == 1:
		t.say("1 log waits until another one ends: --max-log-requests is %d", t.limit)
	default:
		t.say("%d logs wait until others end: --max-log-requests is %d", logs, t.limit)
	}
}

// because tells in brackets why, if that is known.
func because(why string) string {
	if why == "" {
		return ""
	}
	return " (" + why + ")"
}

// notice says what came among the lines.
func (t *talk) notice(l *ktail.Line) {
	text := output.Describe(l)
	if t.terminal {
		text = output.Visible(text)
	}
	t.say("%s", text)
}

// unrendered says which line its template cannot show.
func (t *talk) unrendered(l *ktail.Line, err error) {
	if l.Stream.Pod == "" { // from stdin
		t.say("%v", err)
	} else {
		t.say("%s: %v", l.Stream, err)
	}
}

// warn says what keeps ktail from seeing pods.
func (t *talk) warn(err error) { t.say("%v; trying again", err) }
