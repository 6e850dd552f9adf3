package podlog

import (
	"fmt"
	"time"

	"github.com/ktail/ktail/pkg/ktail"
)

// unavailableFor is how long the log of an instance that has ended may be unavailable
// before it counts as removed. The kubelet answers with the same text if the
// log was removed and if the container runtime is being restarted.
const unavailableFor = 10 * time.Second

// isUnavailable reports whether the response has only a message of the kubelet
// in place of the log.
func (r *response) isUnavailable() bool {
	return !r.any && (r.refused || isKubeletText(r.scanner.rest()))
}

// whyUnavailable returns an error with the kubelet's message, which it sent in place of the
// log. It returns nil if the log has been removed: the container has ended, and its log has
// been unavailable for a while.
func (s *Source) whyUnavailable(now *State) error {
	l := s.log
	if l.unavailable.IsZero() {
		l.unavailable = time.Now()
	}
	if !now.Running && time.Since(l.unavailable) >= unavailableFor {
		return nil
	}
	if s.options.Follow {
		return ktail.ErrInterrupted // the message was emitted
	}
	return fmt.Errorf("read log of %s: %s", s.stream, l.diagnostic)
}
