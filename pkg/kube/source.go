package kube

import (
	"bytes"
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
	"github.com/ktail/ktail/pkg/kube/internal/corev1"
)

// LogOptions says what of a log is wanted.
type LogOptions struct {
	Follow bool
	Since  time.Duration // lines not older than this; 0: any
	Tail   int64         // that many lines from the end; negative: all
}

// source reads the log of one container through the pod log API.
//
// It is a snapshot: when the pod changes, the watcher makes another one. What
// has to survive that is in kept.
type source struct {
	client   *Client
	options  *LogOptions
	stream   *ktail.Stream
	finished bool   // the container will not run again, as far as the watcher knew
	before   string // why the instance before has ended
	kept     *kept
}

// kept is what a container's sources know of its log besides the position. The
// goroutine in Read owns it.
type kept struct {
	whole      bool      // from its first line: the container was born after the start
	alone      bool      // the instance before the first one is not wanted
	opened     bool      // once, at least
	openedAt   time.Time // first
	instance   ktail.Instance
	skipped    bool           // instances have come and gone of which nothing was read, and that was not told
	tail       []byte         // what the last read left behind the last newline
	ended      ktail.Instance // had ended when the last read ended
	endTries   int            // reads that should have been the last
	diagnostic string         // told last
	why        string         // the log has ended, or the instance that was read
	stopped    ktail.Instance // which why is about
	runs       int            // instances of the container of which the end is not news
	suspected  int64          // time of the line after which the log seemed stuck last
	behind     bool           // the instance before was looked at, just before the log was opened
}

// news reports whether the diagnostic is another one than told last: a server
// says the same to each try.
func (k *kept) news(diagnostic []byte) bool {
	if k.diagnostic == string(diagnostic) {
		return false
	}
	k.diagnostic = string(diagnostic)
	return true
}

// Stream returns the container's stream.
func (s *source) Stream() *ktail.Stream { return s.stream }

// Why returns, in a word or two, why the log has ended, when Read has returned
// nil; or why the instance of the container that was read has, when Read was
// interrupted by that, or emits nothing because the next one is read now. It is
// empty if that is not known, as without LogOptions.Follow.
func (s *source) Why() string { return s.kept.why }

// Ended returns the instance that Why is about; of one that was not read to its
// end, how often the container had been restarted by then.
func (s *source) Ended() ktail.Instance { return s.kept.stopped }

// Read reads the log from the position on. See ktail.Source.
func (s *source) Read(ctx context.Context, from ktail.Position, emit func([]ktail.Line) error) error {
	request, cancel := context.WithCancel(ctx)
	defer cancel()
	s.kept.why = ""
	emit = s.tellSkipped(emit)
	began := time.Now()
	body, err := s.client.openLog(request, s.stream.Namespace, s.stream.Pod, s.query(from))
	if err != nil {
		s.kept.behind = false
		return s.openError(ctx, err, from, emit)
	}
	defer body.Close() //nolint:errcheck // it is only read from
	resumed := s.kept.opened
	if !resumed {
		s.kept.opened, s.kept.openedAt, s.kept.instance = true, began, s.stream.Instance
		s.kept.runs = s.stream.Instance.Restarts
		s.kept.skipped = s.kept.whole && !s.kept.alone && s.stream.Instance.Restarts > 1
	}
	if err := s.announce(s.stream.Instance, s.before, emit); err != nil {
		return err
	}
	if resumed && from.IsZero() {
		// Nothing was delivered that would show, when it comes again or not,
		// whether the container is another one by now. It is looked up when the
		// log is open: before, it would not be known whose log that will be.
		if err := s.catchUpInstance(ctx, &from, emit); err != nil {
			return s.ended(err)
		}
	}
	r := newReading(s, from, emit)
	r.join = r.joinPrevious
	if from.IsZero() && s.options.Follow && (resumed || s.kept.whole && !s.kept.alone) {
		r.phase, r.join = searching, r.joinFirst
	}
	if !s.options.Follow {
		if err := r.copy(ctx, body); !errors.Is(err, io.EOF) {
			return err
		}
		if r.lost() {
			return s.endsElsewhere(ctx, r)
		}
		return r.emitTail(ctx)
	}
	if err := s.follow(ctx, r, body, cancel); !errors.Is(err, io.EOF) {
		return s.ended(err)
	}
	return s.verdict(ctx, r)
}

