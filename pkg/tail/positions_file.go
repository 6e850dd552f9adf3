package tail

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/ktail/ktail/pkg/internal/wire"
	"github.com/ktail/ktail/pkg/ktail"
)

// The journal is rewritten when it is larger than minRewrite and larger than
// maxGarbage times the positions in it. With a thousand busy logs, rewriting
// then adds a third to the bytes written.
const (
	minRewrite = 64 << 10
	maxGarbage = 4
)

// keptScratch is how much memory Save keeps.
const keptScratch = 1 << 20

// recordPosition is the first byte of a payload that holds a position. Other
// kinds are rejected, because a later version may write them.
const recordPosition = 1

var errBadRecord = errors.New("the file has records of another version of ktail; move it away to start without positions")

// LoadPositions reads the journal at path. If the file does not exist, there
// are no positions. Any file that a crash or a power failure leaves behind can be
// read; the positions are those of the last Save, or of an earlier one where
// records are damaged. A file of another version is an error and is left
// unchanged.
func LoadPositions(path string) (*Positions, error) {
	p := &Positions{streams: map[ktail.Key]*streamProgress{}}
	j, damaged, err := openJournal(path, p.apply)
	if err != nil {
		return nil, fmt.Errorf("read positions from %s: %w", path, err)
	}
	p.journal, p.damaged = j, damaged
	for _, s := range p.streams {
		s.resumed = s.settled.Clone()
	}
	return p, nil
}

// Damaged returns how many bytes of the file could not be read when it was
// loaded, not counting an interrupted write at its end. Logs whose positions
// were in these bytes are read again from earlier positions. Save keeps the
// damaged file next to the new one.
func (p *Positions) Damaged() int { return p.damaged }

// Save writes the positions that have changed since the previous Save.
func (p *Positions) Save() error {
	p.saving.Lock()
	defer p.saving.Unlock()
	p.mu.Lock()
	changed := p.changed
	p.changed = nil
	p.forget()
	rewrite := p.journal.size < 0 || p.journal.size > max(minRewrite, int64(maxGarbage*p.size))
	if len(changed) == 0 && !rewrite {
		p.mu.Unlock()
		return nil
	}
	p.records = p.records[:0]
	if rewrite {
		p.prune()
		for key, s := range p.streams {
			p.encode(key, s)
		}
	} else {
		for _, key := range changed {
			if s := p.streams[key]; s != nil {
				p.encode(key, s)
			}
		}
	}
	records := p.records
	p.mu.Unlock()
	var err error
	if rewrite {
		err = p.journal.rewrite(records)
	} else {
		err = p.journal.append(records)
	}
	if cap(p.records) > keptScratch {
		p.records = nil
	}
	if err == nil {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.journal.size = -1
	return fmt.Errorf("save positions: %w", err)
}

// encode appends the record of a stream to p.records.
func (p *Positions) encode(key ktail.Key, s *streamProgress) {
	s.changed = false
	if s.settled.IsZero() {
		return
	}
	s.settled.Seal()
	p.payload = append(p.payload[:0], recordPosition)
	p.payload = appendUID(p.payload, key.PodUID)
	p.payload = wire.AppendText(p.payload, key.Container)
	p.payload, _ = s.settled.AppendBinary(p.payload)
	from := len(p.records)
	p.records = appendRecord(p.records, p.payload)
	p.size += len(p.records) - from - s.size
	s.size = len(p.records) - from
}

// apply stores the position of a record.
func (p *Positions) apply(payload []byte) error {
	if len(payload) == 0 || payload[0] != recordPosition {
		return errBadRecord
	}
	r := wire.Reader{Rest: payload[1:]}
	key := ktail.Key{PodUID: readUID(&r), Container: string(r.Text())}
	s := &streamProgress{idle: true, size: len(payload)}
	if r.Failed() || s.settled.UnmarshalBinary(r.Rest) != nil {
		return errBadRecord
	}
	if old := p.streams[key]; old != nil {
		p.size -= old.size
	}
	p.size += s.size
	p.streams[key] = s
	return nil
}

// A UUID is encoded as a zero and 16 bytes. Any other UID is encoded as a text
// preceded by its length, which is not zero.

func appendUID(dst []byte, uid string) []byte {
	if len(uid) == 36 && uid[8] == '-' && uid[13] == '-' && uid[18] == '-' && uid[23] == '-' && uid == strings.ToLower(uid) {
		if b, err := hex.DecodeString(uid[:8] + uid[9:13] + uid[14:18] + uid[19:23] + uid[24:]); err == nil {
			return append(append(dst, 0), b...)
		}
	}
	dst = binary.AppendUvarint(dst, uint64(len(uid)+1))
	return append(dst, uid...)
}

func readUID(r *wire.Reader) string {
	if n := r.Uvarint(); n > 0 {
		return string(r.Bytes(n - 1))
	}
	x := hex.EncodeToString(r.Bytes(16))
	if r.Failed() {
		return ""
	}
	return x[:8] + "-" + x[8:12] + "-" + x[12:16] + "-" + x[16:20] + "-" + x[20:]
}
