// Package ktail defines the words that the rest of the program speaks:
//
//	Stream    identity and metadata of one container's log
//	Line      one line of it
//	Position  where a stream was left, and what of it has been delivered
//	Source    reads one stream from a position
//	Watcher   finds the set of sources
//	Filter    keeps or drops a line
//	Renderer  turns a line into bytes
//	Sink      takes lines in their final order
//
// The ninth, the Tailer, is the engine in package tail. Technology lives in
// packages that implement these interfaces and do not know of each other.
package ktail

import (
	"context"
	"errors"
	"time"
)

// A Source reads one stream.
type Source interface {
	// Stream returns the stream that the source reads.
	Stream() *Stream

	// Read emits, in the order of the log, each line after from, and none
	// that from has been told of. It calls emit with an empty batch once it is
	// connected, and may do so later. It returns
	//
	//   - nil when the stream has ended for good and everything was emitted,
	//   - any other error when reading may be resumed: call Read again, with
	//     the position that includes what was emitted.
	//
	// The slice given to emit is the source's again when emit returns; the
	// texts of the lines are not touched any more. Read stops at once when
	// emit fails, and returns that error. It is called by one goroutine at a
	// time, any number of times.
	Read(ctx context.Context, from Position, emit func([]Line) error) error
}

// A Watcher finds the sources to read.
type Watcher interface {
	// Watch calls set with the whole current set at each change, until ctx
	// ends. Every source in it has a different stream key. Giving the same
	// Source value again says that nothing about it has changed; giving
	// another one for the same key replaces it, and has a waiting resume
	// tried at once. Calls to set do not overlap, and set does not block for
	// long. Watch returns nil when the last set is final.
	Watch(ctx context.Context, set func([]Source)) error
}

// A Sink takes lines in their final order.
type Sink interface {
	// Write returns when the lines are where the sink puts them. It may block:
	// that is how a slow reader slows down the whole program. The slice is the
	// caller's again afterwards. Calls do not overlap.
	Write(ctx context.Context, lines []Line) error

	// Close flushes and releases. Nothing is written afterwards.
	Close(ctx context.Context) error
}

// A Filter reports whether to keep the line. It must be pure: it is called by
// many goroutines.
type Filter func(*Line) bool

// A Renderer appends what is to be shown of a line, its newline included.
type Renderer interface {
	Append(dst []byte, line *Line) []byte
}

var (
	// ErrInterrupted is returned by a Source when the stream broke off, without an
	// error of its own, while its container may still write.
	ErrInterrupted = errors.New("the log stream ended while the container may still write")

	// ErrWaiting is returned by a Source when everything was emitted and nothing can
	// be written until the container runs again. The watcher then replaces the
	// source; there is no need to read it before.
	ErrWaiting = errors.New("the container waits for its next instance")
)

// A ReadError qualifies an error of Source.Read for whoever decides on going on.
type ReadError struct {
	Err        error
	Permanent  bool          // trying again will not help until somebody changes something: forbidden, not found
	RetryAfter time.Duration // how long the server asked to wait; 0 if it did not
}

// Error returns the text of the wrapped error.
func (e *ReadError) Error() string { return e.Err.Error() }

// Unwrap returns the wrapped error.
func (e *ReadError) Unwrap() error { return e.Err }
