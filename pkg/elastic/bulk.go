package elastic

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/klauspost/compress/gzip"

	"github.com/ktail/ktail/pkg/elastic/internal/spool"
	"github.com/ktail/ktail/pkg/ktail"
)

const (
	// bulkSize is how large a bulk becomes, before it is compressed: what the
	// servers' own papers advise.
	bulkSize = 5 << 20
	// bulkAge is how long the first document of a bulk waits for others.
	bulkAge = time.Second
	// gzipLevel is the fastest: documents of a stream are much alike, and
	// shrink to a tenth at any level.
	gzipLevel = gzip.BestSpeed
	// packAt is how much is compressed at a time.
	packAt = 32 << 10
	// packedSize is how large a bulk becomes when it is compressed, so that what
	// is in flight is bounded also if the lines cannot be compressed.
	packedSize = 1 << 20
)

// bulk is a number of documents packed for one request. It holds nothing that
// depends on the server.
type bulk struct {
	body   []byte   // pairs of action and document, compressed by gzip
	ends   []uint32 // where each pair ends, before it was compressed
	oldest int64    // time of the first line
	day    string   // of all lines, 2006-01-02; empty if they are of several
	stream string   // the data stream whose fields the documents have; empty: none

	entry   *ackEntry      // its place in the order of settling; nil if that is settled
	receipt *spool.Receipt // of the spool; nil if it is not there
}

// raw returns the size of the bulk before it was compressed.
func (b *bulk) raw() int {
	if len(b.ends) == 0 {
		return 0
	}
	return int(b.ends[len(b.ends)-1])
}

// size returns that of a document with its action, before it was compressed.
func (b *bulk) size(i int) int {
	if i == 0 {
		return int(b.ends[0])
	}
	return int(b.ends[i] - b.ends[i-1])
}

// visit calls f for some of the documents, which are given in their order, each
// with its action in front. Only one is unpacked at a time: f may change it, but
// not keep it.
func (b *bulk) visit(some []int, f func(i int, pair []byte)) error {
	r, err := gzip.NewReader(bytes.NewReader(b.body))
	if err != nil {
		return fmt.Errorf("unpack bulk: %w", err)
	}
	var buf []byte
	for i := 0; len(some) > 0; i++ {
		n := b.size(i)
		if cap(buf) < n {
			buf = make([]byte, n+n/2)
		}
		if _, err := io.ReadFull(r, buf[:n]); err != nil {
			return fmt.Errorf("unpack bulk: %w", err)
		}
		if i == some[0] {
			some = some[1:]
			f(i, buf[:n])
		}
	}
	return nil
}

// count is how many log lines of a stream a bulk holds.
type count struct {
	key   ktail.Key
	lines int
}

// packer packs documents into bulks. It is used by one goroutine.
type packer struct {
	gzip   *gzip.Writer
	out    bytes.Buffer
	buf    []byte // not compressed yet
	raw    int    // compressed already
	ends   []uint32
	day    string
	mixed  bool // lines of several days
	oldest int64
	opened time.Time

	counting bool
	counts   map[ktail.Key]*int
}

// timeAt is where the time of a line is, in an action with its document.
const timeAt = len(createAction) + idLen + len(actionEnd) + len(documentStart)

// dayOf returns the day of the line whose document is pair.
func dayOf(pair []byte) string { return string(pair[timeAt : timeAt+len("2006-01-02")]) }

// add packs one document. encode appends it, with its action in front.
func (p *packer) add(l *ktail.Line, now time.Time, encode func([]byte) []byte) {
	if p.empty() {
		p.begin(l, now)
	}
	start := len(p.buf)
	p.buf = encode(p.buf)
	p.ends = append(p.ends, uint32(p.raw+len(p.buf)))
	p.oldest = min(p.oldest, documentTime(l, now))
	if !p.mixed && string(p.buf[start+timeAt:start+timeAt+len(p.day)]) != p.day {
		p.mixed = true
	}
	if p.counting && l.Kind == ktail.Log {
		n := p.counts[l.Stream.Key()]
		if n == nil {
			n = new(int)
			p.counts[l.Stream.Key()] = n
		}
		*n++
	}
	if len(p.buf) >= packAt {
		p.compress()
	}
}

