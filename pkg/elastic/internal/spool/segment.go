package spool

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

const (
	// segmentSize is the size at which a segment is sealed.
	segmentSize = 16 << 20

	segmentSuffix = ".spool"
	damagedSuffix = ".damaged"

	// A segment that cannot be read is read again after firstRetry, then after
	// twice that, up to maxRetry.
	firstRetry = time.Second
	maxRetry   = time.Minute
)

// segment is one file of a spool. It is not open between two reads.
type segment struct {
	path   string
	lane   Lane
	sealed bool  // nothing is appended anymore
	footer bool  // it has one: end and docs are what was written
	size   int64 // of the file
	end    int64 // of its frames
	read   int64 // offset of the first frame that was not taken yet
	docs   int   // in frames that were not taken yet; 0 if unknown

	written int // documents in all frames, if this run has written them

	taken     int // frames taken and not acknowledged yet
	takenDocs int // documents in them

	lostDocs  int // in damaged frames
	lostBytes int64
	reported  bool // that there are damaged frames

	retry   time.Duration // delay after the last read error; 0 if there was none
	retryAt time.Time
}

// loaded is what loadSegment found in a file.
type loaded uint8

const (
	loadedSegment  loaded = iota
	loadedNothing         // the power failed before anything was stored in it
	loadedPrevious        // a segment of version 1
)

// loadSegment reads how many documents a segment holds. Of one with a footer it
// reads 40 bytes; of one without, which was not sealed, the headers of its frames.
func loadSegment(fs FS, path string) (*segment, loaded, error) {
	f, err := fs.OpenFile(path, os.O_RDONLY)
	if err != nil {
		return nil, 0, err
	}
	defer f.Close() //nolint:errcheck // it is only read from
	g := &segment{path: path, sealed: true, read: int64(fileHeader)}
	if g.size, err = f.Size(); err != nil {
		return nil, 0, err
	}
	found, err := g.checkHeader(f)
	if err != nil || found != loadedSegment {
		return nil, found, err
	}
	var b [footerSize]byte
	if g.size >= int64(fileHeader)+footerSize {
		if err := readFull(f, b[:], g.size-footerSize); err != nil {
			return nil, 0, fmt.Errorf("read %s: %w", path, err)
		}
		if g.docs, g.end, g.footer = parseFooter(b[:], g.size); g.footer {
			return g, loadedSegment, nil
		}
	}
	g.docs, g.end = 0, g.size
	return g, loadedSegment, g.scan(f)
}

// checkHeader reports what the file is. It fails for one that another version of
// ktail has written.
func (g *segment) checkHeader(f File) (loaded, error) {
	head := make([]byte, min(g.size, int64(fileHeader)))
	if err := readFull(f, head, 0); err != nil {
		return 0, fmt.Errorf("read %s: %w", g.path, err)
	}
	v, ok := parseFileHeader(head)
	switch {
	case ok && v == version:
		return loadedSegment, nil
	case ok:
		return 0, fmt.Errorf("%w: %s has version %d, this ktail knows version %d", ErrVersion, g.path, v, version)
	case bytes.HasPrefix(head, []byte(previousMagic)):
		return loadedPrevious, nil
	}
	// The frames after a damaged header may be intact.
	next, err := nextFrame(f, int64(fileHeader), g.size)
	switch {
	case err != nil:
		return 0, fmt.Errorf("read %s: %w", g.path, err)
	case next < g.size:
		return loadedSegment, nil
	}
	// Nothing counts as stored before the header is synced. Until then, the file may
	// contain a part of the header.
	zero, err := isZero(f, int64(len(head)), g.size)
	if err != nil {
		return 0, fmt.Errorf("read %s: %w", g.path, err)
	}
	if zero && bytes.HasPrefix(appendFileHeader(nil), bytes.TrimRight(head, "\x00")) {
		return loadedNothing, nil
	}
	return 0, fmt.Errorf("%w: %s is not a segment that this ktail knows", ErrVersion, g.path)
}

