package node

import (
	"cmp"
	"strconv"
	"strings"
	"time"
)

// podDir is the name of a pod's directory, NAMESPACE_POD_UID.
type podDir struct {
	namespace, pod string
	uid            string // for a static pod, the annotation kubernetes.io/config.hash
}

func parsePodDir(name string) (podDir, bool) {
	parts := strings.Split(name, "_") // none of the three parts can contain an underscore
	if len(parts) != 3 || parts[0] == "" || parts[1] == "" || parts[2] == "" {
		return podDir{}, false
	}
	return podDir{parts[0], parts[1], parts[2]}, true
}

// logName is the name of a log file: N.log while the runtime writes to it, then
// N.log.20060102-150405, and then the same with .gz.
type logName struct {
	instance int    // restart count of the container when this instance ran
	rotated  string // time of the rotation in the node's time zone; empty if not rotated
	gzip     bool
}

// rotatedLayout is the kubelet's timestampFormat.
const rotatedLayout = "20060102-150405"

// parseLogName parses the name of a file. It returns false for temporary files
// of the kubelet's compression, and for any other file.
func parseLogName(name string) (n logName, ok bool) {
	number, rest, ok := strings.Cut(name, ".log")
	if !ok {
		return n, false
	}
	instance, err := strconv.ParseUint(number, 10, 31)
	if err != nil {
		return n, false
	}
	n.instance = int(instance)
	if rest == "" {
		return n, true
	}
	rest, n.gzip = strings.CutSuffix(rest, ".gz")
	n.rotated, ok = strings.CutPrefix(rest, ".")
	if _, err := time.Parse(rotatedLayout, n.rotated); !ok || err != nil {
		return n, false
	}
	return n, true
}

// String returns the name of the file.
func (n logName) String() string {
	s := strconv.Itoa(n.instance) + ".log"
	if n.rotated != "" {
		s += "." + n.rotated
	}
	if n.gzip {
		s += ".gz"
	}
	return s
}

// compare orders the names of a directory's files, oldest first. Only the most
// recently rotated file is not compressed.
func (n logName) compare(o logName) int {
	if c := cmp.Compare(n.instance, o.instance); c != 0 || n == o {
		return c
	}
	if c := cmp.Compare(n.age(), o.age()); c != 0 {
		return c
	}
	return cmp.Compare(n.rotated, o.rotated)
}

func (n logName) age() int {
	switch {
	case n.gzip:
		return 0
	case n.rotated != "":
		return 1
	default:
		return 2
	}
}

// becomes reports whether the kubelet may rename a file from n to o.
func (n logName) becomes(o logName) bool {
	return n == o || n.instance == o.instance && n.rotated == "" && o.rotated != "" && !o.gzip
}

// compressed reports whether o is the compressed form of n.
func (n logName) compressed(o logName) bool {
	return !n.gzip && o.gzip && n.instance == o.instance && n.rotated == o.rotated
}
