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
// which counts the uncompressed bytes. Such a file does not grow. If only the last lines are
// wanted, it is read twice: they may be too long to hold all of them in memory.
func (s *nodeLog) readZipped(ctx context.Context, emit func([]ktail.Line) error) error {
	o := &s.w.Options
	since := int64(math.MinInt64)
	if age := o.Age(); age > 0 {
		since = time.Now().Add(-age).UnixNano()
	}
	before := 0 // lines before those that are wanted
	if o.Tail >= 0 {
		latest, lines := s.file.latest, 0
		err := s.unzip(ctx, since, func(z *zippedLines) (err error) {
			lines, err = z.count()
			return err
		})
		if err != nil {
			return err
		}
		s.file.latest, before = latest, lines-int(min(o.Tail, int64(lines)))
	}
	return s.unzip(ctx, since, func(z *zippedLines) error { return z.all(before, emit) })
}

// unzip requests the file and calls read with its lines from the offset on.
func (s *nodeLog) unzip(ctx context.Context, since int64, read func(*zippedLines) error) error {
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
	err = read(&zippedLines{log: s, since: since, in: bufio.NewReaderSize(z, cri.MaxText)})
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

// count reads to the end and returns the number of lines.
func (z *zippedLines) count() (lines int, err error) {
	var one []ktail.Line
	for err == nil {
		one, err = z.next(one[:0])
		lines += len(one)
	}
	if errors.Is(err, io.EOF) {
		return lines, nil
	}
	return lines, err
}

// all emits all lines but the first ones, in batches.
func (z *zippedLines) all(skip int, emit func([]ktail.Line) error) error {
	const batch = 64 << 10
	for {
		var lines []ktail.Line
		from := z.size
		var err error
		for err == nil && z.size-from < batch {
			lines, err = z.next(lines)
		}
		skipped := min(skip, len(lines))
		skip -= skipped
		if lines = lines[skipped:]; len(lines) > 0 {
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
	return lines, err // it is nil or io.EOF
}
