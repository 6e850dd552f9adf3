package podlog

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/ktail/ktail/pkg/cri"
	"github.com/ktail/ktail/pkg/ktail"
	"github.com/ktail/ktail/pkg/kube/internal/sleep"
)

// freshFor is how long after the creation of a source no other pod can have a log under
// the same name.
const freshFor = 5 * time.Second

// gone is called when the pod does not exist. If the log is not followed, nothing shows
// that it was read to its end.
func (s *Source) gone(from *ktail.Position, emit func([]ktail.Line) error) error {
	if !s.options.Follow {
		return fmt.Errorf("read log of %s: %w", s.stream, errGone)
	}
	s.log.gone = true
	if err := s.reportUnread(from, emit); err != nil {
		return err
	}
	if err := s.end(emit, &State{Reason: cri.Deleted}); err != nil {
		return err
	}
	return ktail.ErrGone
}

// reportUnread emits a gap at the end of a log that was removed although its last response
// was behind the log. A response that broke off shows nothing: a mirror pod, for example,
// does not exist for a moment while its containers run on.
func (s *Source) reportUnread(from *ktail.Position, emit func([]ktail.Line) error) error {
	l := s.log
	since := cmp.Or(l.latest, from.Last().Time)
	if !l.unproven || l.exited || since == 0 || l.complete && l.completeAt.Time == since {
		return nil
	}
	l.unproven = false
	return emit([]ktail.Line{{Stream: s.stream, Kind: ktail.Gap, Since: since, Text: []byte("the pod was deleted before its log was read to the end")}})
}

// checkPod returns errGone if the log that is open for the first time belongs to another
// pod with the same name. No line shows that. It costs a request, so it only does so if
// the pod may have been replaced while the watcher did not see it.
func (s *Source) checkPod(ctx context.Context) error {
	if s.log.opens > 1 || !s.options.Follow || s.log.requests == 1 && sleep.Elapsed(s.created, time.Now()) < freshFor {
		return nil
	}
	_, err := s.existing(ctx)
	return err
}

// existing returns the state of the container, or errGone if its pod does not exist.
func (s *Source) existing(ctx context.Context) (State, error) {
	now, err := s.api.Container(ctx)
	if err == nil && now.Gone {
		err = errGone
	}
	return now, err // the error names the request
}

// found is called when the log of a pod that did not exist is open. If the pod does exist,
// found reports that its container runs.
func (s *Source) found(ctx context.Context, emit func([]ktail.Line) error) error {
	now, err := s.existing(ctx)
	if err != nil {
		return err
	}
	s.log.gone, s.log.exited = false, false
	return emit([]ktail.Line{{Stream: s.stream, Kind: ktail.Restart, Time: unixNano(now.StartedAt)}})
}
