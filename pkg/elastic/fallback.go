package elastic

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/ktail/ktail/pkg/text"
)

// minimalDocument returns the minimal form of a document that the server rejected for
// the reason. It has only fields whose types ktail defines, and the whole document as
// text. It omits the message if the reason mentions that field. It returns nil if the
// pair is not one of ktail's. It does not change the pair.
func minimalDocument(pair []byte, reason string) []byte {
	action, raw, ok := bytes.Cut(pair, []byte("\n"))
	if !ok {
		return nil
	}
	var doc struct {
		Time    string `json:"@timestamp"`
		Message string `json:"message"`
		Event   struct {
			Sequence json.Number `json:"sequence"`
		} `json:"event"`
	}
	if json.Unmarshal(raw, &doc) != nil || doc.Event.Sequence == "" {
		return nil
	}
	out := append(bytes.Clone(action), "\n"+documentStart...)
	out = append(text.AppendEscaped(out, []byte(doc.Time)), `","event":{"sequence":`...)
	out = append(append(out, doc.Event.Sequence...), '}')
	if !strings.Contains(reason, "[message]") {
		out = appendQuoted(append(out, `,"message":`...), doc.Message)
	}
	out = appendQuoted(append(out, `,"ktail":{"document":`...), bytes.TrimSpace(raw))
	return append(out, "}}\n"...)
}

// minMessage is the length below which a message is not truncated further.
const minMessage = 1 << 10

// truncateMessage returns the document with half of its message and a flag that it was
// truncated. It returns nil if the message is already short. It does not change the
// pair.
func truncateMessage(pair []byte) []byte {
	action, raw, ok := bytes.Cut(pair, []byte("\n"))
	if !ok {
		return nil
	}
	var doc map[string]json.RawMessage
	var message string
	if json.Unmarshal(raw, &doc) != nil || json.Unmarshal(doc["message"], &message) != nil || len(message) < minMessage {
		return nil
	}
	out := append(bytes.Clone(action), "\n"+documentStart...)
	var at string
	if json.Unmarshal(doc["@timestamp"], &at) != nil {
		return nil
	}
	out = append(text.AppendEscaped(out, []byte(at)), `","message":`...)
	out = appendQuoted(out, string(text.Cut([]byte(message), len(message)/2)))
	var log struct{ Level json.RawMessage }
	if json.Unmarshal(doc["log"], &log) == nil && log.Level != nil {
		out = append(append(append(out, `,"log":{"level":`...), log.Level...), `,"flags":["truncated"]}`...)
	} else {
		out = append(out, flagTruncated...)
	}
	for name, value := range doc {
		switch name {
		case "@timestamp", "message", "log":
		default:
			out = append(append(appendQuoted(append(out, ','), name), ':'), value...)
		}
	}
	return append(out, "}\n"...)
}
