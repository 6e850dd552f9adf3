package corev1

import (
	"encoding/binary"
	"errors"
)

// field is one field of a protobuf message.
type field struct {
	number int
	value  uint64 // value of a varint
	bytes  []byte // bytes of a string or message, a slice of the data
}

var errCorrupt = errors.New("corrupt protobuf")

// fields calls f with each field of a message, in order. It skips fixed-width
// fields, because this package reads none.
//
// https://protobuf.dev/programming-guides/encoding
func fields(data []byte, f func(field) error) error {
	const (
		varint = 0
		fixed8 = 1
		length = 2
		fixed4 = 5
	)
	for len(data) > 0 {
		tag, n := binary.Uvarint(data)
		if n <= 0 || tag>>3 == 0 || tag>>3 > 1<<29-1 {
			return errCorrupt
		}
		data = data[n:]
		is := field{number: int(tag >> 3)}
		skip := 0
		switch tag & 7 {
		case varint:
			is.value, skip = binary.Uvarint(data)
		case fixed8:
			skip = 8
		case fixed4:
			skip = 4
		case length:
			size, n := binary.Uvarint(data)
			if n <= 0 || size > uint64(len(data)-n) {
				return errCorrupt
			}
			skip = n + int(size)
			is.bytes = data[n:skip]
		}
		if skip <= 0 || skip > len(data) {
			return errCorrupt
		}
		data = data[skip:]
		if err := f(is); err != nil {
			return err
		}
	}
	return nil
}
