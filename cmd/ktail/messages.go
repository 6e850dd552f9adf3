package main

import (
	"fmt"
	"io"
	"sync"

	"github.com/ktail/ktail/pkg/ktail"
	"github.com/ktail/ktail/pkg/output"
	"github.com/ktail/ktail/pkg/tail"
	"github.com/ktail/ktail/pkg/text"
)

// messenger prints to stderr everything that is not a log line.
type messenger struct {
	style    output.Style
	onlyLogs bool
	once     bool
	terminal bool
	limit    int
	failures *failureReporter
	expect   func(*ktail.Stream) // told which streams there are, before their lines come

	mu  sync.Mutex
	out io.Writer
}

func newMessenger(s streams, o *options) *messenger {
	m := &messenger{
		style:    o.style(s.ErrTTY, s.Env, o.showNamespace()),
		onlyLogs: o.onlyLogLines || o.stdin,
		once:     o.noFollow,
		terminal: s.ErrTTY,
		limit:    o.maxLogRequests,
		out:      s.ErrOut,
	}
	m.failures = newFailureReporter(m.printf)
	m.expect = func(*ktail.Stream) {}
	return m
}

func (m *messenger) printf(format string, args ...any) {
	m.mu.Lock()
	defer m.mu.Unlock()
	fmt.Fprintf(m.out, format+"\n", args...) //nolint:errcheck // there is nowhere else to tell it
}

// event says what the engine tells.
func (m *messenger) event(e tail.Event) {
	switch e.Kind {
	case tail.Started, tail.Restarted:
		m.expect(e.Stream)
		m.started(e.Stream)
	case tail.Ended:
		m.failures.forget(e.Stream)
		m.stopped(e.Stream, e.Why)
	case tail.Stopped:
		m.stopped(e.Stream, e.Why)
	case tail.Failing:
		m.failures.fail(e.Stream, e.Err)
	case tail.Recovered:
		m.failures.recover(e.Stream)
	case tail.Failed:
		m.failures.forget(e.Stream)
		m.printf("error: %v", e.Err)
	case tail.Waiting:
		m.waiting(e.Count)
	}
}

func (m *messenger) started(s *ktail.Stream) {
	if !m.onlyLogs {
		m.printf("%s", m.style.Started(s))
	}
}

func (m *messenger) stopped(s *ktail.Stream, reason string) {
	if !m.onlyLogs {
		m.printf("%s", m.style.Stopped(s)+inParens(m.sanitize(reason)))
	}
}

// sanitize returns text from outside as the terminal may show it.
func (m *messenger) sanitize(s string) string {
	if !m.terminal {
		return s
	}
	return text.Sanitize(s)
}

// waiting says that logs are not read yet. If all there are end anyway, that is
// no more of interest than what comes and goes.
func (m *messenger) waiting(logs int) {
	switch {
	case m.onlyLogs && m.once:
	case logs == 1:
		m.printf("1 log waits until another one ends: --max-log-requests is %d", m.limit)
	default:
		m.printf("%d logs wait until others end: --max-log-requests is %d", logs, m.limit)
	}
}

// inParens tells in brackets why, if that is known.
func inParens(why string) string {
	if why == "" {
		return ""
	}
	return " (" + why + ")"
}

// notice says what came among the lines.
func (m *messenger) notice(l *ktail.Line) {
	switch l.Kind {
	case ktail.Exit:
		m.stopped(l.Stream, string(l.Text))
	case ktail.Restart:
		m.started(l.Stream)
	default:
		m.printf("%s", m.sanitize(output.Describe(l)))
	}
}

// unrendered says which line its template cannot show.
func (m *messenger) unrendered(l *ktail.Line, err error) {
	if l.Stream.Pod == "" { // from stdin
		m.printf("%v", err)
	} else {
		m.printf("%s: %v", l.Stream, err)
	}
}

// warn says what keeps ktail from seeing pods.
func (m *messenger) warn(err error) { m.printf("%v; trying again", err) }
