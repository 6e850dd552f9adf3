package output

import (
	"math"
	"time"
)

// TimestampFormat is the format of timestamps.
type TimestampFormat uint8

const (
	// TimestampNano is RFC 3339 with nine digits for the nanoseconds.
	TimestampNano TimestampFormat = iota
	// TimestampShort is month, day and time to the second: "01-02 15:04:05".
	TimestampShort
)

// Timestamps formats times. It must be used by one goroutine at a time.
type Timestamps struct {
	location   *time.Location
	head, zone string // layouts of the parts before and after the nanoseconds
	nanos      bool

	second             int64 // Unix time of the texts below
	headText, zoneText []byte
}

// NewTimestamps returns a formatter for times in a time zone.
func NewTimestamps(format TimestampFormat, location *time.Location) *Timestamps {
	t := &Timestamps{location: location, second: math.MinInt64}
	if format == TimestampShort {
		t.head = "01-02 15:04:05"
	} else {
		t.head, t.zone, t.nanos = "2006-01-02T15:04:05.", "Z07:00", true
	}
	return t
}

// append appends a time in Unix nanoseconds. It is fast because most lines
// belong to the same second as the previous one.
func (t *Timestamps) append(dst []byte, ns int64) []byte {
	second, nanos := ns/1e9, ns%1e9
	if nanos < 0 {
		second, nanos = second-1, nanos+1e9
	}
	if second != t.second {
		at := time.Unix(second, 0).In(t.location)
		t.second = second
		t.headText = at.AppendFormat(t.headText[:0], t.head)
		t.zoneText = at.AppendFormat(t.zoneText[:0], t.zone)
	}
	dst = append(dst, t.headText...)
	if t.nanos {
		for unit := int64(1e8); unit > 0; unit /= 10 {
			dst = append(dst, '0'+byte(nanos/unit%10))
		}
	}
	return append(dst, t.zoneText...)
}
