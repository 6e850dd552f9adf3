package fakeapi

import (
	"fmt"
	"net/url"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
)

// selection is the selection of a list or watch.
type selection struct {
	namespace string // empty for all namespaces
	labels    labels.Selector
	fields    fields.Selector
}

func newSelection(namespace string, q url.Values) (*selection, error) {
	l, err := labels.Parse(q.Get("labelSelector"))
	if err != nil {
		return nil, fmt.Errorf("unable to parse requirement: %w", err)
	}
	f, err := fields.ParseSelector(q.Get("fieldSelector"))
	if err != nil {
		return nil, err
	}
	known := fieldsOf(&podVersion{pod: &corev1.Pod{}})
	for _, r := range f.Requirements() {
		if !known.Has(r.Field) {
			return nil, fmt.Errorf("field label not supported: %s", r.Field)
		}
	}
	return &selection{namespace: namespace, labels: l, fields: f}, nil
}

func (s *selection) matches(v *podVersion) bool {
	return (s.namespace == "" || s.namespace == v.pod.Namespace) &&
		s.labels.Matches(labels.Set(v.pod.Labels)) &&
		(s.fields.Empty() || s.fields.Matches(fieldsOf(v)))
}

// everything reports whether the selection matches all objects.
func (s *selection) everything() bool { return s.labels.Empty() && s.fields.Empty() }

func fieldsOf(v *podVersion) fields.Set {
	p := v.pod
	return fields.Set{
		"involvedObject.kind": v.of,
		"metadata.name":       p.Name,
		"metadata.namespace":  p.Namespace,
		"spec.nodeName":       p.Spec.NodeName,
		"spec.restartPolicy":  string(p.Spec.RestartPolicy),
		"status.phase":        string(p.Status.Phase),
		"status.podIP":        p.Status.PodIP,
	}
}
