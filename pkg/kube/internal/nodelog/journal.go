// Package nodelog interprets what the log endpoint of a kubelet returns: journals in
// the form of journalctl, listings of directories, and files.
package nodelog

import (
	"bytes"
	"strings"
	"time"
)

// Entry is one entry of a journal.
type Entry struct {
	Time  time.Time
	Lines [][]byte // the message; without IDENT[PID] if the identifier is that of the unit
}

// Journal is the response to a query for the journal of one unit.
type Journal struct {
	Entries     []Entry
	Listing     bool     // the kubelet ignored the query and listed the log directory
	NotFound    bool     // there is no journal of the unit; there may be a log file
	Cut         bool     // the response ends inside a line, which is left out
	Diagnostics [][]byte // anything else, such as errors of journalctl
}

// stampLength is the length of a time such as "Nov 28 21:34:14.250123".
const stampLength = len(time.StampMicro)

// ParseJournal parses a response. Times have no year; it is the latest that makes them
// at most a day later than now.
func ParseJournal(body []byte, unit string, now time.Time) Journal {
	var j Journal
	if trimmed := bytes.TrimSpace(body); bytes.HasPrefix(trimmed, []byte("<!doctype")) || bytes.HasPrefix(trimmed, []byte("<pre>")) {
		j.Listing = true
		return j
	}
	whole := bytes.LastIndexByte(body, '\n') + 1
	body, j.Cut = body[:whole], whole < len(body)
	column := 0 // of the text of the last entry
	for line := range bytes.Lines(body) {
		line = bytes.TrimSuffix(line, []byte("\n"))
		if at, ok := parseStamp(line, now); ok {
			var text []byte
			text, column = afterIdent(line, unit)
			j.Entries = append(j.Entries, Entry{Time: at, Lines: [][]byte{text}})
			continue
		}
		last := len(j.Entries) - 1
		switch {
		case last >= 0 && isContinuation(line, column):
			e := &j.Entries[last]
			e.Lines = append(e.Lines, line[min(column, len(line)):])
		case len(bytes.TrimSpace(line)) == 0, bytes.HasPrefix(line, []byte("-- ")):
			// An empty line, a boot, "No entries", or the range of old versions.
		case bytes.HasPrefix(line, []byte("log not found for ")), bytes.HasPrefix(line, []byte("options present and query resolved to log files")),
			bytes.HasPrefix(line, []byte("error: journal output not available")):
			j.NotFound = true
		case bytes.HasPrefix(line, []byte("try without specifying options")):
		default:
			j.Diagnostics = append(j.Diagnostics, line)
		}
	}
	return j
}

// parseStamp parses the time at the start of a line.
func parseStamp(line []byte, now time.Time) (time.Time, bool) {
	if len(line) <= stampLength || line[stampLength] != ' ' {
		return time.Time{}, false
	}
	text := string(line[:stampLength])
	// A leap year, or February 29 would not be a date.
	t, err := time.Parse("2006 "+time.StampMicro, "2000 "+text)
	if err != nil {
		return time.Time{}, false
	}
	const years = 9 // between two leap years
	for year := now.UTC().Year() + 1; year > now.UTC().Year()-years; year-- {
		at := time.Date(year, t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
		if at.Day() == t.Day() && !at.After(now.Add(24*time.Hour)) {
			return at, true
		}
	}
	return time.Time{}, false
}

// afterIdent returns the text of a line behind its time and host, and the column at
// which the message begins: continuation lines are indented up to there.
func afterIdent(line []byte, unit string) (text []byte, column int) {
	rest := line[stampLength+1:]
	host := bytes.IndexByte(rest, ' ')
	if host < 0 {
		return rest, len(line) - len(rest)
	}
	rest = rest[host+1:]
	ident, message, ok := bytes.Cut(rest, []byte(": "))
	if !ok {
		return bytes.TrimSuffix(rest, []byte(":")), len(line)
	}
	column = len(line) - len(message)
	name, _, _ := strings.Cut(string(ident), "[")
	if name == strings.TrimSuffix(unit, ".service") {
		return message, column
	}
	return rest, column
}

// isContinuation reports whether the line belongs to the entry before: it is indented
// up to the message of that entry.
func isContinuation(line []byte, column int) bool {
	return column > 0 && len(line) > 0 && len(line)-len(bytes.TrimLeft(line, " ")) >= min(column, len(line))
}
