package podlog

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"time"

	"github.com/ktail/ktail/pkg/ktail"
)

// The kubelet starts to watch for the rotation of a followed log when it has
// read to the end for the first time. If the file is rotated before that, the
// kubelet waits at the end of the old file until the next rotation, and skips
// the file in between (ReadLogs in k8s.io/cri-client/pkg/logs). ktail sees a
// log that falls silent for the first time since it was opened, although it was
// busy, or although it was read for a long time, perhaps because stdout was
// blocked. ktail therefore opens such a log once more.
const (
	busyLines = 20              // a log with so many lines within busyFor, by their times, is rotated often
	busySize  = 32 << 10        // or with so many bytes
	busyFor   = 2 * time.Second // time before the silence
	// stalledAfter is how long after its opening a silent log counts as stalled
	// rather than quiet. It also bounds how long a response may contain lines
	// that may or may not have been delivered.
	stalledAfter = 10 * time.Second
	silentAfter  = time.Second
	// farBack is an age that a request may ask for without hiding lines that
	// are written after the node's clock is set back.
	farBack = 24 * time.Hour
)

// follow emits the new lines of a followed log until its body ends or the
// kubelet seems to have lost track of the log; both return io.EOF. If the
// response contains no delivered line by the first silence, follow reads the
// log of the previous instance, whose last lines must not wait until the
// current instance writes something.
func (s *Source) follow(ctx context.Context, r *response, body io.Reader, cancel context.CancelFunc) error {
	b := &stalledBody{Reader: body, cancel: cancel, opened: time.Now(), response: r, stall: s.log.stall}
	err := r.copy(ctx, b)
	if errors.Is(err, errTooShort) || errors.Is(err, errReopen) {
		return err // the next response starts over, and must not suspect the same line again
	}
	s.log.stall = stall{}
	s.log.followed(r)
	if errors.Is(err, errSkipping) {
		return ktail.ErrInterrupted
	}
	switch {
	case !b.cut.Load():
		return err
	case r.uncertain():
		return s.notFound(ctx, r)
	case r.lost():
		return s.lookBehind(ctx, r)
	}
	s.log.suspected = r.rate.latest()
	return err
}

// lookBehind emits the last lines of the previous instance while the followed
// log is silent. A later line will show whether lines are missing.
func (s *Source) lookBehind(ctx context.Context, r *response) error {
	l := s.log
	l.lookedBehind = true
	if l.expect != continues {
		return ktail.ErrInterrupted
	}
	now, err := s.api.Container(ctx)
	if err != nil {
		return err
	}
	joined, err := s.readPrevious(ctx, r.from, r.emit)
	if err != nil {
		return err
	}
	if !joined || now.Gone || now.Instance.Restarts <= l.reading.Restarts {
		return ktail.ErrInterrupted
	}
	l.reading, l.expect = now.Instance, followsOn
	if err := emitAny(r.emit, l.next(s.stream, &now)); err != nil {
		return err
	}
	return errReopen
}

// lineRate is how fast a log was written recently.
type lineRate struct {
	recent [busyLines]struct{ time, size int64 } // the last lines
	lines  int                                   // total number of lines
}

func (r *lineRate) record(lines []ktail.Line) {
	for i := max(0, len(lines)-busyLines); i < len(lines); i++ {
		if l := &lines[i]; l.Kind == ktail.Log {
			at := &r.recent[r.lines%busyLines]
			at.time, at.size = l.Time, int64(len(l.Text))
			r.lines++
		}
	}
}

// latest returns the time of the last line, or 0 if there was none.
func (r *lineRate) latest() int64 { return r.recent[(r.lines+busyLines-1)%busyLines].time }

func (r *lineRate) busy() bool {
	lines, size := 0, int64(0)
	for _, l := range r.recent[:min(r.lines, busyLines)] {
		if took := r.latest() - l.time; -int64(busyFor) <= took && took <= int64(busyFor) {
			lines++
			size += l.size
		}
	}
	return lines == busyLines || size >= busySize
}

// stalledBody ends, as if the server had closed the response, when the log
// seems to have stalled.
type stalledBody struct {
	io.Reader
	cancel   context.CancelFunc // cancels the request
	opened   time.Time
	response *response
	stall    stall // state before this response

	silent bool // was silent once, so the kubelet has reached the end
	timer  *time.Timer
	cut    atomic.Bool
}

// Read implements io.Reader.
func (b *stalledBody) Read(p []byte) (int, error) {
	if time.Since(b.opened) > stalledAfter && (b.response.uncertain() || b.response.hides()) {
		b.cut.Store(true)
		return 0, io.EOF
	}
	began, suspicious := time.Now(), b.response.hides() || b.response.uncertain() || !b.silent && b.suspicious()
	if suspicious {
		b.arm()
	}
	n, err := b.Reader.Read(p)
	if suspicious {
		b.timer.Stop()
	}
	if err != nil && b.cut.Load() {
		return n, io.EOF
	}
	b.silent = b.silent || time.Since(began) >= silentAfter
	return n, err
}

// suspicious reports whether a silence now means that the log must be opened
// once more. It is true only once after the same line.
func (b *stalledBody) suspicious() bool {
	r := b.response
	if r.source.log.untimed {
		return false // not a kubelet
	}
	if r.lost() {
		return !b.stall.lookedBehind
	}
	rate := &r.rate
	if rate.lines == 0 || rate.latest() == b.stall.suspected {
		return false
	}
	return rate.busy() || time.Since(b.opened) > stalledAfter
}

// uncertain reports whether the response holds back lines because they may have been
// delivered. They must not wait until the log is written again.
func (r *response) uncertain() bool { return r.lost() && r.any }

// hides reports whether the response would hide lines if the node's clock were
// set back while the log is followed, because the request has a recent start
// time. Once a line was received, the log can be opened again without one.
func (r *response) hides() bool {
	return r.sinceAsked && !r.source.log.untimed && r.source.options.Age() < farBack && r.progress
}

func (b *stalledBody) arm() {
	if b.timer != nil {
		b.timer.Reset(silentAfter)
		return
	}
	b.timer = time.AfterFunc(silentAfter, func() {
		b.cut.Store(true)
		b.cancel()
	})
}
