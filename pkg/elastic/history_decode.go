package elastic

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/ktail/ktail/pkg/ktail"
	"github.com/ktail/ktail/pkg/text"
)

// hit is one document of a search response.
type hit struct {
	id       lineID
	hasID    bool  // the document ID is one that ktail makes
	sequence int64 // place in the order of the layout, in nanoseconds
	offset   int64 // of the line in its file, if the document says so
	inexact  bool  // the time is rounded to milliseconds
	line     ktail.Line
}

// lineID holds the parts of an ID that ktail makes; see appendID.
type lineID [27]byte

// parseID returns false for an ID of another program.
func parseID(s []byte) (id lineID, ok bool) {
	if len(s) != idLen {
		return id, false
	}
	n, err := base64.RawURLEncoding.Decode(id[:], s)
	return id, err == nil && n == len(id)
}

func (id *lineID) mark() ktail.Mark {
	return ktail.Mark{Time: int64(binary.BigEndian.Uint64(id[:])), Digest: binary.BigEndian.Uint64(id[16:])}
}

// stream returns a hash of the key of the stream.
func (id *lineID) stream() uint64 { return binary.BigEndian.Uint64(id[8:]) }

// documentDecoder turns the documents of search responses back into lines. It
// is used by one goroutine.
type documentDecoder struct {
	layout    *layout
	reader    text.JSONReader
	streams   map[string]*ktail.Stream // by the JSON that describes them
	constants map[uint64]constant      // by the stream's part of the ID
	size      int                      // of constants
	scratch   []byte
	chunk     []byte // texts of lines are slices of it

	current hit // and its document
	doc     rawDocument
}

// A constant is the end of ktail's documents of a stream, from the value of its first
// member on. It is more than half of a document, and comparing it is much faster than
// decoding it.
type constant struct {
	text   []byte
	stream *ktail.Stream
}

const (
	// maxDecodedStreams bounds what a decoder keeps. Afterwards streams are
	// decoded again.
	maxDecodedStreams = 16 << 10
	maxDecodedSize    = 8 << 20 // of the constants
	textChunk         = 64 << 10
)

// rawDocument holds the members of a document from which a line is built. Each is
// JSON text.
type rawDocument struct {
	time, message, event, log, minimal []byte
	sequence, action                   []byte    // members of event
	exact                              []byte    // member layout.exact
	index, sort                        []byte    // members of the hit
	identity                           [4][]byte // members layout.identity

	constant []byte        // nil if the document has none
	stream   *ktail.Stream // of a known constant
}

// hits calls emit with each document of a search response, and reports what the
// response says of its own completeness.
func (d *documentDecoder) hits(body []byte, emit func(*hit) error) error {
	var complete completeness
	if err := d.documents(body, &complete, emit); err != nil {
		return err
	}
	return complete.err()
}

// topHits calls emit with each document of an aggregation.
func (d *documentDecoder) topHits(aggregation []byte, emit func(*hit) error) error {
	return d.documents(aggregation, &completeness{}, emit)
}

func (d *documentDecoder) documents(body []byte, complete *completeness, emit func(*hit) error) error {
	r := &d.reader
	r.Reset(body)
	var err error
	r.Object(func(key []byte) {
		switch string(key) {
		case "timed_out":
			complete.TimedOut = string(r.Value()) == "true"
		case "_shards":
			complete.Shards = r.Value()
		case "_clusters":
			complete.Clusters = r.Value()
		case "hits":
			r.Object(func(key []byte) {
				if string(key) != "hits" {
					return
				}
				r.Array(func() {
					if err == nil {
						err = d.hit(emit)
					}
				})
			})
		}
	})
	if err != nil {
		return err
	}
	if r.Failed() {
		return errResponse
	}
	return nil
}

