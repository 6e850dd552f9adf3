package elastic

import (
	"encoding/binary"
	"errors"

	"github.com/ktail/ktail/pkg/elastic/internal/spool"
	"github.com/ktail/ktail/pkg/internal/wire"
)

// entryVersion is the first byte of the metadata of a spooled bulk.
const entryVersion = 1

// maxUnpacked is the maximum uncompressed size of a spooled bulk.
const maxUnpacked = bulkSize + 2*maxLetter

var errEntry = errors.New("a spool entry is not a valid bulk")

// toEntry returns the bulk in the form in which the spool stores it.
func (b *bulk) toEntry() *spool.Entry {
	meta := binary.AppendVarint([]byte{entryVersion}, b.oldest)
	meta = wire.AppendText(meta, b.day)
	meta = wire.AppendText(meta, b.stream)
	last := uint32(0)
	for _, end := range b.ends {
		meta = binary.AppendUvarint(meta, uint64(end-last))
		last = end
	}
	return &spool.Entry{Docs: len(b.ends), Meta: meta, Body: b.body}
}

// fromEntry returns the bulk in a spool entry.
func fromEntry(e *spool.Entry) (*bulk, error) {
	d := wire.Reader{Rest: e.Meta}
	if v := d.Bytes(1); v == nil || v[0] != entryVersion {
		return nil, errEntry
	}
	b := &bulk{oldest: d.Varint(), body: e.Body}
	b.day, b.stream = string(d.Text()), string(d.Text())
	if e.Docs <= 0 || e.Docs > len(d.Rest) {
		return nil, errEntry
	}
	b.ends = make([]uint32, e.Docs)
	end := uint64(0)
	for i := range b.ends {
		if end += d.Uvarint(); end > maxUnpacked {
			return nil, errEntry
		}
		b.ends[i] = uint32(end)
	}
	if d.Failed() || len(d.Rest) > 0 {
		return nil, errEntry
	}
	return b, nil
}
