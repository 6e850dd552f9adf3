package output

import (
	"strings"
	"testing"
	"time"

	"github.com/ktail/ktail/pkg/ktail"
)

func TestStyle_NamesTheObjectOfAnEvent(t *testing.T) {
	web := &ktail.Stream{Namespace: "shop", Pod: "web-1", Container: "app", PodUID: "u"}
	tests := []struct {
		name      string
		namespace bool
		stream    *ktail.Stream
		event     ktail.Event
		text      string
		want      string
	}{
		{"container", false, web, ktail.Event{Count: 5}, "Back-off", "! web-1 › app: Back-off (x5)"},
		{"pod", false, &ktail.Stream{Namespace: "shop", Pod: "web-1"}, ktail.Event{Count: 1}, "Unschedulable", "! web-1: Unschedulable"},
		{"owner", true, &ktail.Stream{Namespace: "shop"}, ktail.Event{Object: "deploy/web"}, "Scaled", "! shop deploy/web: Scaled"},
		{"node", true, ktail.NodeStream("prod", "worker-1", ""), ktail.Event{Object: "node/worker-1"}, "NodeNotReady", "! node/worker-1: NodeNotReady"},
		{"hostile", false, &ktail.Stream{Pod: "a\x1b[2J"}, ktail.Event{}, "b\x1b]0;x\a\nc", `! a^[[2J: b^[]0;x^G^Jc`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := &ktail.Line{Kind: ktail.KubeEvent, Stream: tt.stream, Text: []byte(tt.text), Event: &tt.event}
			if got := (Style{Namespace: tt.namespace}).Event(l); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// Events are shown in order with lines, although their own times have whole seconds.
func TestJSON_TimestampOfAnEventIsItsOwn(t *testing.T) {
	at := time.Date(2026, 1, 31, 10, 0, 0, 0, time.UTC)
	l := &ktail.Line{
		Kind: ktail.KubeEvent, Stream: &ktail.Stream{Pod: "web-1"}, Time: at.Add(2 * time.Second).UnixNano(),
		Event: &ktail.Event{Reason: "BackOff", Count: 1, At: at.UnixNano()},
	}
	j := &JSON{Timestamps: NewTimestamps(TimestampRFC3339, time.UTC)}
	if got := string(j.Append(nil, l)); !strings.Contains(got, `"timestamp":"2026-01-31T10:00:00Z"`) {
		t.Errorf("got %s", got)
	}
	l.Event.At, l.Time = 0, at.Add(time.Minute).UnixNano() // of ktail itself
	if got := string(j.Append(nil, l)); !strings.Contains(got, `"timestamp":"2026-01-31T10:01:00Z"`) {
		t.Errorf("got %s", got)
	}
}
