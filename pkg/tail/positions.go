package tail

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/ktail/ktail/pkg/ktail"
)

// positionsAge is how long the position of a stream is kept that was not read
// any more: the log of its container is gone by then.
const positionsAge = 30 * 24 * time.Hour

// Positions remembers, for each stream, up to where a sink has settled its
// lines: they are where they cannot be lost any more. A run that is given what
// the last one has saved goes on from there.
//
// The engine notes each line that it reads, before the filters; the sink says
// how many it has settled. What lies before the first line that is not settled
// yet, filtered lines included, belongs to the position. It has to hold the
// filtered lines too, since a resumed read tells new lines from old ones by
// what comes after the last one it knows.
type Positions struct {
	path string

	mu      sync.Mutex
	streams map[ktail.Key]*progress
	pending int // of all streams
	changed bool
}

// mostPending bounds how many lines are remembered one by one, of all streams:
// a filter may drop any number of lines while the sink keeps one waiting. Of a
// stream that would have more, the position stands still until all of them are
// settled.
const mostPending = 256 << 10

// progress is what is known of one stream.
type progress struct {
	settled ktail.Position
	resumed ktail.Position // settled, when this run began
	pending []pending      // read, not settled yet
	head    int            // index of the first of them

	// beyond is set if there are more lines behind those pending.
	beyond *beyond
}

// beyond is what is known of lines that are not remembered one by one.
type beyond struct {
	read ktail.Position // behind the last of them
	kept int            // how many went to the sink and are not settled
}

// pending is a line that was read.
type pending struct {
	mark ktail.Mark
	kept bool // it went to the sink
}

// LoadPositions reads what Save has written at the path; if there is no such
// file yet, no position is known. A damaged file is an error.
func LoadPositions(path string) (*Positions, error) {
	p := &Positions{path: path, streams: map[ktail.Key]*progress{}}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return p, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read positions: %w", err)
	}
	defer f.Close() //nolint:errcheck // it is only read from
	if err := p.read(f); err != nil {
		return nil, fmt.Errorf("read positions from %s: %w", path, err)
	}
	return p, nil
}

// Resumed returns the position from which the stream was resumed in this run;
// zero if it was not.
func (p *Positions) Resumed(key ktail.Key) ktail.Position {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s := p.streams[key]; s != nil {
		return s.resumed
	}
	return ktail.Position{}
}

// Settled says that n further log lines of the stream, of those that the sink
// was given, are where they cannot be lost. A sink calls it in the order of
// the lines.
func (p *Positions) Settled(key ktail.Key, n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.streams[key]
	if s == nil {
		return
	}
	for s.head < len(s.pending) && (n > 0 || !s.pending[s.head].kept) {
		if s.pending[s.head].kept {
			n--
		}
		s.settled.Add(s.pending[s.head].mark)
		s.head++
		p.pending--
		p.changed = true
	}
	if s.head > len(s.pending)/2 {
		s.pending = s.pending[:copy(s.pending, s.pending[s.head:])]
		s.head = 0
	}
	if s.beyond == nil || len(s.pending) > 0 {
		return
	}
	if s.beyond.kept -= n; s.beyond.kept <= 0 {
		s.settled, s.beyond = s.beyond.read, nil
		p.changed = true
	}
}

// start returns from where the stream is to be read: everything that was read
// before is known to it.
func (p *Positions) start(key ktail.Key) ktail.Position {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.streams[key]
	if s == nil {
		s = &progress{}
		p.streams[key] = s
	}
	return s.read()
}

// read returns the position behind all that was read.
func (s *progress) read() ktail.Position {
	if s.beyond != nil {
		return s.beyond.read.Clone()
	}
	pos := s.settled.Clone()
	for _, l := range s.pending[s.head:] {
		pos.Add(l.mark)
	}
	return pos
}

// note takes down lines that were read, before they can be settled. keep says
// which of them go to the sink.
func (p *Positions) note(key ktail.Key, lines []ktail.Line, keep func(*ktail.Line) bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.streams[key]
	for i := range lines {
		l := &lines[i]
		if l.Kind != ktail.Log {
			continue
		}
		kept, mark := keep(l), l.Mark()
		switch {
		case s.beyond != nil:
			s.beyond.add(mark, kept)
		case !kept && s.head == len(s.pending):
			s.settled.Add(mark)
			p.changed = true
		case p.pending < mostPending:
			s.pending = append(s.pending, pending{mark, kept})
			p.pending++
		default:
			s.beyond = &beyond{read: s.read()}
			s.beyond.add(mark, kept)
		}
	}
}

func (b *beyond) add(mark ktail.Mark, kept bool) {
	b.read.Add(mark)
	if kept {
		b.kept++
	}
}

const positionsMagic = "ktail positions 1\n"

var errBadPositions = errors.New("the file is damaged; delete it to begin anew")

// Save writes the positions, if they have changed, in place of the file.
func (p *Positions) Save() error {
	p.mu.Lock()
	if !p.changed {
		p.mu.Unlock()
		return nil
	}
	p.changed = false
	b := p.encode()
	p.mu.Unlock()
	if err := replaceFile(p.path, b); err != nil {
		p.mu.Lock()
		p.changed = true
		p.mu.Unlock()
		return fmt.Errorf("save positions: %w", err)
	}
	return nil
}

// encode returns the content of the file: the magic, then for each stream its
// key and position, each with its length in front, and a checksum at the end.
func (p *Positions) encode() []byte {
	b := []byte(positionsMagic)
	oldest := time.Now().Add(-positionsAge).UnixNano()
	var pos []byte
	for key, s := range p.streams {
		if s.settled.IsZero() || s.settled.Time < oldest {
			continue
		}
		pos, _ = s.settled.AppendBinary(pos[:0])
		for _, field := range []string{key.Cluster, key.PodUID, key.Container, string(pos)} {
			b = binary.AppendUvarint(b, uint64(len(field)))
			b = append(b, field...)
		}
	}
	return binary.LittleEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
}

func (p *Positions) read(r io.Reader) error {
	b, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	n := len(b) - crc32.Size
	if n < len(positionsMagic) || string(b[:len(positionsMagic)]) != positionsMagic ||
		crc32.ChecksumIEEE(b[:n]) != binary.LittleEndian.Uint32(b[n:]) {
		return errBadPositions
	}
	b = b[len(positionsMagic):n]
	for len(b) > 0 {
		var fields [4][]byte
		for i := range fields {
			size, width := binary.Uvarint(b)
			if width <= 0 || size > uint64(len(b)-width) {
				return errBadPositions
			}
			fields[i], b = b[width:width+int(size)], b[width+int(size):]
		}
		s := &progress{}
		if err := s.settled.UnmarshalBinary(fields[3]); err != nil {
			return errBadPositions
		}
		s.resumed = s.settled.Clone()
		p.streams[ktail.Key{Cluster: string(fields[0]), PodUID: string(fields[1]), Container: string(fields[2])}] = s
	}
	return nil
}

// replaceFile puts b in the place of the file so that, whenever the machine
// stops, either the old content is there or the new one.
func replaceFile(path string, b []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	// The new name survives a loss of power, too, where the system can do that.
	if d, err := os.Open(filepath.Dir(path)); err == nil {
		_ = errors.Join(d.Sync(), d.Close())
	}
	return nil
}
