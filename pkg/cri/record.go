package cri

import (
	"bytes"
	"encoding/json"
	"errors"
	"time"
)

// Errors of Parser.Parse.
var (
	// ErrFormat means that a record has neither format.
	ErrFormat = errors.New("not a log record of a container runtime")
	// ErrTime means that a record has no valid timestamp.
	ErrTime = errors.New("the timestamp of the log record is invalid")
)

// Record is one record of a log file.
type Record struct {
	Time    int64  // when the runtime received the text, in Unix nanoseconds
	Stderr  bool   // the container wrote the text to stderr rather than stdout
	Partial bool   // the line continues in the next record
	Text    []byte // without newline
}

// Parser parses records. The zero value is ready to use.
type Parser struct{ clock Clock }

// Parse parses a record, given without its newline. For the CRI format, the
// text is a slice of the record. The error is ErrFormat or ErrTime.
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
	// If there are several tags, as in "P:x", the first one says whether the
	// line continues. Any tag other than P ends the line, so new tags are
	// harmless.
	tag := rest[:space]
	r.Partial = len(tag) > 0 && tag[0] == 'P' && (len(tag) == 1 || tag[1] == ':')
	r.Text = rest[space+1:]
	return r, nil
}

// whyUnparsable returns ErrTime for a record with a bad timestamp, and
// ErrFormat for any other.
func whyUnparsable(record []byte) error {
	_, rest, ok := bytes.Cut(record, []byte(" "))
	if ok && (bytes.HasPrefix(rest, []byte("stdout ")) || bytes.HasPrefix(rest, []byte("stderr "))) {
		return ErrTime
	}
	return ErrFormat
}

// parseDocker parses a record of Docker's json-file driver. Docker splits lines
// that are longer than 16 KiB; only the last part ends with a newline.
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
