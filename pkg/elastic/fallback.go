package elastic

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode/utf8"

	"github.com/ktail/ktail/pkg/text"
)

// minimalDocument returns what can be tried in place of a document that the server has
// refused for the reason: only fields whose type ktail knows, and the
// whole document as text. A message that is the very reason is left to that.
// It returns nil if the pair is not one of ktail's. The pair stays as it is.
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

// leastMessage is how short a message becomes before a document counts as one
// that the server does not take at all.
const leastMessage = 1 << 10

// truncateMessage returns the document with half of its message, and marked so. It
// returns nil if the message is short already. The pair stays as it is.
func truncateMessage(pair []byte) []byte {
	action, raw, ok := bytes.Cut(pair, []byte("\n"))
	if !ok {
		return nil
	}
	var doc map[string]json.RawMessage
	var message string
	if json.Unmarshal(raw, &doc) != nil || json.Unmarshal(doc["message"], &message) != nil || len(message) < leastMessage {
		return nil
	}
	cut := len(message) / 2
	for cut > 0 && !utf8.RuneStart(message[cut]) {
		cut--
	}
	out := append(bytes.Clone(action), "\n"+documentStart...)
	var at string
	if json.Unmarshal(doc["@timestamp"], &at) != nil {
		return nil
	}
	out = append(text.AppendEscaped(out, []byte(at)), `","message":`...)
	out = appendQuoted(out, message[:cut])
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