// hit decodes the document at the current position.
func (d *documentDecoder) hit(emit func(*hit) error) error {
	h, doc := &d.current, &d.doc
	*h, *doc = hit{}, rawDocument{}
	d.reader.Object(func(key []byte) {
		switch string(key) {
		case "_id":
			if value := d.reader.Value(); len(value) > 2 {
				h.id, h.hasID = parseID(value[1 : len(value)-1])
			}
		case "_index":
			doc.index = d.reader.Value()
		case "sort":
			doc.sort = d.reader.Value()
		case "_source":
			if d.layout == own {
				d.source(doc, h)
			} else {
				d.shipped(doc)
			}
		}
	})
	if d.reader.Failed() {
		return errResponse
	}
	decode := d.decode
	if d.layout != own {
		decode = d.decodeShipped
	}
	if err := decode(doc, h); err != nil {
		return err
	}
	return emit(h)
}

// source collects the members of one of ktail's documents at the current position.
func (d *documentDecoder) source(doc *rawDocument, h *hit) {
	r := &d.reader
	var constant []byte // and what follows
	isConstant := h.hasID
	r.Object(func(key []byte) {
		switch string(key) {
		case "@timestamp":
			doc.time = r.Value()
		case "message":
			doc.message = r.Value()
		case "event":
			d.rawEvent(doc)
		case "log":
			doc.log = r.Value()
		case "ktail":
			r.Object(func(key []byte) {
				if string(key) == "document" {
					doc.minimal = r.Value()
				}
			})
		default:
			if constant == nil && isConstant {
				constant = r.Rest()
				if known := d.constants[h.id.stream()]; r.SkipMembers(known.text) {
					doc.stream = known.stream
					return
				}
			}
			if i := slices.Index(own.identity, string(key)); i >= 0 {
				doc.identity[i] = r.Value()
			}
			return
		}
		isConstant = isConstant && constant == nil // it comes last
	})
	if isConstant && constant != nil && doc.stream == nil && !r.Failed() {
		doc.constant = constant[:len(constant)-len(r.Rest())]
	}
}

// rawEvent collects the members of event.
func (d *documentDecoder) rawEvent(doc *rawDocument) {
	r := &d.reader
	event := r.Rest()
	r.Object(func(key []byte) {
		switch string(key) {
		case "sequence":
			doc.sequence = r.Value()
		case "action":
			doc.action = r.Value()
		}
	})
	doc.event = event[:len(event)-len(r.Rest())]
}

// decode fills in the line. A minimal document holds the whole one as text.
func (d *documentDecoder) decode(doc *rawDocument, h *hit) error {
	if doc.minimal != nil {
		var whole string
		if err := json.Unmarshal(doc.minimal, &whole); err != nil {
			return fmt.Errorf("decode the field ktail.document: %w", err)
		}
		inner := documentDecoder{layout: own, streams: d.streams}
		inner.reader.Reset([]byte(whole))
		var complete rawDocument
		inner.source(&complete, &hit{})
		if inner.reader.Failed() {
			return fmt.Errorf("decode the field ktail.document: %w", errResponse)
		}
		complete.minimal = nil
		err := inner.decode(&complete, h)
		d.streams = inner.streams
		return err
	}
	stream := doc.stream
	if stream == nil {
		var err error
		if stream, err = d.stream(doc); err != nil {
			return err
		}
		d.learn(doc, h, stream)
	}
	h.line = ktail.Line{Stream: stream}
	switch {
	case h.hasID:
		h.line.Time = h.id.mark().Time
	case len(doc.time) > 2:
		h.line.Time = parseTime(string(doc.time[1 : len(doc.time)-1]))
	}
	h.line.Cut = doc.log != nil && bytes.Contains(doc.log, []byte(`"truncated"`))
	if err := d.event(doc, h); err != nil {
		return err
	}
	if h.line.Kind == ktail.Log {
		h.line.Text = d.text(doc.message)
	}
	return nil
}

