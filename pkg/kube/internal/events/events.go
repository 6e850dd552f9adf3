// Package events reads Kubernetes events and decides which of them to show.
//
// An event that repeats is an update of the same object with a larger count. So the
// UID of the object and its count identify what was shown, also when a list returns
// it again. Counts are not exact: clients report at most 25 events for each object
// and source, and then one every five minutes, and they combine similar ones.
package events

import (
	"cmp"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
)

// Event has the fields of a core/v1 Event that ktail reads.
type Event struct {
	metav1.TypeMeta `json:",inline"`
	Meta            `json:"metadata"`

	InvolvedObject struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
		Namespace  string `json:"namespace"`
		Name       string `json:"name"`
		UID        string `json:"uid"`
		FieldPath  string `json:"fieldPath"`
	} `json:"involvedObject"`
	Reason         string      `json:"reason"`
	Message        string      `json:"message"`
	Type           string      `json:"type"`
	Count          int         `json:"count"`
	FirstTimestamp metav1.Time `json:"firstTimestamp"`
	LastTimestamp  metav1.Time `json:"lastTimestamp"`
	EventTime      metav1.Time `json:"eventTime"`
	Series         *struct {
		Count            int         `json:"count"`
		LastObservedTime metav1.Time `json:"lastObservedTime"`
	} `json:"series"`
}

// Meta has the metadata that is needed. Others, such as the managed fields, take longer to
// decode than the rest of an event.
type Meta struct {
	Name              string            `json:"name"`
	Namespace         string            `json:"namespace"`
	UID               types.UID         `json:"uid"`
	ResourceVersion   string            `json:"resourceVersion"`
	CreationTimestamp metav1.Time       `json:"creationTimestamp"`
	Annotations       map[string]string `json:"annotations"` // of bookmarks
}

// GetObjectMeta implements metav1.ObjectMetaAccessor.
func (m *Meta) GetObjectMeta() metav1.Object {
	return &metav1.ObjectMeta{
		Name: m.Name, Namespace: m.Namespace, UID: m.UID, ResourceVersion: m.ResourceVersion,
		CreationTimestamp: m.CreationTimestamp, Annotations: m.Annotations,
	}
}

// DeepCopyObject implements runtime.Object.
func (e *Event) DeepCopyObject() runtime.Object {
	c := *e
	c.Annotations = maps.Clone(e.Annotations)
	if e.Series != nil {
		series := *e.Series
		c.Series = &series
	}
	return &c
}

// List is a list of events.
type List struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata"`
	Items           []Event `json:"items"`
}

// DeepCopyObject implements runtime.Object.
func (l *List) DeepCopyObject() runtime.Object {
	c := &List{TypeMeta: l.TypeMeta}
	l.DeepCopyInto(&c.ListMeta)
	for i := range l.Items {
		c.Items = append(c.Items, *l.Items[i].DeepCopyObject().(*Event))
	}
	return c
}

// Warning is the type of an event about a problem.
const Warning = "Warning"

// Times returns how often the event has happened, at least 1.
func (e *Event) Times() int {
	n := max(e.Count, 1)
	if e.Series != nil {
		n = max(n, e.Series.Count)
	}
	return n
}

// At returns when the event happened last.
func (e *Event) At() time.Time {
	at := e.LastTimestamp.Time
	for _, t := range []time.Time{e.EventTime.Time, e.FirstTimestamp.Time} {
		if at.IsZero() {
			at = t
		}
	}
	if e.Series != nil && e.Series.LastObservedTime.After(at) {
		at = e.Series.LastObservedTime.Time
	}
	if at.IsZero() {
		at = e.CreationTimestamp.Time
	}
	return at
}

var inFieldPath = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^spec\.(containers|initContainers|ephemeralContainers)\{(.+)\}$`)
})

// Container returns the name of the container that the event is about, or "" if
// it is about the whole object.
func (e *Event) Container() string {
	m := inFieldPath().FindStringSubmatch(e.InvolvedObject.FieldPath)
	if m == nil {
		return ""
	}
	return m[2]
}

// explaining lists the reasons of events that are not warnings but explain why
// a container or a pod ended.
var explaining = []string{
	"Killing", "Preempting", "Preempted", "Evicted", "ScalingReplicaSet", "SuccessfulDelete", "TaintManagerEviction",
	"NodeNotReady", "SuccessfulRescale",
}

// Important reports whether the event is a warning or explains an end.
func (e *Event) Important() bool {
	return e.Type == Warning || slices.Contains(explaining, e.Reason)
}

// maxMessage bounds the message of an event, in characters.
const maxMessage = 300

var podName = sync.OnceValue(func() *regexp.Regexp {
	const pod = `[a-z0-9.-]+_[a-z0-9-]+\([0-9a-f-]{32,36}\)`
	return regexp.MustCompile(`,? (in|for|of) pod ` + pod + `|^pod: "` + pod + `"\. `)
})

// Text returns the message on one line, without the name of the object, and cut if
// it is long.
func (e *Event) Text() string {
	s := podName().ReplaceAllString(e.Message, "")
	for _, prefix := range []string{"status is now: ", "event: "} { // of the kubelet and of the node controller
		s = strings.TrimPrefix(s, "Node "+e.InvolvedObject.Name+" "+prefix)
	}
	s = strings.TrimPrefix(s, "(combined from similar events): ")
	return OneLine(cmp.Or(strings.TrimSpace(s), e.Reason), maxMessage)
}

// OneLine returns a text on one line of at most n characters. White space becomes single
// spaces.
func OneLine(s string, n int) string {
	s = strings.Join(strings.Fields(s), " ")
	if runes := []rune(s); len(runes) > n {
		return string(runes[:n-1]) + "…"
	}
	return s
}

var failedProbe = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`failed (liveness|startup) probe`)
})

// Cause returns why a container or a pod is ending, if the event explains it and
// the status of the container does not. Otherwise, it returns "".
func (e *Event) Cause() string {
	switch e.Reason {
	case "Killing":
		return failedProbe().FindString(e.Message)
	case "Preempting", "Preempted":
		return "preempted"
	case "Evicted":
		return "evicted: " + e.Text()
	case "TaintManagerEviction":
		if strings.HasPrefix(e.Message, "Cancelling") {
			return ""
		}
		return "evicted: taint of the node"
	}
	return ""
}
