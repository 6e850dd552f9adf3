package kube

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/ktail/ktail/pkg/ktail"
)

// nodeFile is how far a log file of a node was read. It is followed by its bytes: the
// lines have no timestamps that identify them.
type nodeFile struct {
	begun  bool
	offset int64  // of the first byte that was not delivered
	head   []byte // first bytes, to recognize another file of the same name
	before []byte // first bytes of the file that had the name before
	latest int64  // time of the last line
	more   bool   // the last read stopped at its limit
	zipped bool   // the file is compressed, and the offset counts uncompressed bytes
}

const (
	headLength = 64
	// firstBytes is how much of a file is read at the start, counted from its end,
	// unless all of it is wanted.
	firstBytes = 1 << 20
	// maxFileRead bounds what one poll reads.
	maxFileRead = 4 << 20
)

// nextOfFile returns the lines of a file that follow what was read.
func (s *nodeLog) nextOfFile(ctx context.Context, path string, from *ktail.Position) ([]ktail.Line, error) {
	release, err := s.w.turn(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	f := &s.file
	if !f.begun {
		return s.startFile(ctx, path, from)
	}
	before := *f
	lines, err := s.readFile(ctx, path, f.offset)
	past, isPast := errors.AsType[*errPastEnd](err)
	switch {
	case isPast && past.size == f.offset:
		return nil, nil
	case err != nil && !isPast && !apierrors.IsNotFound(err):
		return nil, err
	case err == nil && len(lines) == 0 && len(f.head) > 0:
		return nil, nil
	case err == nil:
		same, err := s.isSame(ctx, path)
		if err != nil {
			*f = before
			return nil, err
		}
		if same {
			return lines, nil
		}
	}
	*f = before
	if lines, err = s.rotated(ctx, path); err != nil {
		*f = before
	}
	return lines, err
}

// isSame reports whether the file is the one that was read, and records its first bytes.
func (s *nodeLog) isSame(ctx context.Context, path string) (bool, error) {
	f := &s.file
	head, err := s.headOf(ctx, path)
	if err != nil || !bytes.HasPrefix(head, f.head) {
		return false, err
	}
	if len(f.head) < headLength { // others may begin like it; it may have been written to and renamed since
		old, err := s.headOfOld(ctx, path)
		if err != nil || f.isOld(old) {
			return false, err
		}
	}
	f.head = head
	return true, nil
}

// isOld reports whether the file that was read was renamed to the one with these first
// bytes.
func (f *nodeFile) isOld(head []byte) bool {
	if len(f.head) < headLength && (len(head) == 0 || len(f.before) > 0 && bytes.HasPrefix(head, f.before)) {
		return false // the name is still that of the file before
	}
	return bytes.HasPrefix(head, f.head)
}

// headOfOld returns the first bytes of the file to which logrotate renames the one that is
// read; nil if there is none.
func (s *nodeLog) headOfOld(ctx context.Context, path string) ([]byte, error) {
	head, err := s.headOf(ctx, path+".1")
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	return head, err
}

// startFile reads the file for the first time. If the position is that of an earlier run,
// the lines after it are recognized if all lines begin with a time.
func (s *nodeLog) startFile(ctx context.Context, path string, from *ktail.Position) ([]ktail.Line, error) {
	f, o := &s.file, &s.w.Options
	start := int64(0)
	if o.Tail >= 0 || o.Age() > 0 {
		start = -firstBytes
	}
	head, err := s.headOf(ctx, path)
	if err != nil {
		return nil, err
	}
	if isZipped(head) {
		*f = nodeFile{begun: true, zipped: true}
		return nil, nil
	}
	before, err := s.headOfOld(ctx, path)
	if err != nil {
		return nil, err
	}
	*f = nodeFile{begun: true, head: head, before: before}
	lines, err := s.readFile(ctx, path, start)
	if _, empty := errors.AsType[*errPastEnd](err); empty {
		return nil, nil
	}
	if err != nil {
		f.begun = false
		return nil, err
	}
	if after, ok := afterOverlap(from, lines); ok {
		return after, nil
	}
	if age := o.Age(); age > 0 {
		lines = linesSince(lines, time.Now().Add(-age).UnixNano())
	}
	if n := int64(len(lines)) - o.Tail; o.Tail >= 0 && n > 0 {
		lines = lines[n:]
	}
	return lines, nil
}

// linesSince returns the lines without those that are known to be older, and if there are
// such lines, without what was said about the lines before them.
func linesSince(lines []ktail.Line, since int64) []ktail.Line {
	isOlder := func(l ktail.Line) bool { return l.Kind == ktail.Log && l.Time < since }
	if slices.ContainsFunc(lines, isOlder) {
		return slices.DeleteFunc(lines, func(l ktail.Line) bool { return l.Kind != ktail.Log || isOlder(l) })
	}
	return lines
}

// readFile reads whole lines from an offset on, or the last bytes if it is negative,
// and advances the offset.
func (s *nodeLog) readFile(ctx context.Context, path string, from int64) ([]ktail.Line, error) {
	f := &s.file
	f.more = false
	reply, err := s.w.Client.openNodeLog(ctx, s.node, path, nil, from)
	if err != nil {
		return nil, err
	}
	defer reply.Close() //nolint:errcheck // errors do not matter after reading
	start := int64(0)
	switch {
	case from > 0 && !reply.partial: // a proxy has removed the range, or the file is empty
		n, err := io.CopyN(io.Discard, reply, from)
		if errors.Is(err, io.EOF) {
			return nil, &errPastEnd{n}
		}
		if err != nil {
			return nil, fmt.Errorf("read file: %w", err)
		}
		start = from
	case from > 0:
		start = from
	case from < 0 && reply.partial:
		start = max(0, reply.size+from)
	}
	body, err := io.ReadAll(io.LimitReader(reply, maxFileRead))
	if err != nil {
		return nil, fmt.Errorf("read file: %w", err)
	}
	size := len(body)
	var lines []ktail.Line
	if from < 0 && start > 0 {
		cut := nextEntry(body)
		body, start = body[cut:], start+int64(cut)
		lines = append(lines, s.diagnostic("%d KiB of the file come before this; --since 0 reads all of it", start>>10))
	}
	whole := bytes.LastIndexByte(body, '\n') + 1
	f.more = size == maxFileRead
	if f.more && whole == 0 || !f.more && !s.w.Options.Follow {
		whole = len(body) // a line that is too long to wait for, or the last one, which may stay as it is
	}
	f.offset = start + int64(whole)
	for text := range bytes.Lines(body[:whole]) {
		text = bytes.TrimSuffix(text, []byte("\n"))
		f.latest = timeOfText(text, f.latest)
		lines = append(lines, ktail.Line{Stream: s.stream, Time: f.latest, Text: text})
	}
	return lines, nil
}

// nextEntry returns the index of the first line after a newline that does not continue the
// line before it.
func nextEntry(body []byte) int {
	at := 0
	for {
		n := bytes.IndexByte(body[at:], '\n') + 1
		at += n
		if n == 0 || at == len(body) || !isContinued(body[at:]) {
			return at
		}
	}
}

// isContinued reports whether the text continues the line before it.
func isContinued(text []byte) bool { return len(text) > 0 && (text[0] == ' ' || text[0] == '\t') }

// timeOfText returns the time at the start of a text, or the present if it begins with
// none: then the line has just been written, or it is not known when.
func timeOfText(text []byte, latest int64) int64 {
	word, _, _ := bytes.Cut(text, []byte(" "))
	if t, err := time.Parse(time.RFC3339Nano, string(word)); err == nil {
		return t.UnixNano()
	}
	if latest != 0 && isContinued(text) {
		return latest
	}
	return time.Now().UnixNano()
}

var errIsDir = errors.New("it is a directory; use --file with a file in it")

// headOf returns the first bytes of the file.
func (s *nodeLog) headOf(ctx context.Context, path string) ([]byte, error) {
	reply, err := s.w.Client.openNodeLog(ctx, s.node, path, nil, 0)
	if err != nil {
		return nil, err
	}
	defer reply.Close() //nolint:errcheck // errors do not matter after reading
	if reply.isDir {
		return nil, errIsDir
	}
	head := make([]byte, headLength)
	n, err := io.ReadFull(reply, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read file: %w", err)
	}
	return head[:n], nil
}

// rotated returns the rest of the file that was read, which logrotate has renamed, and
// the beginning of the new one. If the rest is not there, it reports a gap.
func (s *nodeLog) rotated(ctx context.Context, path string) ([]ktail.Line, error) {
	f := &s.file
	latest, offset := f.latest, f.offset
	old, err := s.headOfOld(ctx, path)
	var lines []ktail.Line
	switch {
	case err != nil:
		return nil, err
	case f.isOld(old):
		lines, err = s.readFile(ctx, path+".1", offset)
		if _, isPast := errors.AsType[*errPastEnd](err); err != nil && !isPast {
			return nil, err
		}
		if err == nil && f.more {
			return lines, nil // the next read continues in the old file
		}
	case len(f.head) > 0:
		lines = append(lines, ktail.Line{Stream: s.stream, Kind: ktail.Gap, Since: latest, Text: []byte("the file was rotated")})
	}
	head, err := s.headOf(ctx, path)
	if apierrors.IsNotFound(err) && f.offset > offset {
		return lines, nil // the new file does not exist yet
	}
	if err != nil {
		return nil, err
	}
	*f = nodeFile{begun: true, head: head, before: old, latest: f.latest}
	fresh, err := s.readFile(ctx, path, 0)
	if err != nil {
		return nil, err
	}
	return append(lines, fresh...), nil
}
