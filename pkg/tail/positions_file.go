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

	"github.com/ktail/ktail/pkg/ktail"
)

const positionsMagic = "ktail positions 2\n"

var errBadPositions = errors.New("the file is damaged; delete it to begin anew")

// LoadPositions reads what Save has written at the path; if there is no such
// file yet, no position is known. A damaged file is an error.
func LoadPositions(path string) (*Positions, error) {
	p := &Positions{path: path, streams: map[ktail.Key]*streamProgress{}}
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

// Save writes the positions, if they have changed, in place of the file.
func (p *Positions) Save() error {
	p.mu.Lock()
	if !p.changed {
		p.mu.Unlock()
		return nil
	}
	p.changed = false
	p.prune()
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
	b := append(make([]byte, 0, p.size+p.size/8), positionsMagic...)
	var pos []byte
	for key, s := range p.streams {
		if s.settled.IsZero() {
			continue
		}
		pos, _ = s.settled.AppendBinary(pos[:0])
		for _, field := range []string{key.PodUID, key.Container} {
			b = binary.AppendUvarint(b, uint64(len(field)))
			b = append(b, field...)
		}
		b = binary.AppendUvarint(b, uint64(len(pos)))
		b = append(b, pos...)
	}
	b = binary.LittleEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
	p.size = len(b)
	return b
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
		var fields [3][]byte
		for i := range fields {
			size, width := binary.Uvarint(b)
			if width <= 0 || size > uint64(len(b)-width) {
				return errBadPositions
			}
			fields[i], b = b[width:width+int(size)], b[width+int(size):]
		}
		s := &streamProgress{idle: true}
		if err := s.settled.UnmarshalBinary(fields[2]); err != nil {
			return errBadPositions
		}
		s.resumed = s.settled.Clone()
		p.streams[ktail.Key{PodUID: string(fields[0]), Container: string(fields[1])}] = s
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
