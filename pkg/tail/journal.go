package tail

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"

	"github.com/ktail/ktail/pkg/durable"
	"github.com/ktail/ktail/pkg/internal/wire"
)

// A journal is a file of records. A record replaces earlier ones with the same
// key, so applying all records in order yields the state.
//
//	magic
//	mark, length of payload (uvarint), payload, CRC-32C of length and payload
//	...
//
// Records are only appended until the file is much larger than the state. Then
// the state is written to a new file that replaces the old one. Whenever the
// process or the machine stops, the file holds all records up to a point after
// the last sync, possibly followed by garbage such as zeros.
type journal struct {
	path string
	size int64 // of the file; negative if the file must be rewritten
	kept bool  // damage was found, and the file has not been copied yet
}

const (
	// journalMagic ends with the version of the format.
	journalMagic = "ktail positions 2\n"
	// recordMark starts a record, so that records after damage can be found.
	recordMark = 0xA7
	maxRecord  = 1 << 20
)

var errNotJournal = errors.New("the file was written by another version of ktail or by another program; " +
	"move it away to start without positions")

// openJournal calls apply with the payload of each record of the file, in
// order. A file that does not exist counts as empty. Garbage after the last
// record, which an interrupted write leaves, is ignored. Damage in front of a
// record is skipped; damaged is the number of bytes skipped.
func openJournal(path string, apply func(payload []byte) error) (j *journal, damaged int, err error) {
	if err := durable.RemoveTemporary(path); err != nil {
		return nil, 0, err
	}
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return &journal{path: path, size: -1}, 0, nil
	}
	if err != nil {
		return nil, 0, err
	}
	if !bytes.HasPrefix(b, []byte(journalMagic)) {
		if !interrupted(b) {
			return nil, 0, errNotJournal
		}
		return &journal{path: path, size: -1}, 0, nil
	}
	end, skipped := len(journalMagic), 0
	for at := end; at < len(b); {
		payload, size := parseRecord(b[at:])
		if size == 0 {
			next := bytes.IndexByte(b[at+1:], recordMark)
			if next < 0 {
				break
			}
			at += 1 + next
			continue
		}
		if err := apply(payload); err != nil {
			return nil, 0, err
		}
		skipped += at - end
		at += size
		end = at
	}
	j = &journal{path: path, size: int64(end), kept: skipped > 0}
	if end < len(b) || skipped > 0 {
		j.size = -1
	}
	return j, skipped, nil
}

// interrupted reports whether a power failure while a new journal was created can
// leave this content: nothing, part of the magic, or zeros.
func interrupted(b []byte) bool {
	b = bytes.TrimRight(b, "\x00")
	return bytes.HasPrefix([]byte(journalMagic), b)
}

// appendRecord appends a record with the payload.
func appendRecord(dst, payload []byte) []byte {
	dst = append(dst, recordMark)
	from := len(dst)
	dst = binary.AppendUvarint(dst, uint64(len(payload)))
	dst = append(dst, payload...)
	return binary.LittleEndian.AppendUint32(dst, wire.Checksum(dst[from:]))
}

// parseRecord returns the payload and the size of the record at the start of b.
// The size is 0 if there is no record.
func parseRecord(b []byte) (payload []byte, size int) {
	if len(b) == 0 || b[0] != recordMark {
		return nil, 0
	}
	n, width := binary.Uvarint(b[1:])
	if width <= 0 || n > maxRecord || len(b)-1-width-crc32.Size < int(n) {
		return nil, 0
	}
	end := 1 + width + int(n)
	if wire.Checksum(b[1:end]) != binary.LittleEndian.Uint32(b[end:]) {
		return nil, 0
	}
	return b[1+width : end], end + crc32.Size
}

// append appends records and syncs the file. If it fails, none of the records
// count as written, and the journal must be rewritten.
func (j *journal) append(records []byte) error {
	f, err := os.OpenFile(j.path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		j.size = -1
		return err
	}
	info, err := f.Stat()
	if err == nil && info.Size() != j.size {
		err = fmt.Errorf("%s was changed by another process", j.path)
	}
	if err == nil {
		_, err = f.Write(records)
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		j.size = -1
		return err
	}
	j.size += int64(len(records))
	return nil
}

// rewrite replaces the file with one that holds the magic and the records. If
// it fails, the file is unchanged. A damaged file is kept next to the new one.
func (j *journal) rewrite(records []byte) error {
	if j.kept {
		if err := keepCopy(j.path, j.path+".damaged"); err != nil {
			return err
		}
		j.kept = false
	}
	if err := durable.Replace(j.path, 0o600, []byte(journalMagic), records); err != nil {
		return err
	}
	j.size = int64(len(journalMagic) + len(records))
	return nil
}

func keepCopy(from, to string) error {
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return durable.Replace(to, 0o600, b)
}