// scan counts the documents of a segment without a footer.
func (g *segment) scan(f File) error {
	for at := g.read; at < g.end; {
		h, err := headerAt(f, at, g.end)
		if errors.Is(err, errDamaged) {
			if at, err = nextFrame(f, at+1, g.end); err == nil {
				continue
			}
		}
		if err != nil {
			return fmt.Errorf("read %s: %w", g.path, err)
		}
		g.docs += h.docs
		at += h.size()
	}
	return nil
}

// next returns the next intact frame, or nil at the end of the segment. Frames
// that are damaged are counted and skipped. Any other error leaves the segment as
// it was, so that it can be read again.
func (g *segment) next(r io.ReaderAt) (*Entry, error) {
	for g.read < g.end {
		h, err := headerAt(r, g.read, g.end)
		if err == nil {
			var e *Entry
			if e, err = payloadAt(r, &h, g.read); err == nil {
				g.read += h.size()
				g.docs -= h.docs
				return e, nil
			}
			if errors.Is(err, errDamaged) {
				g.lose(h.size(), h.docs)
				continue
			}
		}
		if !errors.Is(err, errDamaged) {
			return nil, err
		}
		next, err := nextFrame(r, g.read+1, g.end)
		if err != nil {
			return nil, err
		}
		if next == g.end && !g.footer {
			torn, err := g.torn(r)
			if err != nil {
				return nil, err
			}
			if torn {
				g.read = g.end
				continue
			}
		}
		g.lose(next-g.read, 0)
	}
	if g.footer && g.docs > 0 {
		g.lostDocs += g.docs // in frames whose headers are damaged
	}
	g.docs = 0
	return nil, nil
}

// readable reports whether next has an entry to return or damage to report.
func (g *segment) readable() bool { return g.read < g.end || g.lostBytes > 0 && !g.reported }

// lose skips damaged bytes. docs is the number of documents in them, or 0 if
// unknown.
func (g *segment) lose(bytes int64, docs int) {
	g.read += bytes
	g.docs -= docs
	g.lostBytes += bytes
	g.lostDocs += docs
	g.reported = false
}

// torn reports whether the rest of a segment is an interrupted write: Put has not
// returned for it, so its entry does not count as stored.
func (g *segment) torn(r io.ReaderAt) (bool, error) {
	left := g.end - g.read
	if left <= frameHeader {
		return true, nil // no frame is as short; maybe a part of a footer
	}
	var b [frameHeader]byte
	if err := readFull(r, b[:], g.read); err != nil && !errors.Is(err, errDamaged) {
		return false, err
	}
	if f, ok := parseFrame(b[:], g.read); ok && f.size() > left {
		return true, nil
	}
	return isZero(r, g.read, g.end)
}

// isZero reports whether there are only zeros, which some file systems return for
// content that was not written before a power failure.
func isZero(r io.ReaderAt, offset, end int64) (bool, error) {
	b := make([]byte, min(64<<10, end-offset))
	for ; offset < end; offset += int64(len(b)) {
		b = b[:min(int64(len(b)), end-offset)]
		if err := readFull(r, b, offset); err != nil {
			return false, err
		}
		if len(bytes.TrimLeft(b, "\x00")) > 0 {
			return false, nil
		}
	}
	return true, nil
}

// failed schedules the next try after a read error.
func (g *segment) failed(now time.Time) {
	g.retry = min(max(2*g.retry, firstRetry), maxRetry)
	g.retryAt = now.Add(g.retry)
}

// done reports whether nothing of the segment is left to be delivered.
func (g *segment) done() bool { return g.sealed && !g.readable() && g.taken == 0 }

func segmentPath(dir string, number int) string {
	return filepath.Join(dir, fmt.Sprintf("%012d%s", number, segmentSuffix))
}
