package podlog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/ktail/ktail/pkg/cri"
	"github.com/ktail/ktail/pkg/ktail"
	"github.com/ktail/ktail/pkg/kube/internal/sleep"
)

// Source reads the log of a container. It implements ktail.Source.
type Source struct {
	api     API
	options *Options
	stream  *ktail.Stream
	log     *Log
	periods *Periods
	created time.Time
}

// NewSource returns a source of the log. The stream describes the container as
// the caller last saw it. Sources of the same container share log. Only lines
// in the periods are wanted.
func NewSource(api API, options *Options, stream *ktail.Stream, log *Log, periods *Periods) *Source {
	return &Source{api: failing{api}, options: options, stream: stream, log: log, periods: periods, created: time.Now()}
}

// Log returns the log that the source reads.
func (s *Source) Log() *Log { return s.log }

// Stream returns the container's stream.
func (s *Source) Stream() *ktail.Stream { return s.stream }

var (
	// errGone ends a response because the pod no longer exists. A log that the
	// server serves under its name belongs to another pod.
	errGone = errors.New("the pod no longer exists")
	// errTooShort ends a response that does not reach back to the position.
	errTooShort = errors.New("the response begins after the position")
	// errReopen ends a response because it is now known how the next one must
	// be read.
	errReopen = errors.New("the log has to be read once more")
)

// Read reads the log from the position on. See ktail.Source.
func (s *Source) Read(ctx context.Context, from ktail.Position, emit func([]ktail.Line) error) error {
	if from.IsZero() && s.log.delivered && !s.options.Follow {
		s.log.startOver()
	}
	return s.readPeriods(ctx, from, emit)
}

func (s *Source) readAll(ctx context.Context, from ktail.Position, emit func([]ktail.Line) error) error {
	emit = s.reportSkipped(emit)
	for {
		err := s.readOnce(ctx, &from, emit)
		switch {
		case errors.Is(err, errTooShort):
			s.log.further()
		case errors.Is(err, errReopen):
		case errors.Is(err, errGone):
			return s.gone(&from, emit)
		default:
			return err
		}
	}
}

// end emits the Exit of the last instance.
func (s *Source) end(emit func([]ktail.Line) error, now *State) error {
	if !s.options.Follow {
		return nil // the log may continue
	}
	return emitAny(emit, s.log.exit(s.stream, now))
}

func emitAny(emit func([]ktail.Line) error, lines []ktail.Line) error {
	if len(lines) == 0 {
		return nil
	}
	return emit(lines)
}

// readOnce reads one response. It advances from only if it returns errReopen.
func (s *Source) readOnce(ctx context.Context, from *ktail.Position, emit func([]ktail.Line) error) error {
	request, cancel := context.WithCancel(ctx)
	defer cancel()
	if s.isRestarted() && s.log.expect != continues {
		s.log.restarted() // the expected instance is gone
	}
	if err := s.readFiles(ctx, from, emit); err != nil {
		return err
	}
	untimed, skip := s.log.untimed && !from.IsZero(), 0
	if untimed {
		var err error
		if skip, err = s.readUntimed(ctx, from, emit); err != nil {
			return err
		}
	}
	began := time.Now()
	tail := s.tailLines(from)
	query := s.query(from, tail)
	s.log.requests++
	err := s.extendTail(request, from, query)
	var limit tailLimit
	if tail < 0 {
		limit = s.limitTail(query)
	}
	var body io.ReadCloser
	if err == nil {
		body, err = s.api.OpenLog(request, query)
	}
	if err != nil {
		s.log.lookedBehind = false
		return s.openError(ctx, err, from, emit)
	}
	defer body.Close() //nolint:errcheck // errors do not matter after reading
	if err := s.connected(ctx, began, from, emit); err != nil {
		return err
	}
	r := newResponse(s, from, emit)
	if r.before, r.beforeUntil, err = s.linesBefore(ctx, query, limit); err != nil {
		return err
	}
	r.tail, r.sinceAsked = tail >= 0, query.Has("sinceSeconds") || query.Has("sinceTime")
	r.query = query
	switch {
	case untimed:
		r.whole = true
		r.skipTo(skip)
		if err := s.stillReading(ctx, s.log.reading.Restarts); err != nil {
			return err
		}
	case s.log.untimed && !from.IsZero():
		return errReopen // the instance before has shown it
	case s.log.expect == fresh:
		r.phase = allNew
	}
	if from.IsZero() {
		r.whole = !r.tail && !r.sinceAsked && !query.Has("tailLines")
	}
	if !s.options.Follow {
		if err := r.copy(ctx, body); !errors.Is(err, io.EOF) {
			return err
		}
		return s.afterLast(ctx, r)
	}
	if err := s.follow(ctx, r, body, cancel); !errors.Is(err, io.EOF) {
		return err
	}
	return s.afterEOF(ctx, r)
}

