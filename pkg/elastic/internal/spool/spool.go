// Package spool is a queue on disk that survives crashes. It does not interpret its
// entries.
//
// Put appends an Entry to a segment, which is a file. When Put returns, the entry is
// stored. Take returns the oldest entry that was not taken yet together with a Receipt.
// The entry stays on disk until the receipt is acknowledged. A segment is deleted when
// all its entries are acknowledged. After a crash, the next run takes all entries of
// the remaining segments, including acknowledged ones.
//
// The spool deletes nothing that it does not understand. Damage affects only the
// damaged entry, and the segment is kept next to the others. A segment of an unknown
// version is refused. After a read error, the segment is read again later. An entry
// whose Put did not return may or may not be stored.
//
// A spool has two lanes, which share its limit. Take returns the entries of one lane in
// the order of Put, so entries that have to wait delay none of the other lane. A run
// finds all entries of the runs before it in Main.
//
// At most three files are open at a time, whatever the size of the spool.
package spool

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"
)

// Entry is the unit of storage.
type Entry struct {
	Docs int    // documents in Body, for the counts
	Meta []byte // what the caller needs to read Body
	Body []byte
}

// Lane is one of the two queues of a spool.
type Lane uint8

const (
	Main      Lane = iota
	Postponed      // for entries that cannot be delivered while others can
	lanes
)

// Receipt identifies a taken entry.
type Receipt struct {
	segment *segment
	docs    int
}

var (
	// ErrFull is the error of Put when the entry does not fit within the limit.
	ErrFull = errors.New("the spool is full")
	// ErrVersion is the error of Open for files of a version that it does not know.
	ErrVersion = errors.New("unknown version of the spool; use the ktail that wrote it, or move its files to another directory")
)

// DamageError is the error of Take for a partly damaged segment. The
// other entries of the segment were taken, and the file is kept.
type DamageError struct {
	Path  string // where the file is kept
	Bytes int64  // damaged
	Docs  int    // documents in damaged entries whose number is known
}

// Error implements error.
func (e *DamageError) Error() string {
	return fmt.Sprintf("%d bytes are damaged; the file is kept as %s", e.Bytes, e.Path)
}

// Spool is a directory of segments. Its methods may be called at the same time.
// Only one process at a time may use the directory; see Lock.
type Spool struct {
	fs    FS
	dir   string
	limit int64

	mu       sync.Mutex
	segments []*segment // oldest first
	writers  [lanes]writer
	reader   File // of the segment reading
	reading  *segment
	size     int64 // of all segments
	next     int   // number of the next segment
	buf      []byte

	previous []string
}

// writer appends to the segment of a lane that is not sealed. The file is nil if all are.
type writer struct {
	file    File
	segment *segment
}

// Put stores the entry in the lane. When it returns nil the entry survives a power failure.
// When it fails, Put may be called again with the same entry.
func (s *Spool) Put(l Lane, e *Entry) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(e.Meta)+len(e.Body) > maxPayload {
		return fmt.Errorf("write to spool: an entry of %d bytes is too large", len(e.Meta)+len(e.Body))
	}
	need := frameHeader + int64(len(e.Meta)+len(e.Body)) + footerSize
	if s.writers[l].file == nil {
		need += int64(fileHeader)
	}
	if s.size+need > s.limit {
		return ErrFull
	}
	if err := s.write(l, e); err != nil {
		return fmt.Errorf("write to spool: %w", err)
	}
	return nil
}

func (s *Spool) write(l Lane, e *Entry) error {
	if s.writers[l].file == nil {
		if err := s.begin(l); err != nil {
			return err
		}
	}
	f, g := s.writers[l].file, s.writers[l].segment
	s.buf = appendFrame(s.buf[:0], e, g.end)
	_, err := f.WriteAt(s.buf, g.end)
	if err == nil {
		err = f.Sync()
	}
	if err != nil {
		// What a failed sync leaves on the disk is unknown, so the segment ends
		// before this frame.
		return errors.Join(err, f.Truncate(g.end), s.finish(l))
	}
	n := int64(len(s.buf))
	g.end += n
	g.size += n
	g.docs += e.Docs
	g.written += e.Docs
	s.size += n
	if cap(s.buf) > 1<<20 {
		s.buf = nil
	}
	if g.size >= min(segmentSize, s.limit/8) {
		s.seal(l)
	}
	return nil
}

// begin creates the segment of the lane to append to.
func (s *Spool) begin(l Lane) error {
	path := segmentPath(s.dir, s.next)
	f, err := s.fs.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL)
	if err != nil {
		return err
	}
	s.next++
	// The header is on disk before anything else is written, so that whatever a
	// power failure leaves of the first frame is behind an intact header.
	_, err = f.WriteAt(appendFileHeader(nil), 0)
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = s.fs.SyncDir(s.dir)
	}
	if err != nil {
		return errors.Join(err, f.Close(), s.fs.Remove(path))
	}
	g := &segment{path: path, lane: l, size: int64(fileHeader), end: int64(fileHeader), read: int64(fileHeader)}
	s.writers[l] = writer{f, g}
	s.segments = append(s.segments, g)
	s.size += g.size
	return nil
}

