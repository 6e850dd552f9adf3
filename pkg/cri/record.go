package cri

import (
	"bytes"
	"encoding/json"
	"errors"
	"time"
)

// Errors of Parser.Parse.
var (
	// ErrFormat says that a record is in neither format.
	ErrFormat = errors.New("not a log record of a container runtime")
	// ErrTime says that a record has no valid timestamp.
	ErrTime = errors.New("the timestamp of the log record is invalid")
)

// Record is one record of a log file.
type Record struct {
	Time    int64  // when the runtime received the text, in Unix nanoseconds
	Stderr  bool   // the container wrote it to stderr, not to stdout
	Partial bool   // the line continues in the next record
	Text    []byte // without newline
}

// Parser parses records. The zero value is ready.
type Parser struct{ clock Clock }

// Parse parses a record, given without its newline. The text of a record of the
// CRI format is a slice of it. The error is ErrFormat or ErrTime.
func (p *Parser) Parse(record []byte) (Record, error) {
	if len(record) > 0 && record[0] == '{' {
		return parseDocker(record)
	}
	at, n := p.clock.Parse(record)
	if n == 0 {
		return Record{}, whyUnparsable(record)
	}
	r := Record{Time: at}
	rest := record[n:]
	switch {
	case bytes.HasPrefix(rest, []byte("stdout ")):
	case bytes.HasPrefix(rest, []byte("stderr ")):
		r.Stderr = true
	default:
		return Record{}, ErrFormat
	}
	rest = rest[len("stdout "):]
	space := bytes.IndexByte(rest, ' ')
	if space < 0 {
		return Record{}, ErrFormat
	}
	// Of several tags, as in "P:x", the first one says whether the line
	// continues. Anything but P is a full line, so that new tags do no harm.
	tag := rest[:space]
	r.Partial = len(tag) > 0 && tag[0] == 'P' && (len(tag) == 1 || tag[1] == ':')
	r.Text = rest[space+1:]
	return r, nil
}

// whyUnparsable tells a record with a bad timestamp from another format.
func whyUnparsable(record []byte) error {
	_, rest, ok := bytes.Cut(record, []byte(" "))
	if ok && (bytes.HasPrefix(rest, []byte("stdout ")) || bytes.HasPrefix(rest, []byte("stderr "))) {
		return ErrTime
	}
	return ErrFormat
}

// parseDocker parses a record of Docker's json-file driver. Docker splits lines
// longer than 16 KiB: all parts but the last have no newline.
func parseDocker(record []byte) (Record, error) {
	var d struct {
		Log    *string `json:"log"`
		Stream string  `json:"stream"`
		Time   string  `json:"time"`
	}
	if json.Unmarshal(record, &d) != nil || d.Log == nil {
		return Record{}, ErrFormat
	}
	at, err := time.Parse(time.RFC3339Nano, d.Time)
	if err != nil {
		return Record{}, ErrTime
	}
	text, full := bytes.CutSuffix([]byte(*d.Log), []byte("\n"))
	return Record{Time: at.UnixNano(), Stderr: d.Stream == "stderr", Partial: !full, Text: text}, nil
}
