package podlog

import (
	"context"
	"io"
	"sync/atomic"
	"time"

	"github.com/ktail/ktail/pkg/ktail"
)

// A kubelet that is asked to follow a log begins to watch for its rotation when it
// has read to the end for the first time. If the file is rotated before that, it
// waits at the end of the old one until the next rotation, and skips the file
// between (ReadLogs in k8s.io/cri-client/pkg/logs). To ktail that looks like a
// log that falls silent for the first time since it was opened, although it was
// busy, or although it was being read for long: behind a blocked stdout, maybe.
// So such a log is opened once more.
const (
	busyLines = 20              // within busyFor, by their times: such a log is rotated often
	busyFor   = 2 * time.Second // before the silence
	// stalledAfter is how long after its opening a silence is not one of a quiet log.
	// It also bounds how long a response may show lines of which it is not known
	// whether they were delivered.
	stalledAfter = 10 * time.Second
	silentAfter  = time.Second
	// farBack is how old lines may be that a request asks for by their age without
	// hiding what is written when the node's clock is set back.
	farBack = 24 * time.Hour
)

// follow emits the new lines of the body of a log that is followed, until it ends
// or the kubelet seems to have lost track of the log; both are io.EOF. If nothing of
// what was delivered has come by the first silence, it looks behind: what the
// instance before has said last must not wait until this one says something.
func (s *Source) follow(ctx context.Context, r *response, body io.Reader, cancel context.CancelFunc) error {
	b := &stalledBody{Reader: body, cancel: cancel, opened: time.Now(), response: r, stall: s.log.stall}
	err := r.copy(ctx, b)
	s.log.stall = stall{}
	switch {
	case !b.cut.Load():
		return err
	case r.lost() && r.any:
		return s.notFound(ctx, r)
	case r.lost():
		return s.lookBehind(ctx, r)
	}
	s.log.suspected = r.rate.latest()
	return err
}

// lookBehind emits what the instance before has said last, when the log is silent
// that follows. A line to come will show whether others are missing.
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

// lineRate is how fast a log was written lately.
type lineRate struct {
	times [busyLines]int64 // of the last lines
	lines int              // in all
}

func (r *lineRate) record(lines []ktail.Line) {
	for i := max(0, len(lines)-busyLines); i < len(lines); i++ {
		if lines[i].Kind == ktail.Log {
			r.times[r.lines%busyLines] = lines[i].Time
			r.lines++
		}
	}
}

// latest is the time of the last line; 0 if there was none.
func (r *lineRate) latest() int64 { return r.times[(r.lines+busyLines-1)%busyLines] }

func (r *lineRate) busy() bool {
	return r.lines >= busyLines && r.latest()-r.times[r.lines%busyLines] <= int64(busyFor)
}

// stalledBody ends, as if the server had ended it, when the log seems to have
// stalled.
type stalledBody struct {
	io.Reader
	cancel   context.CancelFunc // of the request
	opened   time.Time
	response *response
	stall    stall // as it was before

	silent bool // was, once: the kubelet has got to the end
	timer  *time.Timer
	cut    atomic.Bool
}

// Read implements io.Reader.
func (b *stalledBody) Read(p []byte) (int, error) {
	if time.Since(b.opened) > stalledAfter && (b.response.lost() && b.response.any || b.response.hides()) {
		b.cut.Store(true)
		return 0, io.EOF
	}
	began, suspicious := time.Now(), b.response.hides() || !b.silent && b.suspicious()
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

// suspicious reports whether a silence now would mean that the log has to be opened
// once more. After the same line it does not mean that twice.
func (b *stalledBody) suspicious() bool {
	r := b.response
	if r.lost() {
		return r.any || !b.stall.lookedBehind
	}
	rate := &r.rate
	if rate.lines == 0 || rate.latest() == b.stall.suspected {
		return false
	}
	return rate.busy() || time.Since(b.opened) > stalledAfter
}

// hides reports whether the response hides lines if the node's clock is set back
// while the log is followed: it begins at a time that is not long ago. Once a line
// has come, the log can be opened again without that.
func (r *response) hides() bool {
	return r.sinceAsked && r.source.options.Since < farBack && r.progress
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
