package elastic

import (
	"bytes"
	"encoding/base64"
)

// Every document follows an action. Documents are created, so that one that is already
// indexed is not written again. Only a document whose message was truncated, and which
// is delivered in full later, replaces the one in the index. A data stream cannot
// replace documents: there, the full document is created next to the truncated one,
// with an ID of its own. Both actions have the same length; see timeAt.
const (
	createAction  = `{"create":{"_id":"`
	replaceAction = `{"index" :{"_id":"`
	actionEnd     = "\"}}\n"
)

// appendAction appends the action for a document with the given ID.
func appendAction(dst []byte, action string, id []byte) []byte {
	return append(append(append(dst, action...), id...), actionEnd...)
}

// documentID returns the ID in the action. For the full version of a truncated document
// in a data stream, it returns the ID of the line.
func documentID(action []byte) string {
	if len(action) < len(createAction)+idLen {
		return ""
	}
	id := string(action[len(createAction):][:idLen])
	if isFull(id) {
		return toggleFull(id)
	}
	return id
}

// fullBit is set in the ID of the full version of a truncated document in a data
// stream. Occurrence numbers are too small to use this bit.
const fullBit = 0x80

// isFull reports whether fullBit is set. It is the highest bit of the byte with the
// occurrence number, hence of a base64 digit.
func isFull(id string) bool {
	c := id[len(id)-4]
	return c >= 'g' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '_'
}

func toggleFull(id string) string {
	b, err := base64.RawURLEncoding.DecodeString(id)
	if err != nil {
		return id
	}
	b[24] ^= fullBit
	return base64.RawURLEncoding.EncodeToString(b)
}

// convertAction changes the action of a document in place, for a data stream or for an
// index.
func convertAction(pair []byte, toDataStream bool) {
	id := pair[len(createAction):][:idLen]
	switch {
	case toDataStream && bytes.HasPrefix(pair, []byte(replaceAction)):
		copy(id, toggleFull(string(id)))
		copy(pair, createAction)
	case !toDataStream && isFull(string(id)):
		copy(id, toggleFull(string(id)))
		copy(pair, replaceAction)
	}
}
