package wire

import (
	"encoding/binary"
	"math"
	"testing"
)

// record has one value of each kind.
func record() []byte {
	b := binary.AppendUvarint(nil, math.MaxUint64)
	b = binary.AppendVarint(b, math.MinInt64)
	b = binary.LittleEndian.AppendUint64(b, 1<<40+7)
	b = AppendText(b, "größe")
	b = AppendText(b, []byte{})
	b = binary.AppendUvarint(b, 2)
	return append(b, 'x', 'y')
}

type values struct {
	u     uint64
	i     int64
	fixed uint64
	text  string
	empty string
	list  int
	rest  string
}

func read(r *Reader) values {
	return values{r.Uvarint(), r.Varint(), r.Uint64(), string(r.Text()), string(r.Text()), r.Count(), string(r.Bytes(2))}
}

func TestReader_ReadsWhatWasAppended(t *testing.T) {
	r := &Reader{Rest: record()}
	want := values{math.MaxUint64, math.MinInt64, 1<<40 + 7, "größe", "", 2, "xy"}
	if got := read(r); got != want || r.Failed() || len(r.Rest) > 0 {
		t.Errorf("read %+v, failed %v, want %+v", got, r.Failed(), want)
	}
}

func TestReader_FailsIfAnythingIsMissing(t *testing.T) {
	whole := record()
	for n := range whole {
		r := &Reader{Rest: whole[:n]}
		if read(r); !r.Failed() || r.Rest != nil {
			t.Errorf("with %d of %d bytes, it has not failed", n, len(whole))
		}
		if got := read(r); got != (values{}) {
			t.Errorf("after a failure, it returns %+v", got)
		}
	}
}

func TestReader_RefusesImpossibleLengths(t *testing.T) {
	for _, b := range [][]byte{
		binary.AppendUvarint(nil, math.MaxUint64),
		binary.AppendUvarint(nil, 1<<63),
		append(binary.AppendUvarint(nil, 3), "ab"...),
	} {
		text, count := &Reader{Rest: b}, &Reader{Rest: b}
		if got := text.Text(); got != nil || !text.Failed() {
			t.Errorf("%x is the text %q", b, got)
		}
		if n := count.Count(); n != 0 || !count.Failed() {
			t.Errorf("%x is the count %d", b, n)
		}
	}
	r := &Reader{Rest: []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01}}
	if n := r.Uvarint(); n != 0 || !r.Failed() {
		t.Errorf("a number of more than 64 bits is %d", n)
	}
}
