package cri

import (
	"cmp"
	"strconv"
	"strings"
	"time"
)

// FileName is the name of a log file: N.log while the runtime writes to it, then
// N.log.20060102-150405, and then the same with .gz.
type FileName struct {
	Instance int    // restart count of the container when this instance ran
	Rotated  string // time of the rotation in the node's time zone; empty if not rotated
	Gzip     bool
}

// RotatedLayout is the kubelet's timestampFormat.
const RotatedLayout = "20060102-150405"

// ParseFileName parses the name of a file. It returns false for temporary files
// of the kubelet's compression, and for any other file.
func ParseFileName(name string) (n FileName, ok bool) {
	number, rest, ok := strings.Cut(name, ".log")
	if !ok {
		return n, false
	}
	instance, err := strconv.ParseUint(number, 10, 31)
	if err != nil {
		return n, false
	}
	n.Instance = int(instance)
	if rest == "" {
		return n, true
	}
	rest, n.Gzip = strings.CutSuffix(rest, ".gz")
	n.Rotated, ok = strings.CutPrefix(rest, ".")
	if _, err := time.Parse(RotatedLayout, n.Rotated); !ok || err != nil {
		return n, false
	}
	return n, true
}

// String returns the name of the file.
func (n FileName) String() string {
	s := strconv.Itoa(n.Instance) + ".log"
	if n.Rotated != "" {
		s += "." + n.Rotated
	}
	if n.Gzip {
		s += ".gz"
	}
	return s
}

// Compare orders the names of a directory's files, oldest first. Only the most
// recently rotated file is not compressed.
func (n FileName) Compare(o FileName) int {
	if c := cmp.Compare(n.Instance, o.Instance); c != 0 || n == o {
		return c
	}
	if c := cmp.Compare(n.age(), o.age()); c != 0 {
		return c
	}
	return cmp.Compare(n.Rotated, o.Rotated)
}

func (n FileName) age() int {
	switch {
	case n.Gzip:
		return 0
	case n.Rotated != "":
		return 1
	default:
		return 2
	}
}

// Becomes reports whether the kubelet may rename a file from n to o.
func (n FileName) Becomes(o FileName) bool {
	return n == o || n.Instance == o.Instance && n.Rotated == "" && o.Rotated != "" && !o.Gzip
}

// CompressedTo reports whether o is the compressed form of n.
func (n FileName) CompressedTo(o FileName) bool {
	return !n.Gzip && o.Gzip && n.Instance == o.Instance && n.Rotated == o.Rotated
}
