package kube

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
// between (ReadLogs in k8s.io/cri-client/pkg/logs). From here that looks like a
// log that falls silent for the first time since it was opened, although it was
// busy, or although it was being read for long: behind a blocked stdout, maybe.
// So such a log is opened once more.
const (
	busyLines   = 20               // within busyFor, by their times: such a log is rotated often
	busyFor     = 2 * time.Second  // before the silence
	stuckWithin = 10 * time.Second // of its opening: a silence that soon is one of a quiet log
	stuckAfter  = time.Second      // of silence
)

// follow emits the new lines of the body of a log that is followed, until it ends
// or the kubelet seems to have lost track of the log; both are io.EOF. If nothing of
// what was delivered has come by the first silence, it looks behind: what the
// instance before has said last must not wait until this one says something.
func (s *source) follow(ctx context.Context, r *reading, body io.Reader, cancel context.CancelFunc) error {
	b := &stuckBody{Reader: body, cancel: cancel, opened: time.Now(), reading: r, suspected: s.kept.suspected, behind: s.kept.behind}
	err := r.copy(ctx, b)
	s.kept.suspected, s.kept.behind = 0, false
	switch {
	case !b.cut.Load():
	case r.lost():
		if _, err := s.readPrevious(ctx, &r.from, r.emit); err != nil {
			return err
		}
		s.kept.behind = true
		return ktail.ErrInterrupted
	default:
		s.kept.suspected = r.pace.latest()
	}
	return err
}

// pace is how fast a log was written lately.
type pace struct {
	times [busyLines]int64 // of the last lines
	lines int              // in all
}

func (p *pace) note(lines []ktail.Line) {
	for i := max(0, len(lines)-busyLines); i < len(lines); i++ {
		if lines[i].Kind == ktail.Log {
			p.times[p.lines%busyLines] = lines[i].Time
			p.lines++
		}
	}
}

// latest is the time of the last line; 0 if there was none.
func (p *pace) latest() int64 { return p.times[(p.lines+busyLines-1)%busyLines] }

func (p *pace) busy() bool {
	return p.lines >= busyLines && p.latest()-p.times[p.lines%busyLines] <= int64(busyFor)
}

// stuckBody ends, as if the server had ended it, when the log seems to be stuck.
type stuckBody struct {
	io.Reader
	cancel    context.CancelFunc // of the request
	opened    time.Time
	reading   *reading
	suspected int64 // time of the line after which the log seemed stuck just before; or 0
	behind    bool  // the instance before was looked at just before

	silent bool // was, once: the kubelet has got to the end
	timer  *time.Timer
	cut    atomic.Bool
}

// Read implements io.Reader.
func (b *stuckBody) Read(p []byte) (int, error) {
	began, suspicious := time.Now(), !b.silent && b.suspicious()
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
	b.silent = b.silent || time.Since(began) >= stuckAfter
	return n, err
}

// suspicious reports whether the log would be stuck if it fell silent now, or
// would be another one than that which is looked for. After the same line it is not
// twice.
func (b *stuckBody) suspicious() bool {
	if b.reading.lost() {
		return !b.behind
	}
	pace := &b.reading.pace
	return pace.lines > 0 && pace.latest() != b.suspected &&
		(pace.busy() || time.Since(b.opened) > stuckWithin)
}

func (b *stuckBody) arm() {
	if b.timer != nil {
		b.timer.Reset(stuckAfter)
		return
	}
	b.timer = time.AfterFunc(stuckAfter, func() {
		b.cut.Store(true)
		b.cancel()
	})
}
