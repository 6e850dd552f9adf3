package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"
)

// errReaderGone is the cause of a context that ended because the reader of
// stdout has exited.
var errReaderGone = errors.New("the reader of the output has exited")

// untilReaderGone returns a context that ends when the reader of the output has
// exited: `ktail web | grep -m1 x` ends with the first match, even if no
// further line is written.
func untilReaderGone(ctx context.Context, s streams) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	if s.AwaitOutClosed != nil {
		go func() {
			if s.AwaitOutClosed(ctx) {
				cancel(errReaderGone)
			}
		}()
	}
	return ctx, func() { cancel(nil) }
}

const (
	// shutdownGrace is how long writes to stdout may block after the end of the
	// run.
	shutdownGrace = 10 * time.Second
	// messageGrace is how long writes to stderr may.
	messageGrace = 2 * time.Second
)

// interruptibleWriter is a writer whose writes fail if they block for longer
// than a limit, in total, after ctx has ended, because a reader that has stopped
// reading must not keep ktail from ending. A write to a pipe cannot be
// interrupted, so a goroutine performs it, and stays behind in that case; later
// writes fail at once. Calls must not overlap.
type interruptibleWriter struct {
	ctx    context.Context // ends with the run; io.Writer has no context parameter
	out    io.Writer
	limit  time.Duration
	left   time.Duration // of limit
	writes chan []byte
	done   chan writeResult
	stuck  error // not nil: the goroutine stays behind
}

type writeResult struct {
	n   int
	err error
}

// startInterruptibleWriter starts a goroutine that writes to out, until close.
func startInterruptibleWriter(ctx context.Context, out io.Writer, limit time.Duration) *interruptibleWriter {
	w := &interruptibleWriter{ctx: ctx, out: out, limit: limit, left: limit, writes: make(chan []byte), done: make(chan writeResult, 1)}
	go func() {
		for b := range w.writes {
			n, err := w.out.Write(b)
			w.done <- writeResult{n, err}
		}
	}()
	return w
}

// Write implements io.Writer. After a timeout, the slice belongs to the
// goroutine that is still writing it.
func (w *interruptibleWriter) Write(b []byte) (int, error) {
	if w.stuck != nil {
		return 0, w.stuck
	}
	w.writes <- b
	select {
	case r := <-w.done:
		return r.n, r.err
	case <-w.ctx.Done():
	}
	began := time.Now()
	grace := time.NewTimer(w.left)
	defer grace.Stop()
	select {
	case r := <-w.done:
		w.left -= time.Since(began)
		return r.n, r.err
	case <-grace.C:
		w.stuck = fmt.Errorf("the reader has not read for %v; the last lines are missing", w.limit)
		return 0, w.stuck
	}
}

// close ends the goroutine. Write must not be called afterwards.
func (w *interruptibleWriter) close() { close(w.writes) }

// messageWriter writes messages to stderr like an interruptibleWriter. Calls may overlap,
// and the caller may reuse the slice.
type messageWriter struct {
	out io.Writer

	mu    sync.Mutex
	write *interruptibleWriter
}

// startMessageWriter starts a goroutine that writes to out.
func startMessageWriter(ctx context.Context, out io.Writer) *messageWriter {
	return &messageWriter{out: out, write: startInterruptibleWriter(ctx, out, messageGrace)}
}

// Write implements io.Writer.
func (w *messageWriter) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.write.Write(bytes.Clone(b))
}

// withoutGrace returns what a messageWriter writes to, for a child process.
func withoutGrace(out io.Writer) io.Writer {
	if w, ok := out.(*messageWriter); ok {
		return w.out
	}
	return out
}
