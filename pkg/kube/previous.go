package kube

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"net/http"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/ktail/ktail/pkg/ktail"
)

// instancesGone is why lines may be missing.
const instancesGone = "written by instances of the container that are gone"

// errGone ends a read: the pod does not exist any more. The log that the server
// would serve by its name is another pod's.
var errGone = errors.New("the pod does not exist any more")

// catchUpInstance emits the log of the instance that was being read when the
// connection broke before it had written anything, if there is another instance
// now, and advances the position. Of a container that was born after the start,
// what its earlier instances have written is wanted in any case.
func (s *source) catchUpInstance(ctx context.Context, from *ktail.Position, emit func([]ktail.Line) error) error {
	now, err := s.lookUp(ctx)
	switch {
	case err != nil:
		return err
	case now.gone:
		return errGone
	case !now.known:
		return nil
	case now.instance == s.kept.instance && (!s.kept.whole || now.instance.Restarts == 0):
		return nil
	}
	if err := s.announce(now.instance, now.before, emit); err != nil {
		return err
	}
	s.kept.skip(now.instance)
	if _, err := s.readPrevious(ctx, from, emit); err != nil {
		return err
	}
	s.kept.instance = now.instance
	return nil
}

// skip takes note of instances between the one that was being read, which has not
// shown anything, and this one: the node keeps the log of one that has ended.
func (k *kept) skip(now ktail.Instance) {
	k.skipped = k.skipped || now.Restarts > k.instance.Restarts+1
}

// tellSkipped returns emit, which puts a gap before the first line if instances were
// skipped. When that began is not known.
func (s *source) tellSkipped(emit func([]ktail.Line) error) func([]ktail.Line) error {
	return func(lines []ktail.Line) error {
		if s.kept.skipped && len(lines) > 0 && lines[0].Kind == ktail.Log {
			s.kept.skipped = false
			if err := emit([]ktail.Line{{Stream: s.stream, Kind: ktail.Gap, Time: lines[0].Time, Text: []byte(instancesGone)}}); err != nil {
				return err
			}
		}
		return emit(lines)
	}
}

// joinFirst is called with the first line ever of a log, if it is not certain
// that it is the first one wanted: the container may have been restarted since it
// was last looked up, so that this is the log of the next instance already. What
// the one before has written comes first.
func (r *reading) joinFirst(ctx context.Context, _ *ktail.Line) (bool, error) {
	s := r.source
	now, err := s.lookUp(ctx)
	switch {
	case err != nil:
		return false, err
	case now.gone:
		return false, errGone
	}
	if err := s.announce(now.instance, now.before, r.emit); err != nil {
		return false, err
	}
	s.kept.skip(now.instance)
	// If no restart is known of, the log of the instance before is none of ours,
	// unless it is that of the instance which is known.
	since := int64(math.MinInt64)
	if (!s.kept.whole || s.kept.alone) && now.instance == s.kept.instance {
		since = now.startedAt.UnixNano()
	}
	_, err = s.readPrevious(ctx, &r.from, func(lines []ktail.Line) error {
		lines = slices.DeleteFunc(lines, func(l ktail.Line) bool { return l.Kind == ktail.Log && l.Time < since })
		return r.emit(lines)
	})
	if err == nil { // else it is asked for again
		s.kept.instance = now.instance
	}
	return true, err
}

// joinPrevious is called with the first line of a log that was to be resumed,
// if it does not follow what was delivered. Either the container was restarted:
// then the rest of its previous instance's log comes first. Or lines are
// missing; then that is said.
func (r *reading) joinPrevious(ctx context.Context, first *ktail.Line) (bool, error) {
	now, err := r.source.lookUp(ctx)
	if err != nil {
		return false, err
	}
	if now.gone {
		return false, errGone
	}
	if err := r.source.announce(now.instance, now.before, r.emit); err != nil {
		return false, err
	}
	joined, err := r.source.readPrevious(ctx, &r.from, r.emit)
	if err != nil || joined {
		return true, err
	}
	return true, r.gap(first.Time, "rotated away, or "+instancesGone)
}

// readPrevious emits what was not delivered yet of the log of the instance
// before the present one, and advances the position. It reports whether the
// present instance's log joins on to what was delivered now, gaps that were
// said aside.
func (s *source) readPrevious(ctx context.Context, from *ktail.Position, emit func([]ktail.Line) error) (joined bool, err error) {
	query := s.query(*from)
	query.Set("previous", "true")
	query.Del("follow")
	var tail []byte
	var size int64
	// A response may have been cut without a sign of it, even in what was delivered
	// before: it is believed when another one brings nothing new, and gets to where
	// the reading was left. Where that is in the present instance's log it cannot;
	// then both must have ended at the same byte.
	const most = 10
	for try := range most {
		r := newReading(s, *from, func(lines []ktail.Line) error {
			from.Advance(lines)
			// Words of the kubelet, such as that there is no such log, join nothing.
			joined = joined || slices.ContainsFunc(lines, func(l ktail.Line) bool { return l.Kind != ktail.Diagnostic })
			return emit(lines)
		})
		r.join = r.joinOlder
		err := s.readOnce(ctx, query, r)
		var status apierrors.APIStatus
		if errors.As(err, &status) && status.Status().Code == http.StatusBadRequest {
			return joined, nil // there is none; 404 would be of a kubelet that does not know the pod yet
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return false, err
		}
		joined = joined || r.replay.Overlap()
		if try > 0 && !r.progress && r.sameTail(tail) && (r.replay.CaughtUp() || r.scanner.total == size) {
			err := r.emitTail(ctx)
			return joined || r.replay.Overlap(), err // of the tail, too
		}
		tail, size = bytes.Clone(r.scanner.rest()), r.scanner.total
	}
	return joined, ktail.ErrInterrupted
}

// readOnce reads one response to its end.
func (s *source) readOnce(ctx context.Context, query map[string][]string, r *reading) error {
	body, err := s.client.openLog(ctx, s.stream.Namespace, s.stream.Pod, query)
	if err != nil {
		return readError(err, s.stream)
	}
	defer body.Close() //nolint:errcheck // it is only read from
	return r.copy(ctx, body)
}

// joinOlder is called with the lines of a previous instance's log that do not
// follow what was delivered. Those that are older belong to an instance whose
// log is over. If one is later, instances between were missed.
func (r *reading) joinOlder(_ context.Context, l *ktail.Line) (bool, error) {
	if l.Time <= r.from.Time {
		return false, nil
	}
	return true, r.gap(l.Time, "rotated away, or "+instancesGone)
}
