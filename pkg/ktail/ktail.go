// Package ktail defines the terms that all other packages use:
//
//	Stream    identity and metadata of one container's log
//	Line      one line of it
//	Position  how far a stream was delivered, and which recent lines that includes
//	Source    reads one stream from a position
//	Watcher   finds the set of sources
//	Filter    keeps or drops a line
//	Renderer  turns a line into bytes
//	Sink      takes lines in their final order
//
// The ninth term, the Tailer, is the engine in package tail. Technology lives
// in packages that implement these interfaces and do not import each other.
package ktail

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// A Source reads one stream.
type Source interface {
	// Stream returns the stream that the source reads.
	Stream() *Stream

	// Read emits, in the order of the log, each line after from that from does
	// not record as delivered. It calls emit with an empty batch once it is
	// connected, and may do so again later. It returns
	//
	//   - nil when the stream has ended for good and everything was emitted,
	//   - any other error when reading can be resumed: call Read again with the
	//     position that includes the emitted lines.
	//
	// When emit returns, the source may reuse the slice, but not the texts of the
	// lines. If emit fails, Read stops immediately and returns that error. Read is
	// called any number of times, by one goroutine at a time.
	Read(ctx context.Context, from Position, emit func([]Line) error) error
}

// A Watcher finds the sources to read.
type Watcher interface {
	// Watch calls set with the complete current set after each change, until ctx
	// ends. Each source in the set has a different stream key. The same Source
	// value means that nothing about it has changed; a different value for the same
	// key replaces it, and makes a stream that is waiting to resume try again
	// immediately. Calls of set do not overlap, and set does not block for long.
	// Watch returns nil when the last set is final.
	Watch(ctx context.Context, set func([]Source)) error
}

// A Sink takes lines in their final order.
type Sink interface {
	// Write returns once the lines are where the sink puts them. It may block;
	// this is how a slow reader slows down the whole program. Once Write has
	// returned, the caller may reuse the slice. Calls do not overlap.
	Write(ctx context.Context, lines []Line) error

	// Close flushes and releases resources. Write is not called afterwards.
	Close(ctx context.Context) error
}

// A Filter reports whether to keep the line. It must be a pure function,
// because many goroutines call it.
type Filter func(*Line) bool

// A Renderer appends the bytes of a line, including its newline.
type Renderer interface {
	Append(dst []byte, line *Line) []byte
}

var (
	// ErrInterrupted is returned by a Source when the stream ended without an
	// error while its container may still write.
	ErrInterrupted = errors.New("the log stream ended while the container may still write")

	// ErrUnconfirmed is an ErrInterrupted: nothing broke off, but a source that is read
	// once cannot tell whether the log ends there, because it is written all the time.
	ErrUnconfirmed = fmt.Errorf("%w: its end is not confirmed", ErrInterrupted)

	// ErrWaiting is returned by a Source when everything was emitted and
	// nothing more can be written until the container runs again. The watcher
	// then replaces the source, so there is no need to read this one again
	// before that.
	ErrWaiting = errors.New("the container waits for its next instance")

	// ErrGone is returned by a Source when everything was emitted because the object
	// that has the log does not exist. The stream ends when it leaves the watcher's set.
	// If it stays there, the object may exist after all: it was created again in the
	// meantime, or a server on the way to the API does not know it.
	ErrGone = errors.New("the pod no longer exists")
)

// A ReadError says when to retry after an error of Source.Read.
type ReadError struct {
	Err        error
	Permanent  bool          // retrying fails until a permission or an object changes: forbidden, not found
	RetryAfter time.Duration // how long the server asked to wait; 0 if it did not ask
	// Shared is set if the error concerns all streams of the server, which retry together:
	// RetryAfter is when a retry may succeed, and there is no need to wait longer.
	Shared bool
}

// Error returns the text of the wrapped error.
func (e *ReadError) Error() string { return e.Err.Error() }

// Unwrap returns the wrapped error.
func (e *ReadError) Unwrap() error { return e.Err }
