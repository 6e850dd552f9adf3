package output

import (
	"context"
	"fmt"
	"io"

	"github.com/ktail/ktail/pkg/ktail"
)

const (
	// flushSize is the number of bytes to write at once: the capacity of a pipe
	// on Linux.
	flushSize = 64 << 10
	// maxKept is the size of the largest buffer that is reused.
	maxKept = 4 * flushSize
)

var _ ktail.Sink = (*Writer)(nil)

// Writer is a Sink that renders lines and writes them to an io.Writer. When Write
// returns, all lines of the batch have been written.
type Writer struct {
	// Out receives the bytes. The caller closes it.
	Out io.Writer
	// Renderer turns the lines into bytes.
	Renderer ktail.Renderer
	// Notice is called, in order, for lines that are not log lines and for
	// lines that were cut. When it is called, everything before the line, and a
	// cut line itself, has been written. The line is valid until Notice
	// returns. Notice may be nil.
	Notice func(*ktail.Line)

	buf []byte
	err error
}

// Write writes the batch. It checks ctx only before the batch, so that a batch
// is never half written, and blocks while Out blocks. After Out has failed,
// every Write returns that error, because the output may end in the middle of a
// line.
func (w *Writer) Write(ctx context.Context, lines []ktail.Line) error {
	if w.err != nil {
		return w.err
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("write output: %w", err)
	}
	for i := range lines {
		if err := w.add(&lines[i]); err != nil {
			return err
		}
	}
	return w.flush()
}

// Close releases the buffer, which is always flushed.
func (w *Writer) Close(context.Context) error {
	w.buf = nil
	return nil
}

func (w *Writer) add(l *ktail.Line) error {
	isLog := l.Kind == ktail.Log
	if isLog || l.Kind == ktail.KubeEvent && w.rendersEvents() {
		isLog = true
		w.buf = w.Renderer.Append(w.buf, l)
	}
	notify := w.Notice != nil && (!isLog || l.Cut)
	if notify || len(w.buf) >= flushSize {
		if err := w.flush(); err != nil {
			return err
		}
	}
	if notify {
		w.Notice(l)
	}
	return nil
}

// rendersEvents reports whether the renderer has a form for Kubernetes events. Other
// renderers are for the lines of logs, and events are notices.
func (w *Writer) rendersEvents() bool {
	_, ok := w.Renderer.(*JSON)
	return ok
}

// flush writes the buffer and empties it.
func (w *Writer) flush() error {
	if len(w.buf) == 0 {
		return nil
	}
	n, err := w.Out.Write(w.buf)
	if err == nil && n < len(w.buf) {
		err = io.ErrShortWrite
	}
	if err != nil {
		w.err = fmt.Errorf("write output: %w", err)
		w.buf = nil
		return w.err
	}
	if cap(w.buf) > maxKept {
		w.buf = nil
	}
	w.buf = w.buf[:0]
	return nil
}
