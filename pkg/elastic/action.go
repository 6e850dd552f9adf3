package elastic

import (
	"bytes"
	"encoding/base64"
)

// The action in front of a document. All documents are created, so that one that is
// indexed already is not written again. Only a document whose message was truncated,
// and which is delivered in full later, has to replace the one that is there. A data
// stream cannot replace documents: there it is created beside the other, with an ID
// of its own. Both actions are of the same length; see timeAt.
const (
	createAction  = `{"create":{"_id":"`
	replaceAction = `{"index" :{"_id":"`
	actionEnd     = "\"}}\n"
)

// appendAction appends the action that creates the document with the ID, which may be
// followed by more.
func appendAction(dst []byte, action string, id []byte) []byte {
	return append(append(append(dst, action...), id...), actionEnd...)
}

// documentID returns the ID of the document in the action. It is that of the line,
// also for a document that has an ID of its own in a data stream.
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

// fullBit is set, in a data stream, in the ID of the full version of a document whose
// message was truncated. No line has as high an occurrence number.
const fullBit = 0x80

// isFull reports whether the ID has the full bit. That is the highest bit of the byte
// with the occurrence number, hence of a base64 digit.
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

// convertAction changes the action in front of a document for a data stream, or for
// an index. It changes pair in place.
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
