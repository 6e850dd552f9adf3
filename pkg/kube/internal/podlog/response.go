package podlog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/url"
	"slices"
	"time"

	"github.com/ktail/ktail/pkg/ktail"
)

// response is one response of the pod log API being read. It emits the lines
// that were not delivered before.
//
// The lines of the position are one contiguous part of the log. Lines before it
// were delivered earlier, or were never wanted; lines after it are new.
type response struct {
	source *Source
	from   *ktail.Position
	emit   func([]ktail.Line) error

	// begin is called with the first line that is certainly new, if no line of
	// the position came before it. It reports whether the line is wanted. If it
	// is, all further lines are.
	begin func(context.Context, *ktail.Line) (bool, error)
	// isNew reports whether a line with this time that is not in the position
	// was certainly not delivered.
	isNew func(at int64) bool

	query       url.Values // the parameters of the request
	previous    bool       // the response has the log of the previous instance
	tail        bool       // the response starts in the middle of the log
	sinceAsked  bool       // the request has a start time
	skip        int        // number of lines of an untimed log that were delivered
	before      int64      // lines at the start that are not wanted
	beforeUntil int64      // the latest time that one of them can have, in Unix nanoseconds
	whole       bool       // the response starts with the first line of the log

	scanner  *scanner
	replay   *ktail.Replay
	phase    phase
	any      bool // a line was received
	refused  bool // a message of the kubelet was received
	passed   bool // lines were skipped that may be new or may have been delivered
	progress bool // a line was emitted
	last     ktail.Mark
	rate     lineRate
	opened   time.Time
	received time.Time // time when the lines being looked at were received
	arrived  arrival   // of the last new line
	doubtful bool      // a file may have been skipped, so the newest one may be repeated
}

type phase uint8

const (
	searching phase = iota // looking for the first line of the position
	replaying              // reading lines that were delivered
	allNew                 // reading lines after the position
	skipping               // counting off lines that were delivered
)

// newResponse returns a response that emits what is new since the position.
func newResponse(s *Source, from *ktail.Position, emit func([]ktail.Line) error) *response {
	r := &response{source: s, from: from, emit: emit, last: from.Last(), opened: time.Now()}
	switch {
	case !from.IsZero():
		r.replay, r.begin, r.isNew = from.Replay(), r.joinPrevious, from.Covers
		if s.mayPrecedeFirst(from) || s.periods != nil {
			r.isNew = r.isLater
		}
	case s.options.Follow && (s.log.start == FromFirst || s.log.opens > 1):
		r.replay, r.begin, r.isNew = from.Replay(), r.joinFirst, func(int64) bool { return true }
	default:
		r.phase = allNew
	}
	return r
}

// isLater reports whether the time is later than the times of all delivered
// lines.
func (r *response) isLater(at int64) bool { return at > r.from.Time }

// lost reports whether the response has contained neither the position nor a
// line that certainly follows it so far.
func (r *response) lost() bool { return r.phase == searching && !r.from.IsZero() }

// copy emits the new lines of the body until it ends, and returns why it ended:
// io.EOF, or the error of the connection, of emit, or of begin.
func (r *response) copy(ctx context.Context, body io.Reader) error {
	r.scanner = newScanner(body, r.source.stream)
	r.scanner.untimed = r.source.log.untimed
	for {
		lines, err := r.scanner.next()
		r.received = time.Now()
		lines, detectErr := r.detectUntimed(ctx, lines)
		if detectErr != nil {
			return detectErr
		}
		r.rate.record(lines)
		if emitErr := r.forward(ctx, lines); emitErr != nil {
			return emitErr
		}
		if err != nil {
			switch {
			case ctx.Err() != nil:
				return ctx.Err()
			case errors.Is(err, io.EOF):
				return io.EOF
			}
			return fmt.Errorf("read log of %s: %w", r.source.stream, err)
		}
	}
}

// forward emits the new lines among the given ones.
func (r *response) forward(ctx context.Context, lines []ktail.Line) error {
	kept := lines[:0]
	r.makePiece(lines)
	for i := range lines {
		keep, err := r.wants(ctx, &lines[i]) // a pointer to a copy would cost an allocation
		if err != nil {
			return err
		}
		if keep && r.mayHaveSkipped(&lines[i]) {
			if err := r.deliver(kept); err != nil {
				return err
			}
			kept = lines[i:i]
			if err := r.checkSkipping(ctx, &lines[i]); err != nil {
				return err
			}
		}
		if keep {
			kept = append(kept, lines[i])
		}
	}
	return r.deliver(kept)
}

// deliver emits lines that are wanted.
func (r *response) deliver(kept []ktail.Line) error {
	if len(kept) == 0 {
		return nil
	}
	if l := &kept[len(kept)-1]; l.Kind == ktail.Log {
		if !r.progress {
			r.progress = true
			r.source.log.overlapped()
		}
		r.last, r.source.log.latest = l.Mark(), l.Time
		if !r.previous {
			r.source.log.earlier.only = false
		}
	}
	r.source.log.deliver(len(kept), r.whole)
	return r.emit(kept)
}

