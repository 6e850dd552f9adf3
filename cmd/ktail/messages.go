package main

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ktail/ktail/pkg/ktail"
	"github.com/ktail/ktail/pkg/output"
	"github.com/ktail/ktail/pkg/tail"
	"github.com/ktail/ktail/pkg/text"
)

// messenger prints everything to stderr that is not a log line. It escapes
// control characters in text from outside, such as messages of the server,
// reasons, and names, so that they neither reach the terminal nor look like
// another message.
type messenger struct {
	style    output.Style
	onlyLogs bool
	once     bool
	limit    int
	failures *failureReporter
	late     *lateReporter
	board    *podBoard           // nil if lines are not from a cluster
	expect   func(*ktail.Stream) // called with each stream before its first line

	onlyMessages atomic.Bool // containers that start or stop are no longer reported

	mu  sync.Mutex
	out io.Writer
}

func newMessenger(s streams, p plan) *messenger {
	m := &messenger{
		style:    p.style(s.ErrTTY, s.Env, p.showNamespace),
		onlyLogs: p.onlyLogLines || p.stdin,
		once:     p.noFollow,
		limit:    p.maxLogRequests,
		board:    p.newPodBoard(),
		expect:   func(*ktail.Stream) {},
		out:      s.ErrOut,
	}
	m.failures = newFailureReporter(m.printf)
	m.late = &lateReporter{printf: m.printf}
	return m
}

// printf prints a message. Arguments other than numbers and durations are escaped.
func (m *messenger) printf(format string, args ...any) {
	escaped := make([]any, len(args))
	for i, arg := range args {
		switch arg := arg.(type) {
		case int, int32, int64, uint64, float64, bool, time.Duration:
			escaped[i] = arg
		default:
			escaped[i] = sanitize(fmt.Sprint(arg))
		}
	}
	m.println("ktail: " + fmt.Sprintf(format, escaped...))
}

// println prints a line that is safe for a terminal.
func (m *messenger) println(line string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	fmt.Fprintln(m.out, line) //nolint:errcheck // stderr is the last resort
}

// event prints an event of the engine.
func (m *messenger) event(e tail.Event) {
	switch e.Kind {
	case tail.Started:
		m.expect(e.Stream)
		m.started(e.Stream)
	case tail.Ended:
		m.failures.streamEnded(e.Stream)
	case tail.Failing:
		m.failures.failing(e.Stream, e.Err)
	case tail.Recovered:
		m.failures.recovered(e.Stream)
	case tail.Failed:
		m.failures.streamEnded(e.Stream)
		m.printf("error: %v", e.Err)
	case tail.Late:
		m.late.add(e.Stream)
	case tail.Waiting:
		m.waiting(e.Count)
	}
}

func (m *messenger) started(s *ktail.Stream) {
	if !m.onlyLogs && !m.onlyMessages.Load() && s.Pod != "" { // events and history belong to no container
		m.println(m.style.Started(s))
	}
}

func (m *messenger) stopped(s *ktail.Stream, reason string) {
	if !m.onlyLogs && !m.onlyMessages.Load() && s.Pod != "" { // events and history belong to no container
		m.println(m.style.Stopped(s) + inParens(sanitize(reason)))
	}
}

// waiting reports that logs wait for a free slot. With --no-follow, all of them
// get one eventually, so --only-log-lines suppresses the message.
func (m *messenger) waiting(logs int) {
	switch {
	case m.onlyLogs && m.once:
	case logs == 1:
		m.printf("1 log is waiting for a free slot (--max-log-requests %d)", m.limit)
	default:
		m.printf("%d logs are waiting for a free slot (--max-log-requests %d)", logs, m.limit)
	}
}

// notice prints a gap, a diagnostic, or another notice in its place among the
// lines.
func (m *messenger) notice(l *ktail.Line) {
	switch l.Kind {
	case ktail.Exit:
		m.stopped(l.Stream, string(l.Text))
	case ktail.Restart:
		m.started(l.Stream)
	case ktail.KubeEvent:
		m.println(m.style.Event(l))
	default:
		m.printf("%s", output.Describe(l))
	}
}

// unrendered reports that a template cannot render a line.
func (m *messenger) unrendered(l *ktail.Line, err error) {
	if l.Stream.Pod == "" { // a line from stdin
		m.printf("error: %v", err)
	} else {
		m.printf("error: %s: %v", l.Stream, err)
	}
}

// untimed reports that a server sends logs without timestamps.
func (m *messenger) untimed(stream *ktail.Stream) {
	m.printf("warning: the server sends no timestamps with the log of %s; its lines, and those of other such logs, get the time at which ktail receives them", stream)
}

// warn reports that ktail currently cannot find pods.
func (m *messenger) warn(err error) { m.printf("warning: %v; retrying", err) }

// inParens returns s in parentheses, preceded by a space, or "" if s is empty.
func inParens(s string) string {
	if s == "" {
		return ""
	}
	return " (" + s + ")"
}

// sanitize returns text from outside in a form that is safe within one line on
// a terminal: control characters, including newlines, are escaped.
func sanitize(s string) string {
	return text.SanitizeLine(strings.TrimRight(s, " \t\r\n"))
}

// sanitizingWriter escapes control characters, except newlines, in the log of a
// library.
type sanitizingWriter struct{ io.Writer }

// Write implements io.Writer.
func (w sanitizingWriter) Write(p []byte) (int, error) {
	if _, err := io.WriteString(w.Writer, strings.ReplaceAll(text.Sanitize(string(p)), "\t", " ")); err != nil {
		return 0, err
	}
	return len(p), nil
}
