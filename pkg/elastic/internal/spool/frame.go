package spool

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"sync"
)

// A segment is a file header, frames one after the other, and, once nothing more
// is appended, a footer. All integers are little-endian.
//
//	file header  "ktailspl", version (4 bytes), checksum (4)
//	frame        magic (4), length of the payload (4), documents (4), length of the
//	             metadata (4), checksum of the payload (4), checksum of the header (4),
//	             payload: metadata and body
//	footer       magic (4), documents (8), end of the frames (8), checksum (4)
//
// The checksums are CRC-32C. That of a frame's header includes the offset of the
// frame, so that bytes within a payload that look like a frame are not taken for
// one after damage.
const (
	fileMagic   = "ktailspl"
	version     = 2
	fileHeader  = len(fileMagic) + 8
	frameMagic  = "\x89KF\x02"
	frameHeader = 24
	endMagic    = "\x89KE\x02"
	footerSize  = 24

	// maxPayload bounds what a damaged length can make the reader allocate.
	maxPayload = 64 << 20
)

// previousMagic begins the segments of version 1, which have no file header.
const previousMagic = "KTL1"

var castagnoli = sync.OnceValue(func() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }) // a program that needs none does not compute it

func checksum(b []byte) uint32 { return crc32.Checksum(b, castagnoli()) }

func appendFileHeader(dst []byte) []byte {
	start := len(dst)
	dst = binary.LittleEndian.AppendUint32(append(dst, fileMagic...), version)
	return binary.LittleEndian.AppendUint32(dst, checksum(dst[start:]))
}

// parseFileHeader returns the version, and whether the header is intact.
func parseFileHeader(b []byte) (v uint32, ok bool) {
	if len(b) < fileHeader || string(b[:len(fileMagic)]) != fileMagic {
		return 0, false
	}
	n := fileHeader - 4
	return binary.LittleEndian.Uint32(b[len(fileMagic):]), checksum(b[:n]) == binary.LittleEndian.Uint32(b[n:])
}

// frame is the header of a frame.
type frame struct {
	payload int // length
	docs    int
	meta    int // length
	sum     uint32
}

func (f *frame) size() int64 { return frameHeader + int64(f.payload) }

// headerSum is the checksum of a frame header at the offset.
func headerSum(header []byte, offset int64) uint32 {
	var at [8]byte
	binary.LittleEndian.PutUint64(at[:], uint64(offset))
	return crc32.Update(checksum(at[:]), castagnoli(), header[:frameHeader-4])
}

// appendFrame appends the frame of an entry that is written at the offset.
func appendFrame(dst []byte, e *Entry, offset int64) []byte {
	start := len(dst)
	dst = append(dst, frameMagic...)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(e.Meta)+len(e.Body)))
	dst = binary.LittleEndian.AppendUint32(dst, uint32(e.Docs))
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(e.Meta)))
	dst = append(dst, make([]byte, 8)...)
	payload := len(dst)
	dst = append(append(dst, e.Meta...), e.Body...)
	binary.LittleEndian.PutUint32(dst[payload-8:], checksum(dst[payload:]))
	binary.LittleEndian.PutUint32(dst[payload-4:], headerSum(dst[start:], offset))
	return dst
}

// parseFrame parses a frame header that was read at the offset.
func parseFrame(b []byte, offset int64) (frame, bool) {
	if len(b) < frameHeader || string(b[:4]) != frameMagic || binary.LittleEndian.Uint32(b[20:]) != headerSum(b, offset) {
		return frame{}, false
	}
	f := frame{
		payload: int(binary.LittleEndian.Uint32(b[4:])),
		docs:    int(binary.LittleEndian.Uint32(b[8:])),
		meta:    int(binary.LittleEndian.Uint32(b[12:])),
		sum:     binary.LittleEndian.Uint32(b[16:]),
	}
	return f, f.payload >= 0 && f.payload <= maxPayload && f.meta >= 0 && f.meta <= f.payload && f.docs >= 0
}

func appendFooter(dst []byte, docs int, end int64) []byte {
	start := len(dst)
	dst = binary.LittleEndian.AppendUint64(append(dst, endMagic...), uint64(docs))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(end))
	return binary.LittleEndian.AppendUint32(dst, checksum(dst[start:]))
}

// parseFooter parses the footer of a file of the size.
func parseFooter(b []byte, size int64) (docs int, end int64, ok bool) {
	if len(b) != footerSize || string(b[:4]) != endMagic || checksum(b[:20]) != binary.LittleEndian.Uint32(b[20:]) {
		return 0, 0, false
	}
	docs, end = int(binary.LittleEndian.Uint64(b[4:])), int64(binary.LittleEndian.Uint64(b[12:]))
	return docs, end, docs >= 0 && end == size-footerSize && end >= int64(fileHeader)
}

// errDamaged means that the bytes at an offset are not what was written there.
var errDamaged = errors.New("damaged")

// headerAt reads the header of the frame at the offset. It returns errDamaged if
// there is none, or if the frame reaches beyond the end.
func headerAt(r io.ReaderAt, offset, end int64) (frame, error) {
	var b [frameHeader]byte
	if end-offset < frameHeader {
		return frame{}, errDamaged
	}
	if err := readFull(r, b[:], offset); err != nil {
		return frame{}, err
	}
	f, ok := parseFrame(b[:], offset)
	if !ok || f.size() > end-offset {
		return f, errDamaged
	}
	return f, nil
}

// payloadAt reads the payload of the frame at the offset.
func payloadAt(r io.ReaderAt, f *frame, offset int64) (*Entry, error) {
	b := make([]byte, f.payload)
	if err := readFull(r, b, offset+frameHeader); err != nil {
		return nil, err
	}
	if checksum(b) != f.sum {
		return nil, errDamaged
	}
	return &Entry{Docs: f.docs, Meta: b[:f.meta:f.meta], Body: b[f.meta:]}, nil
}

// nextFrame returns the offset of the first intact frame header at or behind the
// offset, or end if there is none.
func nextFrame(r io.ReaderAt, offset, end int64) (int64, error) {
	const step = 64 << 10
	b := make([]byte, step+frameHeader)
	for ; end-offset >= frameHeader; offset += step {
		b := b[:min(int64(len(b)), end-offset)]
		if err := readFull(r, b, offset); err != nil && !errors.Is(err, errDamaged) {
			return 0, err
		}
		for i := 0; ; i++ {
			n := bytes.Index(b[i:], []byte(frameMagic))
			if n < 0 {
				break
			}
			i += n
			if f, ok := parseFrame(b[i:], offset+int64(i)); ok && f.size() <= end-offset-int64(i) {
				return offset + int64(i), nil
			}
		}
	}
	return end, nil
}

// readFull reads len(b) bytes. It returns errDamaged if the file ends before.
func readFull(r io.ReaderAt, b []byte, offset int64) error {
	n, err := r.ReadAt(b, offset)
	switch {
	case n == len(b):
		return nil
	case err == nil || errors.Is(err, io.EOF):
		return errDamaged
	}
	return err
}