func (p *packer) begin(l *ktail.Line, now time.Time) {
	if p.gzip == nil {
		p.gzip, _ = gzip.NewWriterLevel(&p.out, gzipLevel) // the level is a good one
	} else {
		p.gzip.Reset(&p.out)
	}
	at := documentTime(l, now)
	p.opened, p.oldest, p.mixed = now, at, false
	p.day = time.Unix(0, at).UTC().Format(time.DateOnly)
	if p.counting {
		p.counts = map[ktail.Key]*int{}
	}
}

func (p *packer) compress() {
	p.gzip.Write(p.buf) //nolint:errcheck // into memory
	p.raw += len(p.buf)
	if p.buf = p.buf[:0]; cap(p.buf) > 8*packAt {
		p.buf = nil
	}
}

// empty reports whether nothing has been added since the last bulk.
func (p *packer) empty() bool { return len(p.ends) == 0 }

// full reports whether what was added since the last bulk is enough for the next.
func (p *packer) full(limit int) bool {
	return p.raw+len(p.buf) >= limit || p.out.Len() >= packedSize
}

// take returns what was added as a bulk, or nil if that is nothing.
func (p *packer) take() (*bulk, []count) {
	if p.empty() {
		return nil, nil
	}
	p.compress()
	p.gzip.Close() //nolint:errcheck // into memory
	b := &bulk{body: p.out.Bytes(), ends: slices.Clone(p.ends), oldest: p.oldest, day: p.day}
	if p.mixed {
		b.day = ""
	}
	counts := make([]count, 0, len(p.counts))
	for key, n := range p.counts {
		counts = append(counts, count{key, *n})
	}
	p.out = *bytes.NewBuffer(make([]byte, 0, len(b.body)+len(b.body)/8)) // the next is much the same
	p.ends, p.raw = p.ends[:0], 0
	return b, counts
}

// repacker packs documents that are left of a bulk, or have to be sent in another
// form. It is used by one goroutine, again and again: a compressor takes a
// megabyte.
type repacker struct {
	gzip *gzip.Writer
	out  bytes.Buffer
	ends []uint32
	day  string // as that of a bulk
}

func (r *repacker) reset() {
	if r.gzip == nil {
		r.gzip, _ = gzip.NewWriterLevel(&r.out, gzipLevel) // the level is a good one
	}
	r.out.Reset()
	r.gzip.Reset(&r.out)
	r.ends = r.ends[:0]
}

// size returns how much was added.
func (r *repacker) size() int {
	if len(r.ends) == 0 {
		return 0
	}
	return int(r.ends[len(r.ends)-1])
}

// add adds a document, with its action in front.
func (r *repacker) add(pair []byte) {
	switch day := dayOf(pair); {
	case len(r.ends) == 0:
		r.day = day
	case day != r.day:
		r.day = ""
	}
	r.gzip.Write(pair) //nolint:errcheck // into memory
	r.ends = append(r.ends, uint32(r.size()+len(pair)))
}

// body returns what was added, until the next reset.
func (r *repacker) body() []byte {
	r.gzip.Close() //nolint:errcheck // into memory
	return r.out.Bytes()
}

// rest returns a bulk of the documents of another that are left.
func (r *repacker) rest(b *bulk, left []int) (*bulk, error) {
	r.reset()
	if err := b.visit(left, func(_ int, pair []byte) { r.add(pair) }); err != nil {
		return nil, err
	}
	return &bulk{
		body: bytes.Clone(r.body()), ends: slices.Clone(r.ends), oldest: b.oldest, day: r.day, stream: b.stream,
		entry: b.entry, receipt: b.receipt,
	}, nil
}
