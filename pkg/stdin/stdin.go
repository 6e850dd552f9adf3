// Package stdin reads lines from an io.Reader: one stream without a pod.
package stdin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/ktail/ktail/pkg/ktail"
)

const (
	// chunkSize is the number of bytes to read at once: the capacity of a pipe
	// on Linux.
	chunkSize = 64 << 10
	// minRead is the least free space for a read in a chunk that holds lines.
	minRead = 4 << 10
	// maxLine is the number of bytes of a line to keep.
	maxLine = 1 << 20
)

// Watcher finds one source: In, which is read once, to its end.
type Watcher struct{ In io.Reader }

// Watch implements ktail.Watcher.
func (w *Watcher) Watch(_ context.Context, set func([]ktail.Source)) error {
	set([]ktail.Source{&source{in: w.In}})
	return nil
}

type source struct {
	in     io.Reader
	stream ktail.Stream
}

// Stream implements ktail.Source.
func (s *source) Stream() *ktail.Stream { return &s.stream }

// chunk is the result of one call of Read.
type chunk struct {
	data []byte
	err  error
}

// Read implements ktail.Source. The time of a line is its time of arrival. Data
// that was read cannot be read again, so every error is permanent.
//
// A read cannot be interrupted. When ctx ends, the goroutine that waits for it
// remains until the reader returns or the process ends.
func (s *source) Read(ctx context.Context, _ ktail.Position, emit func([]ktail.Line) error) error {
	chunks := make(chan chunk) // never closed: the last chunk has an error
	go func() {
		var buf []byte // lines are slices of it; small reads share one
		for {
			if len(buf) < minRead {
				buf = make([]byte, chunkSize)
			}
			n, err := s.in.Read(buf)
			select {
			case chunks <- chunk{buf[:n:n], err}:
			case <-ctx.Done():
				return
			}
			buf = buf[n:]
			if err != nil {
				return
			}
		}
	}()
	if err := emit(nil); err != nil {
		return err
	}
	split := splitter{stream: &s.stream}
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case c := <-chunks:
			lines := split.add(c.data, time.Now().UnixNano())
			if c.err != nil {
				lines = split.end(lines)
			}
			if err := emit(lines); err != nil {
				return err
			}
			switch {
			case errors.Is(c.err, io.EOF):
				return nil
			case c.err != nil:
				return &ktail.ReadError{Err: fmt.Errorf("read stdin: %w", c.err), Permanent: true}
			}
		}
	}
}
