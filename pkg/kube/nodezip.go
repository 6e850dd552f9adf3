package kube

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/ktail/ktail/pkg/cri"
	"github.com/ktail/ktail/pkg/ktail"
)

// isZipped reports whether a file with these first bytes is compressed.
func isZipped(head []byte) bool { return bytes.HasPrefix(head, []byte{0x1f, 0x8b}) }

// readZipped emits the lines of a compressed file, such as syslog.2.gz, from its offset on,
// which counts the uncompressed bytes. Such a file does not grow.
func (s *nodeLog) readZipped(ctx context.Context, emit func([]ktail.Line) error) error {
	release, err := s.w.turn(ctx)
	if err != nil {
		return err
	}
	reply, err := s.w.Client.openNodeLog(ctx, s.node, s.name, nil, 0)
	release()
	if err != nil {
		return s.readError(err)
	}
	defer reply.Close() //nolint:errcheck // errors do not matter after reading
	z, err := gzip.NewReader(reply)
	if err == nil {
		_, err = io.CopyN(io.Discard, z, s.file.offset)
	}
	if err != nil {
		return s.readError(fmt.Errorf("unzip file: %w", err))
	}
	lines := &zippedLines{log: s, since: int64(math.MinInt64), in: bufio.NewReaderSize(z, cri.MaxText)}
	if age := s.w.Options.Age(); age > 0 {
		lines.since = time.Now().Add(-age).UnixNano()
	}
	if s.w.Options.Tail >= 0 {
		err = lines.last(int(s.w.Options.Tail), emit)
	} else {
		err = lines.all(emit)
	}
	if damage, ok := errors.AsType[*unzipError](err); ok && ctx.Err() == nil {
		return s.readError(damage)
	}
	return err
}

// zippedLines reads lines of a compressed file.
type zippedLines struct {
	log   *nodeLog
	in    *bufio.Reader
	since int64 // Unix nanoseconds; older lines are left out
	size  int64 // bytes read
}

// unzipError says that the rest of the file could not be read.
type unzipError struct{ err error }

func (e *unzipError) Error() string { return "unzip file: " + e.err.Error() }
func (e *unzipError) Unwrap() error { return e.err }

// all emits all lines, in batches.
func (z *zippedLines) all(emit func([]ktail.Line) error) error {
	const batch = 64 << 10
	for {
		var lines []ktail.Line
		from := z.size
		var err error
		for err == nil && z.size-from < batch {
			lines, err = z.next(lines)
		}
		if len(lines) > 0 {
			if err := emit(lines); err != nil {
				return err
			}
		}
		z.log.file.offset += z.size - from
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// last emits the last n lines.
func (z *zippedLines) last(n int, emit func([]ktail.Line) error) error {
	var lines []ktail.Line
	for {
		var err error
		lines, err = z.next(lines)
		if len(lines) > 2*n { // moving them for each line would take long
			lines = append(lines[:0], lines[len(lines)-n:]...)
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
	}
	z.log.file.offset += z.size
	if lines = lines[max(0, len(lines)-n):]; len(lines) == 0 {
		return nil
	}
	return emit(lines)
}

// next appends the next line. It returns io.EOF at the end.
func (z *zippedLines) next(lines []ktail.Line) ([]ktail.Line, error) {
	text, err := z.in.ReadSlice('\n')
	size := len(text)
	line := ktail.Line{Stream: z.log.stream, Text: bytes.Clone(bytes.TrimSuffix(text, []byte("\n"))), Cut: errors.Is(err, bufio.ErrBufferFull)}
	for errors.Is(err, bufio.ErrBufferFull) {
		text, err = z.in.ReadSlice('\n')
		size += len(text)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return lines, &unzipError{err} // the line is read again
	}
	z.size += int64(size)
	if err != nil && len(line.Text) == 0 {
		return lines, io.EOF
	}
	f := &z.log.file
	f.latest = timeOfText(line.Text, f.latest)
	if line.Time = f.latest; line.Time >= z.since {
		lines = append(lines, line)
	}
	return lines, err //nolint:wrapcheck // it is nil or io.EOF
}
