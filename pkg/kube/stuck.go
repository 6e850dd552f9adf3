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
// busy log that falls silent just after it was opened again. So such a log is
// opened once more.
const (
	busyLines   = 100              // in the window of a position: such a log is rotated often
	stuckWithin = 10 * time.Second // of its opening
	stuckAfter  = time.Second      // of silence
)

// suspicious reports whether a log that is resumed from the position would be
// stuck if it fell silent now. It is asked once for each position.
func (s *source) suspicious(from *ktail.Position) bool {
	if !s.options.Follow || from.Recent() < busyLines || s.kept.suspected == from.Time {
		return false
	}
	s.kept.suspected = from.Time
	return true
}

// stuckBody ends, as if the server had ended it, when nothing comes for stuckAfter
// within stuckWithin of its opening.
type stuckBody struct {
	io.Reader
	cancel context.CancelFunc // of the request
	opened time.Time
	cut    atomic.Bool
}

// Read implements io.Reader.
func (b *stuckBody) Read(p []byte) (int, error) {
	if time.Since(b.opened) > stuckWithin {
		return b.Reader.Read(p)
	}
	timer := time.AfterFunc(stuckAfter, func() {
		b.cut.Store(true)
		b.cancel()
	})
	n, err := b.Reader.Read(p)
	timer.Stop()
	if err != nil && b.cut.Load() {
		err = io.EOF
	}
	return n, err
}
