package elastic

import (
	"bufio"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
)

// A frame is a bulk on the disk: the magic, the length of the payload, its
// CRC-32C, each of four bytes, and the payload.
const (
	frameMagic  = 0x314c544b // KTL1
	frameHeader = 12
	maxFrame    = 4 * bulkSize // a length beyond it is none
	maxUnpacked = bulkSize + 2*maxLetter
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// errFrame says that there is no whole frame: a write was torn, or the disk has
// forgotten something.
var errFrame = errors.New("a frame of the spool is damaged")

// appendFrame appends the bulk as a frame.
func appendFrame(dst []byte, b *bulk) []byte {
	start := len(dst)
	dst = append(dst, make([]byte, frameHeader)...)
	dst = binary.AppendUvarint(dst, uint64(len(b.ends)))
	dst = binary.AppendVarint(dst, b.oldest)
	dst = append(binary.AppendUvarint(dst, uint64(len(b.day))), b.day...)
	dst = append(binary.AppendUvarint(dst, uint64(len(b.stream))), b.stream...)
	last := uint32(0)
	for _, end := range b.ends {
		dst = binary.AppendUvarint(dst, uint64(end-last))
		last = end
	}
	dst = append(dst, b.body...)
	payload := dst[start+frameHeader:]
	binary.LittleEndian.PutUint32(dst[start:], frameMagic)
	binary.LittleEndian.PutUint32(dst[start+4:], uint32(len(payload)))
	binary.LittleEndian.PutUint32(dst[start+8:], crc32.Checksum(payload, castagnoli))
	return dst
}

// readFrame reads the next frame. It returns io.EOF if there is none, and
// errFrame if it is not whole. size is that of the frame.
func readFrame(r io.Reader) (b *bulk, size int64, err error) {
	var header [frameHeader]byte
	switch _, err := io.ReadFull(r, header[:]); {
	case errors.Is(err, io.EOF):
		return nil, 0, io.EOF
	case errors.Is(err, io.ErrUnexpectedEOF):
		return nil, 0, errFrame
	case err != nil:
		return nil, 0, err
	}
	n := binary.LittleEndian.Uint32(header[4:])
	if binary.LittleEndian.Uint32(header[:]) != frameMagic || n > maxFrame {
		return nil, 0, errFrame
	}
	payload := make([]byte, n)
	switch _, err := io.ReadFull(r, payload); {
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return nil, 0, errFrame
	case err != nil:
		return nil, 0, err
	}
	if crc32.Checksum(payload, castagnoli) != binary.LittleEndian.Uint32(header[8:]) {
		return nil, 0, errFrame
	}
	b, ok := parseFrame(payload)
	if !ok {
		return nil, 0, errFrame
	}
	return b, frameHeader + int64(n), nil
}

func parseFrame(p []byte) (*bulk, bool) {
	d := fields{p: p, ok: true}
	n := d.uvarint()
	b := &bulk{oldest: d.varint()}
	b.day = string(d.take(d.uvarint()))
	b.stream = string(d.take(d.uvarint()))
	if !d.ok || n == 0 || n > uint64(len(d.p)) {
		return nil, false
	}
	b.ends = make([]uint32, n)
	end := uint64(0)
	for i := range b.ends {
		if end += d.uvarint(); end > maxUnpacked {
			return nil, false
		}
		b.ends[i] = uint32(end)
	}
	b.body = d.p
	return b, d.ok
}

// fields takes numbers and texts off the front of p.
type fields struct {
	p  []byte
	ok bool
}

func (d *fields) uvarint() uint64 {
	v, n := binary.Uvarint(d.p)
	return d.skip(v, n)
}

func (d *fields) varint() int64 {
	v, n := binary.Varint(d.p)
	return int64(d.skip(uint64(v), n))
}

func (d *fields) skip(v uint64, n int) uint64 {
	if n <= 0 {
		d.ok, d.p = false, nil
		return 0
	}
	d.p = d.p[n:]
	return v
}

func (d *fields) take(n uint64) []byte {
	if n > uint64(len(d.p)) {
		d.ok, d.p = false, nil
		return nil
	}
	t := d.p[:n]
	d.p = d.p[n:]
	return t
}

// scanFrames counts the frames of a segment and their documents, up to the first
// that is not whole, and returns how far they reach.
func scanFrames(r io.Reader) (frames, docs int, size int64, err error) {
	br := bufio.NewReaderSize(r, 64<<10)
	for {
		b, n, err := readFrame(br)
		if errors.Is(err, io.EOF) || errors.Is(err, errFrame) {
			return frames, docs, size, nil
		}
		if err != nil {
			return 0, 0, 0, err
		}
		frames, docs, size = frames+1, docs+len(b.ends), size+n
	}
}
