package fakeapi

import (
	"fmt"
	"time"
)

// Event is a Kubernetes event as the kubelet and controllers write it.
type Event struct {
	Name            string // of the object; putting another one with this name is a repetition
	Kind, Object    string // what it is about: Pod, web-1
	Namespace       string
	UID             string // of the object it is about
	Container       string // empty: the whole pod
	Reason, Message string
	Type            string // Normal or Warning
	Count           int
	At              time.Time // shown in whole seconds
}

// PutEvent adds an event, or a repetition of one.
func (s *Server) PutEvent(e Event) error {
	about := map[string]any{"kind": e.Kind, "namespace": e.Namespace, "name": e.Object, "uid": e.UID, "apiVersion": "v1"}
	if e.Container != "" {
		about["fieldPath"] = fmt.Sprintf("spec.containers{%s}", e.Container)
	}
	if e.Kind == "Node" { // it has no namespace; its events are in the namespace default
		about = map[string]any{"kind": e.Kind, "name": e.Object}
	}
	at := e.At.UTC().Format(time.RFC3339)
	return s.PutObject(Object{
		"apiVersion": "v1", "kind": "Event",
		"metadata":       map[string]any{"namespace": e.Namespace, "name": e.Name},
		"involvedObject": about,
		"reason":         e.Reason, "message": e.Message, "type": e.Type, "count": int64(e.Count),
		"firstTimestamp": at, "lastTimestamp": at, "eventTime": nil,
	})
}