// seal ends the lane's segment with a footer, which spares the next run a scan. A
// missing or torn footer does no harm.
func (s *Spool) seal(l Lane) {
	f, g := s.writers[l].file, s.writers[l].segment
	if _, err := f.WriteAt(appendFooter(nil, g.written, g.end), g.end); err == nil {
		g.size += footerSize
		s.size += footerSize
	}
	_ = s.finish(l) // the frames are synced
}

// finish ends appending to the lane's segment.
func (s *Spool) finish(l Lane) error {
	f, g := s.writers[l].file, s.writers[l].segment
	s.writers[l] = writer{}
	g.sealed = true
	err := f.Close()
	s.reap(g)
	return err
}

// Take returns the oldest entry of the lane that was not taken yet, and its receipt; both are
// nil if there is none. The error is a *DamageError, or that of a segment that
// cannot be read now: Take skips that segment for a while. In both cases the
// caller may call Take again at once.
func (s *Spool) Take(l Lane) (*Entry, *Receipt, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	for {
		i := slices.IndexFunc(s.segments, func(g *segment) bool { return g.lane == l && g.readable() && !now.Before(g.retryAt) })
		if i < 0 {
			return nil, nil, nil
		}
		g := s.segments[i]
		e, err := s.readNext(g)
		switch {
		case err != nil:
			g.failed(now)
			s.closeReader()
			return nil, nil, fmt.Errorf("read spool: %w", err)
		case e != nil:
			g.retry = 0
			g.taken++
			g.takenDocs += e.Docs
			return e, &Receipt{g, e.Docs}, nil
		}
		unreported := g.lostBytes > 0 && !g.reported
		g.reported = true
		s.reap(g)
		if unreported {
			return nil, nil, &DamageError{Path: g.path + damagedSuffix, Bytes: g.lostBytes, Docs: g.lostDocs}
		}
	}
}

// Peek returns the entry that Take would return next, or nil if there is none or it cannot
// be read now. It does not take the entry.
func (s *Spool) Peek(l Lane) *Entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.segments, func(g *segment) bool { return g.lane == l && g.read < g.end })
	if i < 0 || s.openReader(s.segments[i]) != nil {
		return nil
	}
	g := s.segments[i]
	h, err := headerAt(s.reader, g.read, g.end)
	if err != nil {
		return nil
	}
	e, err := payloadAt(s.reader, &h, g.read)
	if err != nil {
		return nil
	}
	return e
}

// readNext returns the next entry of the segment, or nil at its end.
func (s *Spool) readNext(g *segment) (*Entry, error) {
	if err := s.openReader(g); err != nil {
		return nil, err
	}
	e, err := g.next(s.reader)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", g.path, err)
	}
	return e, nil
}

func (s *Spool) openReader(g *segment) error {
	if s.reading == g {
		return nil
	}
	s.closeReader()
	f, err := s.fs.OpenFile(g.path, os.O_RDONLY)
	if err != nil {
		return err
	}
	s.reader, s.reading = f, g
	return nil
}

func (s *Spool) closeReader() {
	if s.reader != nil {
		_ = s.reader.Close() // it was only read from
		s.reader, s.reading = nil, nil
	}
}

// Ack reports that the entry of the receipt was delivered.
func (s *Spool) Ack(r *Receipt) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r.segment.taken--
	r.segment.takenDocs -= r.docs
	s.reap(r.segment)
}

// DropOldest deletes the oldest segment without taken entries. It returns the
// number of documents that were in it, and whether there was such a segment.
func (s *Spool) DropOldest() (docs int, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, g := range s.segments {
		if g.taken > 0 || g.read >= g.end {
			continue
		}
		docs = g.docs
		g.docs, g.read = 0, g.end
		if g.sealed {
			s.reap(g)
		} else {
			_ = s.finish(g.lane) // it is deleted
		}
		return docs, true
	}
	return 0, false
}

// reap removes the segment once nothing of it is left to be delivered. One that is
// damaged is kept under another name.
func (s *Spool) reap(g *segment) {
	if !g.done() {
		return
	}
	i := slices.Index(s.segments, g)
	if i < 0 {
		return
	}
	s.segments = slices.Delete(s.segments, i, i+1)
	s.size -= g.size
	if s.reading == g {
		s.closeReader()
	}
	// If that fails, the next run delivers the entries once more.
	if g.lostBytes > 0 {
		_ = s.fs.Rename(g.path, g.path+damagedSuffix)
		return
	}
	_ = s.fs.Remove(g.path)
}

// Usage returns the number of documents known to be unacknowledged, and the size
// of the files in bytes.
func (s *Spool) Usage() (docs int, size int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, g := range s.segments {
		docs += g.docs + g.takenDocs
	}
	return docs, s.size
}

// Pending reports whether the lane has entries that were not taken yet. Take returns
// none of them while their segments cannot be read.
func (s *Spool) Pending(l Lane) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.segments, func(g *segment) bool { return g.lane == l && g.read < g.end })
}

// Close closes the files. What is not acknowledged stays on disk, and in Usage.
func (s *Spool) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closeReader()
	for l := range lanes {
		if s.writers[l].file != nil {
			s.seal(l)
		}
	}
	return nil
}