// connected reports that the log is open, and emits what comes before its first
// line.
func (s *Source) connected(ctx context.Context, began time.Time, from *ktail.Position, emit func([]ktail.Line) error) error {
	l := s.log
	l.opens++
	if l.opens == 1 {
		l.openedAt = began
		l.first(s.stream.Instance, l.start == FromFirst)
		s.decideEarlier(from)
	}
	if err := emit(nil); err != nil {
		return err
	}
	if err := s.checkPod(ctx); err != nil {
		return err
	}
	if l.gone {
		if err := s.found(ctx, emit); err != nil {
			return err
		}
	}
	if l.earlier.wanted {
		return s.readEarlier(ctx, from, emit)
	}
	if l.exited && s.stream.Instance.Restarts > l.reportedRestarts {
		// The end of the previous instance was confirmed, so this is the next
		// one.
		now := State{Instance: ktail.Instance{Restarts: l.reportedRestarts + 1}}
		if err := emit(l.next(s.stream, &now)); err != nil {
			return err
		}
	}
	if l.opens == 1 || !from.IsZero() {
		return nil
	}
	if err := s.readFilesAgain(ctx, from, emit); err != nil {
		return err
	}
	// No line was delivered that could show whether the container has been
	// restarted since. The state is read once the log is open; if it were read
	// earlier, it would not be known which instance's log is served.
	return s.catchUp(ctx, from, emit)
}

// tailLines returns how many lines, counted from the end of the log, to request
// in order to resume at the position; negative means all lines, or what the
// options say.
func (s *Source) tailLines(from *ktail.Position) int64 {
	if from.IsZero() || s.log.untimed {
		return -1
	}
	return s.log.tailLines(from, s.isRestarted() || s.wantsWholeLog() && !from.Full())
}

// isRestarted reports whether the watcher has seen an instance other than the
// one that was being read.
func (s *Source) isRestarted() bool {
	return s.log.opens > 0 && s.stream.Instance.Restarts > s.log.reading.Restarts
}

// query returns the parameters of the log request that resumes at the position.
func (s *Source) query(from *ktail.Position, tail int64) url.Values {
	since := s.periods.start()
	q := url.Values{"container": {s.stream.Container}, "timestamps": {"true"}}
	if s.options.Follow {
		q.Set("follow", "true")
	}
	switch {
	case tail >= 0:
		q.Set("tailLines", strconv.FormatInt(tail, 10))
	case !s.isUnread(from):
	case since != 0 || from.IsZero() && from.Time != 0:
		q.Set("sinceTime", time.Unix(0, max(since, from.Time)).UTC().Format(time.RFC3339))
	case s.log.start != FromOptions:
	case s.startsOver(from) && s.options.Follow && s.options.Tail == 0:
		q.Set("sinceSeconds", sinceSeconds(s.sinceOpened()))
	default:
		if s.options.Tail >= 0 {
			q.Set("tailLines", strconv.FormatInt(s.options.Tail, 10))
		}
		if since := s.options.Age(); since > 0 {
			if s.startsOver(from) {
				since = s.ageSinceOpened()
			}
			q.Set("sinceSeconds", sinceSeconds(since))
		}
	}
	return q
}

// isUnread reports whether no line of the log was delivered. The position may have lines
// of the instance before.
func (s *Source) isUnread(from *ktail.Position) bool { return from.IsZero() || s.log.earlier.only }

// startsOver reports whether nothing was delivered although the log was opened
// before. Then everything since then is wanted as well.
func (s *Source) startsOver(from *ktail.Position) bool {
	return s.isUnread(from) && s.log.opens > 0 && s.log.start == FromOptions && !s.log.earlier.wanted
}

