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
	// bulkSize is the target size of a bulk before compression. The documentation of
	// the servers recommends 5 to 15 MB.
	bulkSize = 5 << 20
	// bulkAge is how long the first document of a bulk waits for more documents.
	bulkAge = time.Second
	// gzipLevel is the fastest level: documents of a stream are similar, and shrink to
	// a tenth at any level.
	gzipLevel = gzip.BestSpeed
	// compressChunk is the number of bytes that are compressed at once.
	compressChunk = 32 << 10
	// maxCompressedBulk is the target size of a bulk after compression. It bounds the
	// bytes in flight if the lines cannot be compressed.
	maxCompressedBulk = 1 << 20
)

// bulk holds documents packed for one request. It does not depend on the server.
type bulk struct {
	body   []byte   // pairs of action and document, compressed by gzip
	ends   []uint32 // end of each pair before compression
	oldest int64    // earliest time of a line, in Unix nanoseconds
	day    string   // UTC day of all lines, as 2006-01-02; empty if they differ
	stream string   // name of the data stream whose fields the documents have; empty: none

	entry   *ackEntry      // position in the order of acknowledgment; nil if the bulk is settled
	receipt *spool.Receipt // receipt of the spool; nil if the bulk is in memory
}

// raw returns the size before compression.
func (b *bulk) raw() int {
	if len(b.ends) == 0 {
		return 0
	}
	return int(b.ends[len(b.ends)-1])
}

// size returns the size of a document with its action, before compression.
func (b *bulk) size(i int) int {
	if i == 0 {
		return int(b.ends[0])
	}
	return int(b.ends[i] - b.ends[i-1])
}

// visit calls f for some of the documents, in ascending order, each with its action in
// front. Only one document is decompressed at a time: f may change it, but must not
// keep it.
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

// packer packs documents into bulks. It must not be used concurrently.
type packer struct {
	gzip   *gzip.Writer
	out    bytes.Buffer
	buf    []byte // bytes that are not compressed yet
	raw    int    // number of bytes that are compressed already
	ends   []uint32
	day    string
	mixed  bool // the lines are of several days
	oldest int64
	opened time.Time

	maxCompressed int // see maxCompressedBulk
	counting      bool
	counts        map[ktail.Key]int // log lines of each stream in the current bulk
}

// timeAt is the offset of the line's time in a pair of action and document.
const timeAt = len(createAction) + idLen + len(actionEnd) + len(documentStart)

// dayOf returns the UTC day of the line in a pair, as 2006-01-02.
func dayOf(pair []byte) string { return string(pair[timeAt : timeAt+len("2006-01-02")]) }

// add packs one document. encode appends the document with its action in front.
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
		p.counts[l.Stream.Key()]++
	}
	if len(p.buf) >= compressChunk {
		p.compress()
	}
}

func (p *packer) begin(l *ktail.Line, now time.Time) {
	if p.gzip == nil {
		p.gzip, _ = gzip.NewWriterLevel(&p.out, gzipLevel) // the level is valid
	} else {
		p.gzip.Reset(&p.out)
	}
	at := documentTime(l, now)
	p.opened, p.oldest, p.mixed = now, at, false
	p.day = time.Unix(0, at).UTC().Format(time.DateOnly)
	if p.counting {
		p.counts = map[ktail.Key]int{}
	}
}

func (p *packer) compress() {
	p.gzip.Write(p.buf) //nolint:errcheck // into memory
	p.raw += len(p.buf)
	if p.buf = p.buf[:0]; cap(p.buf) > 8*compressChunk {
		p.buf = nil
	}
}

// empty reports whether nothing was added since the last bulk.
func (p *packer) empty() bool { return len(p.ends) == 0 }

// full reports whether the documents added since the last bulk are enough for the next
// one.
func (p *packer) full(limit int) bool {
	return p.raw+len(p.buf) >= limit || p.out.Len() >= p.maxCompressed
}

// take returns the added documents as a bulk, and the number of lines of each stream.
// The bulk is nil if there are none.
func (p *packer) take() (*bulk, map[ktail.Key]int) {
	if p.empty() {
		return nil, nil
	}
	p.compress()
	p.gzip.Close() //nolint:errcheck // into memory
	b := &bulk{body: p.out.Bytes(), ends: slices.Clone(p.ends), oldest: p.oldest, day: p.day}
	if p.mixed {
		b.day = ""
	}
	p.out = *bytes.NewBuffer(make([]byte, 0, len(b.body)+len(b.body)/8)) // the next bulk will have a similar size
	p.ends, p.raw = p.ends[:0], 0
	return b, p.counts
}

// repacker packs documents that are left of a bulk, or have to be sent in another form.
// A sender reuses it, because a compressor takes a megabyte. It must not be used
// concurrently.
type repacker struct {
	gzip *gzip.Writer
	out  bytes.Buffer
	ends []uint32
	day  string // as bulk.day
}

func (r *repacker) reset() {
	if r.gzip == nil {
		r.gzip, _ = gzip.NewWriterLevel(&r.out, gzipLevel) // the level is valid
	}
	r.out.Reset()
	r.gzip.Reset(&r.out)
	r.ends = r.ends[:0]
}

// size returns the number of bytes added, before compression.
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

// body returns the compressed documents. They are valid until the next reset.
func (r *repacker) body() []byte {
	r.gzip.Close() //nolint:errcheck // into memory
	return r.out.Bytes()
}

// rest returns a bulk with some of the documents of another bulk.
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
