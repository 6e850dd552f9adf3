package output

import (
	"context"
	"fmt"
	"io"

	"github.com/ktail/ktail/pkg/ktail"
)

const (
	// flushSize is how much is written at once while lines are plenty: as much
	// as a pipe holds on Linux.
	flushSize = 64 << 10
	// maxKept is how large a buffer may be to be used again.
	maxKept = 4 * flushSize
)

var _ ktail.Sink = (*Writer)(nil)

// Writer is a Sink that renders lines and writes them to an io.Writer. It
// holds nothing back: when Write returns, all lines of the batch are out.
type Writer struct {
	// Out is where the bytes go. It belongs to the caller, who closes it.
	Out io.Writer
	// Renderer turns the lines into bytes.
	Renderer ktail.Renderer
	// Notice is told of what is no line of a log, and of lines that were cut,
	// in their place among the lines: everything before has been written, the
	// cut line too. The line is valid until Notice returns. It may be nil.
	Notice func(*ktail.Line)

	buf []byte
	err error
}

// Write writes the batch. It looks at ctx before it begins, so that a batch is
// not left half written because somebody lost patience; when Out blocks, so
// does Write. After Out has failed, every Write returns that error: nobody
// knows where in a line the output ended.
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

// Close releases the buffer. There is nothing left to flush.
func (w *Writer) Close(context.Context) error {
	w.buf = nil
	return nil
}

func (w *Writer) add(l *ktail.Line) error {
	isLog := l.Kind == ktail.Log
	if isLog {
		w.buf = w.Renderer.Append(w.buf, l)
	}
	tell := w.Notice != nil && (!isLog || l.Cut)
	if tell || len(w.buf) >= flushSize {
		if err := w.flush(); err != nil {
			return err
		}
	}
	if tell {
		w.Notice(l)
	}
	return nil
}

// flush writes what is in the buffer, and empties it.
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
