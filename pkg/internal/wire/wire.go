// Package wire reads the numbers and texts that make up saved state. A value is
// appended with encoding/binary or with AppendText.
package wire

import (
	"encoding/binary"
	"hash/crc32"
	"sync"
)

var castagnoli = sync.OnceValue(func() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }) // a program that needs none does not compute it

// Checksum returns the CRC-32C of the bytes.
func Checksum(b []byte) uint32 { return crc32.Checksum(b, castagnoli()) }

// AppendText appends the length of the text and the text.
func AppendText[T string | []byte](dst []byte, text T) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(text)))
	return append(dst, text...)
}

// A Reader takes values off the front of Rest. If one is missing or invalid, the Reader
// has failed: that value and all further ones are zero, and Rest is empty. So callers
// can read a whole record and check Failed once.
type Reader struct {
	Rest   []byte
	failed bool
}

// Failed reports whether a value was missing or invalid.
func (r *Reader) Failed() bool { return r.failed }

// Fail makes the Reader fail, for a caller that has found an invalid value.
func (r *Reader) Fail() { r.failed, r.Rest = true, nil }

// Uvarint returns a number without a sign.
func (r *Reader) Uvarint() uint64 {
	v, n := binary.Uvarint(r.Rest)
	if n <= 0 { // too short, or more than 64 bits
		r.Fail()
		return 0
	}
	r.Rest = r.Rest[n:]
	return v
}

// Varint returns a number with a sign.
func (r *Reader) Varint() int64 {
	v, n := binary.Varint(r.Rest)
	if n <= 0 {
		r.Fail()
		return 0
	}
	r.Rest = r.Rest[n:]
	return v
}

// Uint64 returns a number of eight bytes, the lowest one first.
func (r *Reader) Uint64() uint64 {
	if b := r.Bytes(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

// Count returns the length of a list whose elements take at least one byte each. It is
// never larger than what is left, so that damaged data cannot request memory.
func (r *Reader) Count() int {
	n := r.Uvarint()
	if n > uint64(len(r.Rest)) {
		r.Fail()
		return 0
	}
	return int(n)
}

// Bytes returns the next n bytes, which are shared with Rest; nil if there are fewer.
func (r *Reader) Bytes(n uint64) []byte {
	if n > uint64(len(r.Rest)) {
		r.Fail()
		return nil
	}
	b := r.Rest[:n:n]
	r.Rest = r.Rest[n:]
	return b
}

// Text returns what AppendText has appended, shared with Rest.
func (r *Reader) Text() []byte { return r.Bytes(uint64(r.Count())) }
