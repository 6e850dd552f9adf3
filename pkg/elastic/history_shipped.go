package elastic

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ktail/ktail/pkg/ktail"
	"github.com/ktail/ktail/pkg/text"
)

// shipped collects the members of another program's document at the current position.
func (d *documentDecoder) shipped(doc *rawDocument) {
	r := &d.reader
	preferred := len(d.layout.message)
	r.Object(func(key []byte) {
		if i := slices.Index(d.layout.message, string(key)); i >= 0 {
			if value := r.Value(); i < preferred {
				doc.message, preferred = value, i
			}
			return
		}
		switch string(key) {
		case "@timestamp":
			doc.time = r.Value()
			return
		case "log":
			doc.log = r.Value()
			return
		case d.layout.exact:
			doc.exact = r.Value()
			return
		}
		if i := slices.Index(d.layout.identity, string(key)); i >= 0 {
			doc.identity[i] = r.Value()
		}
	})
}

// decodeShipped fills in the line of another program's document.
func (d *documentDecoder) decodeShipped(doc *rawDocument, h *hit) error {
	stream, err := d.stream(doc)
	if err != nil {
		return err
	}
	h.hasID = false
	at, exact, ok := parseTimestamp(unquoted(doc.time))
	if !ok { // the format is that of the mapping, which the server knows
		if at, ok = parseSortKey(doc.sort); !ok {
			return fmt.Errorf("the index %s has a document with the @timestamp %s, which is not a time: "+
				"exclude the index by --history-index", unquoted(doc.index), doc.time)
		}
	}
	if precise, isExact, _ := parseTimestamp(unquoted(doc.exact)); isExact && sameMilli(at, precise) {
		at, exact = precise, true
	}
	h.sequence, h.inexact = at, !exact
	h.line = ktail.Line{Stream: stream, Time: at, Text: d.shippedText(doc.message)}
	if doc.log != nil {
		h.line.Cut = bytes.Contains(doc.log, []byte(`"truncated"`))
		h.offset = offsetIn(doc.log)
	}
	return nil
}

// shippedText returns the text of a line: a string, or an object with the member text or
// structured, as OpenTelemetry writes it. A structured text is JSON.
func (d *documentDecoder) shippedText(message []byte) []byte {
	if len(message) > 0 && message[0] == '{' {
		var r text.JSONReader
		r.Reset(message)
		r.Object(func(key []byte) {
			if name := string(key); name == "text" || name == "structured" {
				message = r.Value()
			}
		})
	}
	if len(message) > 0 && message[0] == '{' {
		return bytes.Clone(message)
	}
	return bytes.TrimSuffix(d.text(message), []byte("\n")) // Docker's logs keep the newline
}

// offsetIn returns log.offset of the object log, or 0.
func offsetIn(log []byte) (offset int64) {
	var r text.JSONReader
	r.Reset(log)
	r.Object(func(key []byte) {
		if string(key) == "offset" {
			offset, _ = strconv.ParseInt(string(r.Value()), 10, 64)
		}
	})
	return offset
}

// unquoted returns the text of a JSON string without escape sequences, or of a number.
func unquoted(value []byte) string { return strings.Trim(string(value), `"`) }

func sameMilli(a, b int64) bool {
	return a/int64(time.Millisecond) == b/int64(time.Millisecond)
}

// parseTimestamp returns the time in Unix nanoseconds, and whether it is more precise
// than milliseconds. It accepts the default format of servers,
// strict_date_optional_time||epoch_millis, in which a time without a zone is UTC.
func parseTimestamp(s string) (at int64, exact, ok bool) {
	whole, fraction, isFraction := strings.Cut(s, ".")
	if len(whole) == len("2006") || len(whole) > len("2006") && whole[len("2006")] == '-' {
		at, ok = parseDate(s)
		digits := len(fraction) - len(strings.TrimLeft(fraction, "0123456789"))
		return at, digits > len("123"), ok
	}
	// OpenTelemetry writes milliseconds, a point, and the nanoseconds in that millisecond
	// without leading zeros (writeTimestampField in internal/serializer/otelserializer).
	// Servers take these digits as a fraction, so their order within a millisecond is not
	// that of the lines.
	ms, err := strconv.ParseInt(whole, 10, 64)
	if err != nil {
		return 0, false, false
	}
	ns, err := strconv.ParseInt(fraction, 10, 64)
	return ms*int64(time.Millisecond) + ns, isFraction && err == nil, true
}

// dateLayouts are the forms of strict_date_optional_time, the most common ones first.
// Seconds may have a fraction.
// https://www.elastic.co/docs/reference/elasticsearch/mapping-reference/mapping-date-format
var dateLayouts = []string{
	time.RFC3339Nano,
	"2006-01-02T15:04:05", "2006-01-02T15:04:05Z0700", "2006-01-02T15:04:05Z07",
	"2006-01-02T15:04", "2006-01-02T15:04Z07:00", "2006-01-02T15:04Z0700", "2006-01-02T15:04Z07",
	"2006-01-02T15", "2006-01-02T15Z07:00", "2006-01-02T15Z0700", "2006-01-02T15Z07",
	"2006-01-02", "2006-01", "2006",
}

func parseDate(s string) (at int64, ok bool) {
	for _, l := range dateLayouts {
		if t, err := time.Parse(l, s); err == nil {
			return t.UnixNano(), true
		}
	}
	return 0, false
}

// parseSortKey returns the time by which the server has sorted a document: milliseconds
// or, of the type date_nanos, nanoseconds.
func parseSortKey(keys []byte) (at int64, ok bool) {
	n, err := strconv.ParseInt(strings.Trim(string(keys), `[]" `), 10, 64)
	const mostMillis = 1 << 53
	if err == nil && n < mostMillis {
		n *= int64(time.Millisecond)
	}
	return n, err == nil
}
