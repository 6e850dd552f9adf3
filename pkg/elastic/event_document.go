package elastic

import (
	"strconv"

	"github.com/cespare/xxhash/v2"

	"github.com/ktail/ktail/pkg/ktail"
)

// eventDataset is the event.dataset of Kubernetes events.
const eventDataset = "kubernetes.event"

// eventMark returns what identifies a Kubernetes event in its document's ID: the event
// object and its count. Every run that reads the event computes the same ID.
func eventMark(e *ktail.Event) ktail.Mark {
	return ktail.Mark{Time: e.At, Digest: xxhash.Sum64String(e.UID + " " + strconv.Itoa(e.Count))}
}

// appendEvent appends the fields of a Kubernetes event: the rest of the object
// "event", and the message.
func appendEvent(dst []byte, l *ktail.Line) []byte {
	dst = appendQuoted(append(dst, `,"action":`...), l.Event.Reason)
	dst = strconv.AppendInt(append(dst, `,"count":`...), int64(l.Event.Count), 10)
	dst = append(dst, '}')
	return appendQuoted(append(dst, `,"message":`...), l.Text)
}