// event decodes the members of event that a line needs.
func (d *documentDecoder) event(doc *rawDocument, h *hit) error {
	h.sequence = h.line.Time
	if n, err := strconv.ParseInt(string(doc.sequence), 10, 64); err == nil {
		h.sequence = n
	}
	if string(doc.action) != `"gap"` {
		return nil
	}
	var event struct{ Start, End, Reason string }
	if err := json.Unmarshal(doc.event, &event); err != nil {
		return fmt.Errorf("decode a gap: %w", err)
	}
	h.line.Kind = ktail.Gap
	h.line.Since, h.line.Time = parseTime(event.Start), parseTime(event.End)
	h.line.Text = []byte(event.Reason)
	return nil
}

// parseTime returns a time in Unix nanoseconds, or 0 if there is none.
func parseTime(s string) int64 {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return 0
	}
	return t.UnixNano()
}

// text returns the text of a JSON string. It is never written to again.
func (d *documentDecoder) text(quoted []byte) []byte {
	if len(quoted) < 2 || quoted[0] != '"' {
		return nil
	}
	raw := quoted[1 : len(quoted)-1]
	if len(raw) > cap(d.chunk)-len(d.chunk) { // unescaped, it is not longer
		d.chunk = make([]byte, 0, max(textChunk, len(raw)))
	}
	start := len(d.chunk)
	d.chunk = text.AppendUnescaped(d.chunk, raw)
	return d.chunk[start:len(d.chunk):len(d.chunk)]
}

// stream returns the stream of a document. Documents of the same container
// instance share it.
func (d *documentDecoder) stream(doc *rawDocument) (*ktail.Stream, error) {
	d.scratch = d.scratch[:0]
	for _, raw := range doc.identity {
		d.scratch = append(d.scratch, raw...)
	}
	if s := d.streams[string(d.scratch)]; s != nil {
		return s, nil
	}
	s, err := d.layout.decodeStream(doc.identity[:len(d.layout.identity)])
	if err != nil {
		return nil, fmt.Errorf("decode the metadata of a document: %w", err)
	}
	if d.streams == nil || len(d.streams) >= maxDecodedStreams {
		d.streams = map[string]*ktail.Stream{}
	}
	d.streams[string(d.scratch)] = s
	return s, nil
}

// learn keeps the constant of a stream.
func (d *documentDecoder) learn(doc *rawDocument, h *hit, stream *ktail.Stream) {
	if doc.constant == nil {
		return
	}
	key := h.id.stream()
	d.size += len(doc.constant) - len(d.constants[key].text)
	if d.constants == nil || d.size > maxDecodedSize {
		d.constants, d.size = map[uint64]constant{}, len(doc.constant)
	}
	d.constants[key] = constant{bytes.Clone(doc.constant), stream}
}

// completeness holds the fields of a search response that show whether it is complete.
type completeness struct {
	TimedOut bool            `json:"timed_out"`
	Shards   json.RawMessage `json:"_shards"`
	Clusters json.RawMessage `json:"_clusters"` // if it was a search in several
}

// err returns an error if shards or clusters are missing from the response: then lines
// are. All search responses name their shards.
func (c *completeness) err() error {
	var shards struct {
		Total, Failed int
		Failures      []struct {
			Index  string
			Reason struct{ Type, Reason string }
		}
	}
	var clusters struct{ Total, Skipped, Partial, Failed int }
	if json.Unmarshal(c.Shards, &shards) != nil || c.Clusters != nil && json.Unmarshal(c.Clusters, &clusters) != nil {
		return errResponse
	}
	switch {
	case shards.Failed > 0 && len(shards.Failures) > 0:
		f := shards.Failures[0]
		return fmt.Errorf("%d of %d shards failed; index %s: %s: %s", shards.Failed, shards.Total, f.Index, f.Reason.Type, f.Reason.Reason)
	case shards.Failed > 0:
		return fmt.Errorf("%d of %d shards failed", shards.Failed, shards.Total)
	case clusters.Skipped+clusters.Partial+clusters.Failed > 0: // see skip_unavailable
		return fmt.Errorf("%d of %d clusters did not answer completely", clusters.Skipped+clusters.Partial+clusters.Failed, clusters.Total)
	case c.TimedOut:
		return errSearchTimeout
	}
	return nil
}
