package cri

import (
	"math"
	"time"
)

// Clock parses the timestamps of log lines. The zero value is ready to use. It
// is fast because most timestamps share their minute with the previous one.
type Clock struct {
	text [len("2006-01-02T15:04:")]byte // latest minute parsed
	unix int64                          // its Unix time if its zone were UTC
}

// The first and the last second whose Unix nanoseconds fit into an int64.
// Clocks that are not set report 1970 or the year 1, and broken ones report any
// year.
const (
	earliest = math.MinInt64/int64(time.Second) + 1
	latest   = math.MaxInt64/int64(time.Second) - 1
)

// Parse parses the timestamp at the start of the line. It returns the time in
// Unix nanoseconds, or the nearest time that fits into an int64 (1677 to 2262),
// and the length of the timestamp including the space after it. The length is 0
// if the line does not start with a timestamp and a space.
//
// A timestamp is RFC 3339 with up to nine digits after the second, in UTC or
// with an offset. Container runtimes omit trailing zeros; the kubelet adds them
// again.
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

// parseFraction parses the fraction of a second at i, if there is one. It
// returns nanoseconds and the index after the fraction, or an index beyond the
// end of the line if the fraction is malformed.
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
// seconds and the index after the zone, or an index beyond the end of the line
// if there is no zone.
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
