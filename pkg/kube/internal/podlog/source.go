package podlog

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/ktail/ktail/pkg/cri"
	"github.com/ktail/ktail/pkg/ktail"
)

// Source reads the log of a container. It implements ktail.Source.
type Source struct {
	api     API
	options *Options
	stream  *ktail.Stream
	log     *Log
	span    *Span
}

// NewSource returns a source of the log. The stream describes the container at
// present, as far as the caller knows; sources of the same log share what they
// know by log. Only lines of the span are wanted; nil: all.
func NewSource(api API, options *Options, stream *ktail.Stream, log *Log, span *Span) *Source {
	return &Source{api: api, options: options, stream: stream, log: log, span: span}
}

// Log returns the log that the source reads.
func (s *Source) Log() *Log { return s.log }

// Stream returns the container's stream.
func (s *Source) Stream() *ktail.Stream { return s.stream }

var (
	// errGone ends a read: the pod does not exist any more. The log that the server
	// would serve by its name is another pod's.
	errGone = errors.New("the pod does not exist any more")
	// errTooShort ends a response that does not reach back to the position.
	errTooShort = errors.New("the response begins after the position")
	// errReopen ends a response: how the next one has to be read is known now.
	errReopen = errors.New("the log has to be read once more")
)

// Read reads the log from the position on. See ktail.Source.
func (s *Source) Read(ctx context.Context, from ktail.Position, emit func([]ktail.Line) error) error {
	return s.readSpan(ctx, from, emit)
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
			return s.end(emit, &State{Reason: deleted})
		default:
			return err
		}
	}
}

// deleted is why a log has ended whose pod is gone.
const deleted = "deleted"

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
		s.log.restarted() // expected was the log of an instance that is gone
	}
	began := time.Now()
	tail := s.tailLines(from)
	query := s.query(from, tail)
	body, err := s.api.OpenLog(request, query)
	if err != nil {
		s.log.lookedBehind = false
		return s.openError(ctx, err, from, emit)
	}
	defer body.Close() //nolint:errcheck // it is only read from
	if err := s.connected(ctx, began, from, emit); err != nil {
		return err
	}
	r := newResponse(s, from, emit)
	r.tail, r.sinceAsked = tail >= 0, query.Has("sinceSeconds") || query.Has("sinceTime")
	if s.log.expect == fresh {
		r.phase = allNew
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

// connected says that the log is open, and emits what comes before its first line.
func (s *Source) connected(ctx context.Context, began time.Time, from *ktail.Position, emit func([]ktail.Line) error) error {
	l := s.log
	l.opens++
	if l.opens == 1 {
		l.openedAt = began
		l.first(s.stream.Instance, l.start == FromFirst)
	}
	if err := emit(nil); err != nil {
		return err
	}
	if l.exited && s.stream.Instance.Restarts > l.announced {
		// The end of the instance before was confirmed: this is the next one.
		now := State{Instance: ktail.Instance{Restarts: l.announced + 1}}
		if err := emit(l.next(s.stream, &now)); err != nil {
			return err
		}
	}
	if l.opens == 1 || !from.IsZero() {
		return nil
	}
	// Nothing was delivered that would show, when it comes again or not, whether
	// the container is another instance by now. It is looked up when the log is
	// open: before, it would not be known whose log that will be.
	return s.catchUp(ctx, from, emit)
}

// tailLines returns how many lines from its end are asked of the log to resume at
// the position; negative: all, or what the options say.
func (s *Source) tailLines(from *ktail.Position) int64 {
	if from.IsZero() {
		return -1
	}
	return s.log.tailLines(from, s.isRestarted() || s.wantsWholeLog() && !from.Full())
}

// isRestarted reports whether the container is another instance than the one that
// was being read, as far as the watcher knows.
func (s *Source) isRestarted() bool {
	return s.log.opens > 0 && s.stream.Instance.Restarts > s.log.reading.Restarts
}

// query returns the parameters of the log request that resumes at the position.
func (s *Source) query(from *ktail.Position, tail int64) url.Values {
	q := url.Values{"container": {s.stream.Container}, "timestamps": {"true"}}
	if s.options.Follow {
		q.Set("follow", "true")
	}
	switch {
	case tail >= 0:
		q.Set("tailLines", strconv.FormatInt(tail, 10))
	case !from.IsZero():
	case s.span != nil && s.span.Since != 0:
		q.Set("sinceTime", time.Unix(0, s.span.Since).UTC().Format(time.RFC3339))
	case s.log.start != FromOptions:
	case s.log.opens > 0 && (s.options.Tail >= 0 || s.options.Since > 0):
		// Nothing was delivered before the connection broke: what has come since is
		// wanted whole, however many lines it is. The node's clock, which stamps the
		// lines, may be another than ours, so the request gives a duration.
		since := s.options.Since
		if s.options.Tail >= 0 {
			since = 0
		}
		elapsed := max(time.Since(s.log.openedAt), time.Since(s.log.openedAt.Round(0))) // if we were suspended, too
		q.Set("sinceSeconds", sinceSeconds(since+elapsed+time.Second))
	default:
		if s.options.Tail >= 0 {
			q.Set("tailLines", strconv.FormatInt(s.options.Tail, 10))
		}
		if s.options.Since > 0 {
			q.Set("sinceSeconds", sinceSeconds(s.options.Since))
		}
	}
	return q
}

// sinceSeconds is a value of the parameter of that name.
func sinceSeconds(d time.Duration) string {
	return strconv.FormatInt(int64(max(d.Seconds(), 1)), 10)
}

// wantsWholeLog reports whether the log is wanted from its first line.
func (s *Source) wantsWholeLog() bool { return s.log.start != FromOptions || s.options.everything() }

// mayPrecedeFirst reports whether a response may begin with lines that were never
// wanted, which the position cannot tell from others: they came before the first
// line delivered, and that is in the window.
func (s *Source) mayPrecedeFirst(from *ktail.Position) bool {
	return !s.wantsWholeLog() && from.Begin >= from.Start().Add(-time.Second).UnixNano()
}

// openError says what a refused log request means. A pod that is gone has ended
// its stream.
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
		if err := s.emitKept(from, emit); err != nil {
			return err
		}
		return s.end(emit, &now)
	case code == http.StatusBadRequest && now.Known:
		// "waiting to start": between two instances. The watcher reports the next one.
		return ktail.ErrWaiting
	}
	return err
}

// emitKept emits what the last response left behind the last newline: the log is
// gone before another one could show that those were the last words.
func (s *Source) emitKept(from *ktail.Position, emit func([]ktail.Line) error) error {
	var c cri.Clock
	at, n := c.Parse(s.log.tail)
	if n == 0 {
		return nil
	}
	l := ktail.Line{Stream: s.stream, Time: at, Text: s.log.tail[n:]}
	if from.Replay().Seen(&l) {
		return nil
	}
	return emit([]ktail.Line{l})
}