// endsElsewhere emits what the instance before has said last, if the log as it is
// now, without following it, shows nothing of what was delivered.
func (s *source) endsElsewhere(ctx context.Context, r *reading) error {
	joined, err := s.readPrevious(ctx, &r.from, r.emit)
	if err != nil {
		return err
	}
	if err := r.emitTail(ctx); err != nil || joined || !r.lost() {
		return err
	}
	now, err := s.lookUp(ctx)
	if err != nil || !now.finished {
		return err // a line to come will show whether others are missing
	}
	return s.gapAtEnd(r, &now)
}

// gapAtEnd says that lines may be missing at the end of a log.
func (s *source) gapAtEnd(r *reading, now *state) error {
	return r.gap(max(now.endedAt.UnixNano(), r.from.Time), "the log was rotated, or removed, when the container ended")
}

// ended turns errGone into what Read returns then.
func (s *source) ended(err error) error {
	if errors.Is(err, errGone) {
		s.kept.why = deleted
		return nil
	}
	return err
}

// query returns the parameters of the log request that resumes at the position.
func (s *source) query(from ktail.Position) url.Values {
	q := url.Values{"container": {s.stream.Container}, "timestamps": {"true"}}
	if s.options.Follow {
		q.Set("follow", "true")
	}
	switch {
	case !from.IsZero():
		q.Set("sinceTime", s.start(&from).Format(time.RFC3339))
	case s.kept.whole:
	case s.kept.opened && (s.options.Tail >= 0 || s.options.Since > 0):
		// Nothing was delivered before the connection broke: what has come since is
		// wanted whole, however many lines it is. The node's clock, which stamps the
		// lines, may be another than ours: so it is told how long that is.
		since := s.options.Since
		if s.options.Tail >= 0 {
			since = 0
		}
		elapsed := max(time.Since(s.kept.openedAt), time.Since(s.kept.openedAt.Round(0))) // if we were suspended, too
		q.Set("sinceSeconds", seconds(since+elapsed+time.Second))
	default:
		if s.options.Tail >= 0 {
			q.Set("tailLines", strconv.FormatInt(s.options.Tail, 10))
		}
		if s.options.Since > 0 {
			q.Set("sinceSeconds", seconds(s.options.Since))
		}
	}
	return q
}

// seconds is a value of sinceSeconds.
func seconds(d time.Duration) string {
	return strconv.FormatInt(int64(max(d.Seconds(), 1)), 10)
}

// start is the time since which a read that resumes asks for lines: the window of
// the position, or what of it was wanted.
func (s *source) start(from *ktail.Position) time.Time {
	start := from.Start()
	if begin := time.Unix(0, from.Begin).UTC().Truncate(time.Second).Add(-time.Second); !s.everything() && begin.After(start) {
		return begin
	}
	return start
}

// partial reports whether a replay from the position may begin with lines that
// were never wanted: they came before the first one delivered.
func (s *source) partial(from *ktail.Position) bool {
	return !s.everything() && from.Begin >= s.start(from).Add(-time.Second).UnixNano()
}

// everything reports whether the log is wanted from its first line.
func (s *source) everything() bool {
	return s.kept.whole || s.options.Tail < 0 && s.options.Since <= 0
}

// openError says what a refused log request means. A pod that is gone has ended
// its stream.
func (s *source) openError(ctx context.Context, err error, from ktail.Position, emit func([]ktail.Line) error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if s.options.Follow && apierrors.IsNotFound(err) {
		if now, lookupErr := s.lookUp(ctx); lookupErr == nil && now.gone {
			s.kept.why = now.why
			return s.emitKept(from, emit)
		}
	}
	var status apierrors.APIStatus
	if s.options.Follow && errors.As(err, &status) && status.Status().Code == http.StatusBadRequest {
		// "waiting to start": between two instances. The watcher knows when.
		if now, lookupErr := s.lookUp(ctx); lookupErr == nil && now.known {
			if now.gone || now.finished {
				s.kept.why = now.why
				return s.emitKept(from, emit)
			}
			return ktail.ErrInterrupted
		}
	}
	return readError(err, s.stream)
}

// emitKept emits what the last read left behind the last newline: the log is gone
// before another one could show that those were the last words.
func (s *source) emitKept(from ktail.Position, emit func([]ktail.Line) error) error {
	var c cri.Clock
	at, n := c.Parse(s.kept.tail)
	if n == 0 {
		return nil
	}
	l := ktail.Line{Stream: s.stream, Time: at, Text: s.kept.tail[n:]}
	if from.Replay().Seen(&l) {
		return nil
	}
	return emit([]ktail.Line{l})
}

