package main

import (
	"cmp"
	"fmt"
	"time"

	"github.com/ktail/ktail/pkg/elastic"
)

// event prints an event of the sink.
func (f *forwarding) event(e elastic.Event) {
	name := f.name
	if e.Index != "" {
		name += ", index " + e.Index + ","
	}
	var text string
	switch e.Kind {
	case elastic.Unreachable:
		text = fmt.Sprintf("%s is unreachable: %v; buffering, retrying", f.name, e.Err)
	case elastic.Busy:
		text = fmt.Sprintf("%s is busy: %v; buffering, retrying", name, e.Err)
	case elastic.Blocked:
		text = fmt.Sprintf("%s rejects the requests: %v; buffering, retrying every minute", name, e.Err)
	case elastic.Recovered:
		text = fmt.Sprintf("%s is accepting lines again", name)
	case elastic.NodeDown:
		text = fmt.Sprintf("Elasticsearch node %s cannot be used: %v; using the other nodes", e.Node, e.Err)
	case elastic.NodeUp:
		text = fmt.Sprintf("Elasticsearch node %s can be used again", e.Node)
	case elastic.Full:
		text = fmt.Sprintf("%s cannot keep up and the buffer is full; reading is paused", f.name)
	case elastic.Dropping:
		text = fmt.Sprintf("%s cannot keep up and the buffer is full; dropping the oldest lines", f.name)
	case elastic.SpoolFailing:
		text = fmt.Sprintf("%v; buffering in memory", e.Err)
	case elastic.Rejected:
		text = fmt.Sprintf("%s rejected a document: %v; it and others like it are saved as dead letters", f.name, e.Err)
	case elastic.SpoolDamaged:
		text = fmt.Sprintf("the spool is damaged: %v; the lines in the damaged part were not delivered", e.Err)
	default:
		text = warning(e)
	}
	if e.Count > 0 {
		unit := "times"
		if e.Kind == elastic.Dropping {
			unit = "lines"
		}
		text += fmt.Sprintf(" (%d %s in %s)", e.Count, unit, e.Lasted.Round(time.Second))
	}
	f.printf("%s", text)
}

// warning returns the text of an event that does not stop delivery.
func warning(e elastic.Event) string {
	consequence := map[elastic.EventKind]string{
		elastic.NoTemplate:         "field types will be guessed",
		elastic.SpoolOutdated:      "they are kept, but their lines are not sent; send them with that version, or delete them",
		elastic.NoRollover:         "the data stream needs another policy that rolls it over before it holds 2^31 documents",
		elastic.NoLookup:           "after a rollover, lines that are sent again may be duplicated",
		elastic.LettersDropped:     "resend dead letters before the file reaches its limit",
		elastic.CredentialsFailing: "using the last valid ones",
	}[e.Kind]
	return fmt.Sprintf("warning: %v; %s", e.Err, cmp.Or(consequence, "continuing"))
}
