package cri

import (
	"math"
	"time"
)

// Clock parses the timestamps of log lines. The zero value is ready. It is fast
// because most timestamps share their minute with the one before.
type Clock struct {
	text [len("2006-01-02T15:04:")]byte // latest minute parsed
	unix int64                          // its Unix time if its zone were UTC
}

// The first and the last second whose Unix nanoseconds fit. A clock that is not set
// shows the year 1 or 1970, a broken one any year.
const (
	earliest = math.MinInt64/int64(time.Second) + 1
	latest   = math.MaxInt64/int64(time.Second) - 1
)

// Parse parses the timestamp that the line starts with. It returns the time in
// Unix nanoseconds, the nearest one that fits (1677 to 2262), and the length of the timestamp with the space behind it. The
// length is 0 if the line does not start with a timestamp and a space.
//
// A timestamp is RFC 3339 with up to nine digits after the second, in UTC or with
// an offset. Container runtimes drop trailing zeros; the kubelet adds them again.
func (c *Clock) Parse(line []byte) (nanos int64, length int) {
	const minute = len(c.text)
	if len(line) < minute+len("05Z ") {
		return 0, 0
	}
	if string(line[:minute]) != string(c.text[:]) {
		t, err := time.Parse("2006-01-02T15:04:", string(line[:minute]))
		if err != nil {
			return 0, 0
		}
		copy(c.text[:], line)
		c.unix = t.Unix()
	}
	tens, ones := line[minute]-'0', line[minute+1]-'0' // a byte below '0' becomes large
	if tens > 5 || ones > 9 {
		return 0, 0
	}
	seconds := c.unix + int64(tens)*10 + int64(ones)
	fraction, i := parseFraction(line, minute+len("05"))
	offset, i := parseZone(line, i)
	if i >= len(line) || line[i] != ' ' {
		return 0, 0
	}
	return min(max(seconds-offset, earliest), latest)*int64(time.Second) + fraction, i + 1
}

// parseFraction parses a fraction of a second at i, if there is one. It returns
// nanoseconds and the index after it, or an index after the line's end if the
// fraction is malformed.
func parseFraction(line []byte, i int) (nanos int64, next int) {
	if line[i] != '.' {
		return 0, i
	}
	i++
	first := i
	for i < len(line) && '0' <= line[i] && line[i] <= '9' && i-first < 10 {
		nanos = nanos*10 + int64(line[i]-'0')
		i++
	}
	digits := i - first
	if digits == 0 || digits > 9 {
		return 0, len(line)
	}
	for ; digits < 9; digits++ {
		nanos *= 10
	}
	return nanos, i
}

// parseZone parses "Z" or "+07:00" at i. It returns the offset from UTC in
// seconds and the index after it, or an index after the line's end if there is
// no zone.
func parseZone(line []byte, i int) (offset int64, next int) {
	if i < len(line) && line[i] == 'Z' {
		return 0, i + 1
	}
	if len(line)-i < len("+07:00") || line[i+3] != ':' || line[i] != '+' && line[i] != '-' {
		return 0, len(line)
	}
	digits := [4]byte{line[i+1], line[i+2], line[i+4], line[i+5]}
	for _, d := range digits {
		if d < '0' || d > '9' {
			return 0, len(line)
		}
	}
	hours, minutes := int64(digits[0]-'0')*10+int64(digits[1]-'0'), int64(digits[2]-'0')*10+int64(digits[3]-'0')
	offset = hours*3600 + minutes*60
	if line[i] == '-' {
		offset = -offset
	}
	return offset, i + 6
}
