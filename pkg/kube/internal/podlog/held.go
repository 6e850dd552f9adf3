package podlog

import (
	"context"
	"errors"
	"io"
	"net/url"
	"time"

	"github.com/ktail/ktail/pkg/ktail"
)

// A kubelet that its client keeps waiting, because the reader of stdout is slow or the
// connection is, does not look at the log while it waits, but the notifications of its
// rotations queue up. When it has read the open file to its end, it opens the newest file
// once for each of them: what was in the files in between is missing, and what is in the
// newest one is repeated (ReadLogs in k8s.io/cri-client/pkg/logs). No error shows that. So
// if a response is behind the log and skips some time, another response must show that
// nothing is missing there. If it shows the opposite, or if rotated files can be read, the
// log is opened once more. If the lines have been rotated away by then, lines may be
// missing, but what has been received is not dropped.
const (
	// heldBack is how much later than necessary a line must be received to show that the
	// kubelet had to wait. A file that is skipped was the newest one for at least
	// containerLogMonitorInterval, 10 s by default and 3 s at least.
	heldBack = 2 * time.Second
	// heldSize is how much must have been received late, in bytes: a kubelet does not wait
	// until all buffers on the way are full.
	heldSize = 16 << 10
	// skippedTime is how much time between two lines may be that of a skipped file.
	skippedTime = 2 * time.Second
)

// errSkipping ends a response that may have skipped a file of the log.
var errSkipping = errors.New("the response may have skipped a file of the log")

// delay records how late the lines of a log are received. Clocks of nodes differ, so
// lines are only compared with each other.
type delay struct {
	least    time.Duration // difference between a line's time and its reception, the least so far
	known    bool          // least is valid
	unproven bool          // the last response that had lines was behind the log
	latest   int64         // time of the line emitted last, in Unix nanoseconds
}

// arrival is how the lines up to the last new one were received.
type arrival struct {
	time int64 // of the last line, in Unix nanoseconds; 0: there is none
	held int   // bytes received late since a line was received in time; 0: the last one was
}

// mayBeSkipped reports whether the time until the next line may be that of a file that was
// skipped.
func (a *arrival) mayBeSkipped(until int64) bool {
	return a.held >= heldSize && time.Duration(until-a.time) >= skippedTime
}

// mayHaveSkipped records a new line, and reports whether the kubelet may have skipped a
// file before it.
func (r *response) mayHaveSkipped(l *ktail.Line) bool {
	if l.Kind != ktail.Log || l.Untimed || r.phase != allNew || !r.source.options.Follow {
		return false
	}
	d, before, received := &r.source.log.delay, r.arrived, r.received.UnixNano()
	if took := time.Duration(received - l.Time); !d.known || took < d.least {
		d.least, d.known = took, true
	}
	r.arrived = arrival{time: l.Time}
	if time.Duration(received-max(l.Time+int64(d.least), r.opened.UnixNano())) >= heldBack {
		r.arrived.held = before.held + len(l.Text) + len("\n")
	}
	return before.mayBeSkipped(l.Time) || r.doubtful && l.Time <= before.time
}

// checkSkipping looks for the line, and the one emitted last, in another response. It returns
// errSkipping if the log must be opened once more, and emits a gap if nothing shows whether
// lines between the two are missing.
func (r *response) checkSkipping(ctx context.Context, l *ktail.Line) error {
	if r.doubtful && l.Time <= r.last.Time {
		return errSkipping // it is probably repeated
	}
	s := r.source
	query := url.Values{"container": {s.stream.Container}, "timestamps": {"true"}}
	query.Set("sinceTime", time.Unix(0, r.last.Time).UTC().Format(time.RFC3339))
	body, err := s.api.OpenLog(ctx, query)
	if err != nil {
		return errSkipping
	}
	defer body.Close() //nolint:errcheck // errors do not matter after reading
	sc, after, found := newScanner(body, s.stream), false, false
	for err == nil {
		var lines []ktail.Line
		lines, err = sc.next()
		for i := range lines {
			is := l.Mark().Same(lines[i].Mark())
			if is && after {
				s.log.known = false // the clock has changed, or the container has written nothing
				return nil
			}
			after = r.last.Same(lines[i].Mark())
			found = found || is || after
		}
	}
	if found || !errors.Is(err, io.EOF) || s.options.Rotated {
		return errSkipping
	}
	r.doubtful = true
	return r.emit([]ktail.Line{{Stream: s.stream, Kind: ktail.Gap, Since: r.last.Time, Time: l.Time, Text: []byte("the kubelet may have skipped a rotated file of the log")}})
}

// followed records whether a response that has ended shows that the log was read
// as far as it was written.
func (d *delay) followed(r *response) {
	if !r.lost() {
		d.unproven = r.arrived.held > 0
	}
}
