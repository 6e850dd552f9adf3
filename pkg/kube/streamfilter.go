package kube

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/ktail/ktail/pkg/ktail"
)

// StreamFilter returns a function that reports whether the selection includes
// the log of a stream. It uses only the metadata in the stream, so it also
// works for pods that no longer exist and without a cluster. It returns an
// error if the selection depends on something that a stream does not contain,
// such as the state or the kind of a container or the pods that a Service selects.
func (s *Selection) StreamFilter() (func(*ktail.Stream) bool, error) {
	switch {
	case s.Condition != nil:
		return nil, fmt.Errorf("the condition of a pod (%s) is only known to the cluster", s.Condition.Type)
	case s.States != 0 && s.States != Running|Waiting|Terminated:
		return nil, errors.New("the state of a container is only known to the cluster")
	case s.NoInitContainers:
		return nil, errors.New("whether a container is an init container is only known to the cluster; remove --init-containers=false, or exclude it by name with --exclude-container")
	case s.NoEphemeralContainers:
		return nil, errors.New("whether a container is an ephemeral container is only known to the cluster; remove --ephemeral-containers=false, or exclude it by name with --exclude-container")
	}
	selector, err := labels.Parse(s.LabelSelector)
	if err != nil {
		return nil, fmt.Errorf("invalid label selector %q: %w", s.LabelSelector, err)
	}
	fieldSelector, err := parseStreamFields(s.FieldSelector)
	if err != nil {
		return nil, err
	}
	var owned []func(*ktail.Stream) bool
	for _, o := range s.Owners {
		matches, err := o.streamFilter()
		if err != nil {
			return nil, err
		}
		owned = append(owned, matches)
	}
	return func(stream *ktail.Stream) bool {
		if len(s.Namespaces) > 0 && !slices.Contains(s.Namespaces, stream.Namespace) {
			return false
		}
		if matchesAny(s.ExcludePods, stream.Pod) || !s.wantsContainer(stream.Container) || !s.Shard.Owns(stream.Node) {
			return false
		}
		wanted := func(matches func(*ktail.Stream) bool) bool { return matches(stream) }
		if !s.namesPod(stream.Pod) && !slices.ContainsFunc(owned, wanted) {
			return false
		}
		return selector.Matches(streamLabels(stream.Labels)) && fieldSelector.Matches(streamFields(stream))
	}, nil
}

// streamFields returns the fields of a pod that a stream contains.
func streamFields(s *ktail.Stream) fields.Set {
	return fields.Set{"metadata.name": s.Pod, "metadata.namespace": s.Namespace, "spec.nodeName": s.Node}
}

func parseStreamFields(selector string) (fields.Selector, error) {
	parsed, err := fields.ParseSelector(selector)
	if err != nil {
		return nil, fmt.Errorf("invalid field selector %q: %w", selector, err)
	}
	known := streamFields(&ktail.Stream{})
	for _, r := range parsed.Requirements() {
		if !known.Has(r.Field) {
			return nil, fmt.Errorf("the field %s of a pod is only known to the cluster; use metadata.name, metadata.namespace, or spec.nodeName", r.Field)
		}
	}
	return parsed, nil
}

// streamLabels are the labels of a pod, or those in a document. Documents have
// underscores in place of the dots in label keys, because a dot would start an
// object; only the dots of the prefix can be restored.
type streamLabels map[string]string

// Has implements labels.Labels.
func (l streamLabels) Has(key string) bool {
	_, ok := l.Lookup(key)
	return ok
}

// Get implements labels.Labels.
func (l streamLabels) Get(key string) string {
	value, _ := l.Lookup(key)
	return value
}

// Lookup implements labels.Labels.
func (l streamLabels) Lookup(key string) (value string, ok bool) {
	i := strings.Index(key, "/") + 1
	written := key[:i] + strings.ReplaceAll(key[i:], ".", "_")
	// Another label of the pod may be written in the same way; then one of them has an
	// underscore at its end, which no label key has.
	for _, name := range []string{key, written + "_", written} {
		if value, ok = l[name]; ok {
			return value, true
		}
	}
	return "", false
}

// streamFilter returns a function that reports whether a stream belongs to the
// owner, according to the names in the stream.
func (o Owner) streamFilter() (func(*ktail.Stream) bool, error) {
	known, ok := BuiltInKind(o.Kind)
	if !ok { // a custom resource that owns pods itself
		return func(s *ktail.Stream) bool { return s.Owner.Name == o.Name && isKind(s.Owner.Kind, o.Kind) }, nil
	}
	kind := known.Kind
	owns := func(s *ktail.Stream) bool { return s.Owner.Kind == kind && s.Owner.Name == o.Name }
	switch kind {
	case "Pod":
		return func(s *ktail.Stream) bool { return s.Pod == o.Name }, nil
	case "Service":
		return nil, fmt.Errorf("%s: the pods of a service are only known to the cluster; select them by --selector", o)
	case "ReplicaSet":
		// The stream names the Deployment; the pod is named after the
		// ReplicaSet.
		return func(s *ktail.Stream) bool {
			return owns(s) || s.Owner.Kind == "Deployment" && generatedFrom(s.Pod, o.Name)
		}, nil
	case "CronJob":
		jobs, err := regexp.Compile("^" + regexp.QuoteMeta(o.Name) + `-\d+$`)
		if err != nil {
			return nil, fmt.Errorf("invalid query %s: %w", o, err)
		}
		return func(s *ktail.Stream) bool { return owns(s) || s.Owner.Kind == "Job" && jobs.MatchString(s.Owner.Name) }, nil
	}
	return owns, nil
}

// isKind reports whether the word is a name of the kind, as far as that is known
// without the cluster: the kind itself or its plural, alone or followed by .group.
func isKind(kind, word string) bool {
	name, _, _ := strings.Cut(strings.ToLower(word), ".")
	plural, singular := meta.UnsafeGuessKindToResource(schema.GroupVersionKind{Kind: kind})
	return name == singular.Resource || name == plural.Resource
}

// generatedFrom reports whether the API server may have generated the name from
// the base: it appends a dash and five characters.
// https://github.com/kubernetes/apiserver/blob/v0.35.0/pkg/storage/names/generate.go
func generatedFrom(name, base string) bool {
	suffix, ok := strings.CutPrefix(name, base+"-")
	return ok && len(suffix) == 5 && !strings.Contains(suffix, "-")
}