func (r *response) wants(ctx context.Context, l *ktail.Line) (bool, error) {
	if l.Kind != ktail.Log {
		r.refused = r.refused || isKubeletText(l.Text)
		return r.source.log.isNews(l.Text), nil
	}
	first := !r.any
	r.any, r.source.log.unavailable = true, time.Time{}
	if r.before > 0 {
		if first || l.Untimed || l.Time <= r.beforeUntil {
			r.before--
			return false, nil
		}
		r.before = 0 // the line was written after the others were counted
	}
	switch {
	case r.phase == allNew:
		return true, nil
	case r.phase == skipping:
		r.skipTo(r.skip - 1)
		return false, nil
	case r.replay.Seen(l):
		// If the position starts before the response, equal lines cannot be
		// counted.
		if first && r.tail {
			return false, errTooShort
		}
		r.phase = replaying
		r.source.log.overlapped()
		if !r.previous {
			r.source.log.isReading(r.source.stream.Instance)
		}
		return false, nil
	case r.phase == replaying && r.from.Loose && !r.replay.CaughtUp():
		return true, nil
	case r.phase == replaying:
		if !r.replay.CaughtUp() && (!r.isNew(l.Time) || r.source.periods != nil && !r.previous) {
			return false, nil // a line of the position came early, or the line was outside of the periods
		}
	case !r.isNew(l.Time):
		r.passed = true
		return false, nil
	case r.tail:
		return false, errTooShort
	default:
		if keep, err := r.begin(ctx, l); err != nil || !keep {
			return false, err
		}
	}
	r.phase = allNew
	r.replay.Release()
	return true, nil
}

// skipTo makes the response drop that many lines, which were delivered.
func (r *response) skipTo(lines int) {
	r.skip, r.phase, r.replay = lines, skipping, nil
	if lines == 0 {
		r.phase = allNew
		if r.any && !r.previous {
			r.source.log.overlapped()
		}
	}
}

// makePiece turns the first text into a line if it is the end of a log line
// that started before the requested time. The kubelet writes the timestamp only
// before the first piece of a line, even if it omits that piece (ReadLogs in
// k8s.io/cri-client/pkg/logs).
func (r *response) makePiece(lines []ktail.Line) {
	if !r.mayBeginWithPiece() || len(lines) == 0 {
		return
	}
	if l := &lines[0]; l.Kind == ktail.Diagnostic && !isKubeletText(l.Text) && (len(lines) == 1 || lines[1].Kind == ktail.Log) {
		l.Kind, l.Untimed = ktail.Log, true
		l.Time = time.Now().Add(-r.source.options.Age()).UnixNano()
		if since := r.source.periods.start(); since != 0 {
			l.Time = max(l.Time, since)
		}
	}
}

// mayBeginWithPiece reports whether the next text may be the end of a log line
// that started before the requested time.
func (r *response) mayBeginWithPiece() bool {
	return !r.any && r.sinceAsked && r.from.IsZero()
}

// kubeletTexts are the beginnings of the texts that the kubelet sends in place of a log,
// without a timestamp and usually without a newline (ReadLogs in
// k8s.io/cri-client/pkg/logs, GetContainerLogs in the kubelet's kuberuntime).
var kubeletTexts = []string{
	"unable to retrieve container logs", "rpc error: ", "failed to get container status",
	"failed to try resolving symlinks", "failed to open log file", "failed to tail ", "failed to seek ",
	"failed to read log file", "failed to reset seek in log file", "failed to get parse function",
	"failed to create fsnotify watcher", "failed to watch directory",
}

// isKubeletText reports whether the kubelet, not a container, is known to have
// written the text.
func isKubeletText(text []byte) bool {
	return slices.ContainsFunc(kubeletTexts, func(beginning string) bool {
		return bytes.HasPrefix(text, []byte(beginning))
	})
}

// emitRest emits the text after the last newline: the last line of a container
// that did not terminate it.
func (r *response) emitRest(ctx context.Context) error {
	l := r.scanner.tail()
	if len(l.Text) == 0 || r.isCutInTime() {
		return nil
	}
	return r.forward(ctx, []ktail.Line{l})
}

// isCutInTime reports whether the response ends within a timestamp, which shows that it was
// cut short.
func (r *response) isCutInTime() bool {
	rest := r.scanner.tail()
	return rest.Kind == ktail.Diagnostic && len(rest.Text) > 0 && looksLikeTime(rest.Text)
}

// looksLikeTime distinguishes a line that was cut in its timestamp from a
// message of the kubelet.
func looksLikeTime(text []byte) bool {
	const date = "0000-00-00T"
	for i := range min(len(text), len(date)) {
		if date[i] == '0' && ('0' > text[i] || text[i] > '9') || date[i] != '0' && text[i] != date[i] {
			return false
		}
	}
	return true
}

// gap emits, before the next line, which has the given time, a gap that starts
// at the line delivered last. If the clock was set back in between, the gap has
// no end time.
func (r *response) gap(at int64, why string) error {
	since := r.from.Last().Time
	if at <= since || at == math.MaxInt64 {
		at = 0
	}
	return r.emit([]ktail.Line{{Stream: r.source.stream, Kind: ktail.Gap, Since: since, Time: at, Text: []byte(why)}})
}