// ageSinceOpened returns the age of the oldest line that was wanted at the first request.
func (s *Source) ageSinceOpened() time.Duration {
	if s.options.SinceTime.IsZero() {
		return s.options.Age() + s.sinceOpened()
	}
	return s.options.Age()
}

// sinceOpened returns the age of the first request. Requests state a duration,
// because the node's clock, which stamps the lines, may differ from the local
// clock.
func (s *Source) sinceOpened() time.Duration {
	return sleep.Elapsed(s.log.openedAt, time.Now()) + time.Second
}

// extendTail adds the number of lines that were written since the log was opened
// first to the number of lines that the query requests from its end.
func (s *Source) extendTail(ctx context.Context, from *ktail.Position, query url.Values) error {
	if !s.startsOver(from) || !s.options.Follow || s.options.Tail <= 0 || s.periods.start() != 0 {
		return nil
	}
	count := maps.Clone(query)
	count.Del("follow")
	count.Del("tailLines")
	count.Set("sinceSeconds", sinceSeconds(s.sinceOpened()))
	body, err := s.api.OpenLog(ctx, count)
	if err != nil {
		return err
	}
	defer body.Close() //nolint:errcheck // errors do not matter after reading
	tail := s.options.Tail
	for sc := newScanner(body, s.stream); err == nil; {
		var lines []ktail.Line
		lines, err = sc.next()
		tail += int64(len(lines))
	}
	if !errors.Is(err, io.EOF) {
		return fmt.Errorf("read log of %s: %w", s.stream, err)
	}
	query.Set("tailLines", strconv.FormatInt(tail, 10))
	return nil
}

// sinceSeconds returns the value of the parameter sinceSeconds.
func sinceSeconds(d time.Duration) string {
	return strconv.FormatInt(int64(max(d.Seconds(), 1)), 10)
}

// wantsWholeLog reports whether the log is wanted from its first line.
func (s *Source) wantsWholeLog() bool { return s.log.start != FromOptions || s.options.everything() }

// mayPrecedeFirst reports whether a response may start with lines that were
// never wanted and that the position does not distinguish from others: lines
// before the first delivered line, if that line is in the window.
func (s *Source) mayPrecedeFirst(from *ktail.Position) bool {
	return !s.wantsWholeLog() && from.Begin >= from.Start().Add(-time.Second).UnixNano()
}

// openError classifies a log request that the server rejected. If the pod no
// longer exists, its stream has ended.
func (s *Source) openError(ctx context.Context, err error, from *ktail.Position, emit func([]ktail.Line) error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var status apierrors.APIStatus
	if !s.options.Follow || !errors.As(err, &status) {
		return err
	}
	code := status.Status().Code
	if code != http.StatusNotFound && code != http.StatusBadRequest {
		return err
	}
	now, lookUpErr := s.api.Container(ctx)
	switch {
	case lookUpErr != nil:
		return err
	case now.Gone || code == http.StatusBadRequest && now.Finished:
		if err := s.emitUnterminated(from, emit); err != nil {
			return err
		}
		if now.Gone {
			return errGone
		}
		return s.end(emit, &now)
	case code == http.StatusBadRequest && now.Known:
		// "waiting to start": the container is between two instances. The
		// watcher reports the next one.
		return ktail.ErrWaiting
	}
	return err
}

// emitUnterminated emits the text after the last newline of the last response, because
// the log was removed before another response could show that the line was
// complete.
func (s *Source) emitUnterminated(from *ktail.Position, emit func([]ktail.Line) error) error {
	var c cri.Clock
	at, n := c.Parse(s.log.tail)
	l := ktail.Line{Stream: s.stream, Time: at, Text: s.log.tail[n:]}
	switch {
	case s.log.untimed && len(s.log.tail) > 0:
		l = ktail.Line{Stream: s.stream, Time: time.Now().UnixNano(), Text: s.log.tail, Untimed: true}
		if l.Mark().Digest == from.Last().Digest {
			return nil
		}
	case n == 0 || from.Replay().Seen(&l):
		return nil
	}
	return emit([]ktail.Line{l})
}
