package kube

import (
	"context"
	"regexp"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/ktail/ktail/pkg/ktail"
	"github.com/ktail/ktail/pkg/kube/internal/corev1"
)

// Name identifies an object.
type Name struct {
	Namespace, Name string
	Labels          map[string]string
	Workload        string // for a pod, its name without the generated suffix
}

// Names lists at most most objects of a kind, in one namespace, or in all if
// namespace is empty. It requests only metadata.
func (c *Client) Names(ctx context.Context, kind Kind, namespace string, most int64) ([]Name, error) {
	return c.names(ctx, kind, namespace, metav1.ListOptions{Limit: most})
}

// NamesWithFields is like Names for the pods that the field selector selects.
func (c *Client) NamesWithFields(ctx context.Context, fieldSelector, namespace string, most int64) ([]Name, error) {
	return c.names(ctx, PodKind, namespace, metav1.ListOptions{Limit: most, FieldSelector: fieldSelector})
}

func (c *Client) names(ctx context.Context, kind Kind, namespace string, options metav1.ListOptions) ([]Name, error) {
	o := objects{client: c, kind: kind, namespace: namespace}
	list, err := o.list(ctx, options)
	if err != nil {
		return nil, wrapListError(err, "list", kind.groupResource(), namespace)
	}
	names := make([]Name, len(list.Items))
	for i := range list.Items {
		m := &list.Items[i].ObjectMeta
		names[i] = Name{Namespace: m.Namespace, Name: m.Name, Labels: m.Labels, Workload: workload(m)}
	}
	return names, nil
}

// PodContainers holds the containers of a pod.
type PodContainers struct {
	Pod        Name
	Containers []PodContainer
}

// PodContainer is a container of a pod.
type PodContainer struct{ Name, Image string }

// Containers lists the containers of at most most pods of the selection in one
// namespace, or in all if namespace is empty. It ignores Selection.Owners.
func (c *Client) Containers(ctx context.Context, s *Selection, namespace string, most int64) ([]PodContainers, error) {
	var list corev1.PodList
	options := metav1.ListOptions{Limit: most, LabelSelector: s.LabelSelector, FieldSelector: s.fieldSelector()}
	err := c.rest.Get().Namespace(namespace).Resource("pods").VersionedParams(&options, metav1.ParameterCodec).MaxRetries(0).Do(ctx).Into(&list)
	if err != nil {
		return nil, wrapListError(err, "list", "pods", namespace)
	}
	var pods []PodContainers
	for i := range list.Items {
		pod := &list.Items[i]
		if !s.wantsPod(pod.Name) {
			continue
		}
		p := PodContainers{Pod: Name{Namespace: pod.Namespace, Name: pod.Name, Labels: pod.Labels, Workload: workload(&pod.ObjectMeta)}}
		for _, specs := range [][]corev1.Container{pod.Spec.InitContainers, pod.Spec.Containers} {
			for _, c := range specs {
				p.Containers = append(p.Containers, PodContainer{c.Name, c.Image})
			}
		}
		for _, c := range pod.Spec.EphemeralContainers {
			p.Containers = append(p.Containers, PodContainer{c.Name, c.Image})
		}
		pods = append(pods, p)
	}
	return pods, nil
}

// MatchesName reports whether the selection includes the pod as far as its name says.
// It ignores the owners.
func (s *Selection) MatchesName(pod Name) bool {
	return !matchesAny(s.ExcludePods, pod.Name) && s.namesPod(pod.Name)
}

// MatchesLabels reports whether the label selector selects the pod.
func (s *Selection) MatchesLabels(pod Name) bool {
	if s.LabelSelector == "" {
		return true
	}
	selector, err := labels.Parse(s.LabelSelector)
	return err == nil && selector.Matches(labels.Set(pod.Labels))
}

// ownerOf returns the controller of the pod according to its owner references
// or, without one, the first owner. For a ReplicaSet of a Deployment, it returns
// the Deployment: the name of the ReplicaSet ends with a hash that is also a label
// of the pod.
func ownerOf(m *metav1.ObjectMeta) ktail.Owner {
	ref := metav1.GetControllerOfNoCopy(m)
	if ref == nil && len(m.OwnerReferences) > 0 {
		ref = &m.OwnerReferences[0]
	}
	if ref == nil {
		return ktail.Owner{}
	}
	if hash := m.Labels["pod-template-hash"]; hash != "" && ref.Kind == "ReplicaSet" {
		if name, ok := strings.CutSuffix(ref.Name, "-"+hash); ok {
			return ktail.Owner{Kind: "Deployment", Name: name}
		}
	}
	return ktail.Owner{Kind: ref.Kind, Name: ref.Name}
}

var ordinal = regexp.MustCompile(`-\d+$`)

// workload returns the pod's name without the generated suffix.
func workload(m *metav1.ObjectMeta) string {
	base := m.Name
	switch {
	case m.GenerateName != "":
		base = strings.TrimSuffix(m.GenerateName, "-")
		base = strings.TrimSuffix(base, "-"+m.Labels["pod-template-hash"])
	case m.Labels["statefulset.kubernetes.io/pod-name"] != "":
		base = ordinal.ReplaceAllString(base, "")
	}
	return base
}