// verdict says, after a response has ended, whether the log has.
//
// The end of a response is no proof, since it looks the same when the kubelet
// is restarted in the middle of it. An instance's log is at its end when the
// instance was known to have ended before the log was read once more, and that
// brought nothing new.
func (s *source) verdict(ctx context.Context, r *reading) error {
	if r.scanner.tail().Kind == ktail.Diagnostic {
		if err := r.emitTail(ctx); err != nil {
			return err
		}
	}
	now, err := s.lookUp(ctx)
	if err != nil {
		return err
	}
	s.kept.why = now.why
	if now.gone {
		return r.emitTail(ctx)
	}
	s.kept.why = ""
	if now.running {
		s.kept.why = s.kept.another(now.instance, now.before)
	}
	confirmed := !now.running && now.instance == s.kept.ended && !r.progress && r.sameTail(s.kept.tail)
	s.kept.tail, s.kept.ended = bytes.Clone(r.scanner.rest()), ktail.Instance{}
	if !now.running {
		s.kept.ended = now.instance
	}
	if !confirmed {
		return ktail.ErrInterrupted
	}
	s.kept.why, s.kept.stopped = now.why, now.instance
	s.kept.runs = max(s.kept.runs, now.instance.Restarts+1)
	// The last words may be among what was delivered.
	tail := r.scanner.tail()
	delivered := r.replay.Seen(&tail)
	caughtUp := r.replay.CaughtUp()
	if !caughtUp && r.lost() {
		if caughtUp, err = s.readPrevious(ctx, &r.from, r.emit); err != nil {
			return err
		}
	}
	if !caughtUp {
		// Cut short again, or rotated away since it was delivered.
		const enough = 3
		if s.kept.endTries++; s.kept.endTries < enough || !now.finished {
			return ktail.ErrInterrupted
		}
		return s.gapAtEnd(r, &now)
	}
	if !delivered {
		err = r.emitTail(ctx)
	}
	if err != nil || now.finished {
		return err
	}
	return ktail.ErrInterrupted
}

// announce emits nothing, so that whoever reads looks at Why if there is another
// instance now.
func (s *source) announce(now ktail.Instance, before string, emit func([]ktail.Line) error) error {
	s.kept.why = s.kept.another(now, before)
	defer func() { s.kept.why = "" }()
	return emit(nil)
}

// another returns why the instance before has ended, if it is news that there is
// another one now.
func (k *kept) another(now ktail.Instance, before string) string {
	if now.Restarts <= k.runs {
		return ""
	}
	k.runs, k.stopped = now.Restarts, ktail.Instance{Restarts: now.Restarts - 1}
	return before
}

// state is what is known of the container.
type state struct {
	gone     bool // the pod, or this one at least, does not exist any more
	known    bool // the container has a status
	running  bool
	finished bool   // ended, and will not run again
	why      string // it has ended
	before   string // why the instance before has
	instance ktail.Instance

	startedAt, endedAt time.Time // of the instance, as far as known
}

// lookUp asks the server for the state of the container. Where that is not
// allowed it returns what the watcher knew.
func (s *source) lookUp(ctx context.Context) (state, error) {
	pod, err := s.client.get(ctx, s.stream.Namespace, s.stream.Pod)
	switch {
	case apierrors.IsNotFound(err):
		return state{gone: true, why: deleted}, nil
	case apierrors.IsForbidden(err):
		return state{known: true, running: !s.finished, finished: s.finished, instance: s.stream.Instance}, nil
	case err != nil:
		return state{}, readError(err, s.stream)
	case podUID(pod) != s.stream.PodUID:
		return state{gone: true, why: deleted}, nil
	}
	return stateOf(pod, s.stream.Container), nil
}

func stateOf(pod *corev1.Pod, name string) state {
	for kind, statuses := range map[containerKind][]corev1.ContainerStatus{
		initContainer:      pod.Status.InitContainerStatuses,
		appContainer:       pod.Status.ContainerStatuses,
		ephemeralContainer: pod.Status.EphemeralContainerStatuses,
	} {
		for i := range statuses {
			status := &statuses[i]
			if status.Name != name {
				continue
			}
			instance, _ := served(status)
			now := state{known: true, instance: instance, running: status.State.Running != nil,
				finished: finished(pod, kind, status), before: whyBefore(pod, status, instance)}
			if running := status.State.Running; running != nil {
				now.startedAt = running.StartedAt.Time
			}
			for _, ended := range []*corev1.ContainerStateTerminated{status.State.Terminated, status.LastTerminationState.Terminated} {
				if ended != nil && ended.ContainerID == instance.ID {
					now.startedAt, now.endedAt = ended.StartedAt.Time, ended.FinishedAt.Time
					now.why = whyEnded(pod, ended)
				}
			}
			return now
		}
	}
	return state{}
}
