package podlog

import (
	"bytes"
	"context"
	"slices"

	"github.com/ktail/ktail/pkg/ktail"
)

// earlier is the state that Options.Previous adds to a Log.
type earlier struct {
	wanted bool // the log of the previous instance is still to be read
	only   bool // no line of another instance was delivered, so the options still apply to the log
}

// decideEarlier decides, when the log is opened for the first time, whether to
// emit the log of the previous instance first. It does not if the log continues
// at a position of an earlier run, or if the container was created after ktail
// started.
func (s *Source) decideEarlier(from *ktail.Position) {
	s.log.earlier.wanted = s.options.Previous && from.IsZero() && s.log.start == FromOptions && s.periods == nil
}

// readEarlier emits the log of the previous instance, followed by its exit and
// the restart. It advances the position.
//
// The current log is already open. If the container was restarted since, the
// open log is now the previous one, whose lines are then recognized by the
// position.
func (s *Source) readEarlier(ctx context.Context, from *ktail.Position, emit func([]ktail.Line) error) error {
	l := s.log
	_, err := s.readPrevious(ctx, from, func(lines []ktail.Line) error {
		return emitAny(emit, slices.DeleteFunc(lines, isNoLog))
	})
	if err != nil {
		return err
	}
	l.earlier.wanted = false
	if from.IsZero() {
		return nil
	}
	l.expect, l.earlier.only = followsOn, true
	now, err := s.api.Container(ctx)
	if err != nil {
		return err
	}
	if now.Before == "" || now.Instance.Restarts > l.reading.Restarts {
		return nil // during back-off, the previous instance is the current one
	}
	return emit([]ktail.Line{
		{Stream: s.stream, Kind: ktail.Exit, Text: []byte(now.Before)},
		{Stream: s.stream, Kind: ktail.Restart, Time: unixNano(now.StartedAt)},
	})
}

// isNoLog reports whether the line is the kubelet's message that the log of the
// previous instance no longer exists.
func isNoLog(l ktail.Line) bool {
	return l.Kind == ktail.Diagnostic && bytes.HasPrefix(l.Text, []byte("unable to retrieve container logs"))
}
