package elastic

import (
	"encoding/binary"
	"errors"

	"github.com/ktail/ktail/pkg/elastic/internal/spool"
)

// entryVersion is the first byte of the metadata of a spooled bulk.
const entryVersion = 1

// maxUnpacked is the maximum uncompressed size of a spooled bulk.
const maxUnpacked = bulkSize + 2*maxLetter

var errEntry = errors.New("a spool entry is not a valid bulk")

// toEntry returns the bulk in the form in which the spool stores it.
func (b *bulk) toEntry() *spool.Entry {
	meta := binary.AppendVarint([]byte{entryVersion}, b.oldest)
	meta = append(binary.AppendUvarint(meta, uint64(len(b.day))), b.day...)
	meta = append(binary.AppendUvarint(meta, uint64(len(b.stream))), b.stream...)
	last := uint32(0)
	for _, end := range b.ends {
		meta = binary.AppendUvarint(meta, uint64(end-last))
		last = end
	}
	return &spool.Entry{Docs: len(b.ends), Meta: meta, Body: b.body}
}

// fromEntry returns the bulk in a spool entry.
func fromEntry(e *spool.Entry) (*bulk, error) {
	d := decoder{p: e.Meta, ok: true}
	if v := d.take(1); !d.ok || v[0] != entryVersion {
		return nil, errEntry
	}
	b := &bulk{oldest: d.varint(), body: e.Body}
	b.day = string(d.take(d.uvarint()))
	b.stream = string(d.take(d.uvarint()))
	if !d.ok || e.Docs <= 0 || e.Docs > len(d.p) {
		return nil, errEntry
	}
	b.ends = make([]uint32, e.Docs)
	end := uint64(0)
	for i := range b.ends {
		if end += d.uvarint(); end > maxUnpacked {
			return nil, errEntry
		}
		b.ends[i] = uint32(end)
	}
	if !d.ok || len(d.p) > 0 {
		return nil, errEntry
	}
	return b, nil
}

// decoder reads numbers and texts from the front of p. ok becomes false if one is
// missing.
type decoder struct {
	p  []byte
	ok bool
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.p)
	return d.skip(v, n)
}

func (d *decoder) varint() int64 {
	v, n := binary.Varint(d.p)
	return int64(d.skip(uint64(v), n))
}

func (d *decoder) skip(v uint64, n int) uint64 {
	if n <= 0 {
		d.ok, d.p = false, nil
		return 0
	}
	d.p = d.p[n:]
	return v
}

func (d *decoder) take(n uint64) []byte {
	if n > uint64(len(d.p)) {
		d.ok, d.p = false, nil
		return nil
	}
	t := d.p[:n]
	d.p = d.p[n:]
	return t
}
