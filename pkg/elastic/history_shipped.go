package elastic

import (
	"bytes"
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
	at, exact := parseTimestamp(unquoted(doc.time))
	if precise, ok := parseTimestamp(unquoted(doc.exact)); ok && sameMilli(at, precise) {
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
// than milliseconds.
func parseTimestamp(s string) (at int64, exact bool) {
	whole, fraction, ok := strings.Cut(s, ".")
	if at = parseTime(s); at != 0 {
		digits := len(fraction) - len(strings.TrimLeft(fraction, "0123456789"))
		return at, digits > len("123")
	}
	// OpenTelemetry writes milliseconds, a point, and the nanoseconds in that millisecond
	// without leading zeros (writeTimestampField in internal/serializer/otelserializer).
	// Servers take these digits as a fraction, so their order within a millisecond is not
	// that of the lines.
	ms, err := strconv.ParseInt(whole, 10, 64)
	if err != nil {
		return 0, false
	}
	ns, err := strconv.ParseInt(fraction, 10, 64)
	return ms*int64(time.Millisecond) + ns, ok && err == nil
}
