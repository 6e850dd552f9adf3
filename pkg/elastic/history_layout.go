package elastic

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/ktail/ktail/pkg/ktail"
)

// A layout says how documents describe a line: where its stream, its time, and its text
// are, and which field puts the documents in order.
type layout struct {
	shipper string // programs that write such documents; empty: ktail

	// order is the field by which documents are sorted and ranges are selected. unit is
	// the number of nanoseconds of its unit. Servers aggregate it with an error of up to
	// rounding nanoseconds.
	order          string
	unit, rounding int64

	identity []string // members of a document that describe the stream
	message  []string // members with the text, most preferred first; an object has it in "text"
	exact    string   // member with the time in nanoseconds; only trusted if it agrees with @timestamp
	stream   streamFields
}

// streamFields are the paths of the fields that describe a stream. An empty path means
// that documents do not have the field.
type streamFields struct {
	namespace, pod, uid, container string
	node, cluster                  string
	containerID, runtime, image    string
	labels                         []string // objects with labels, or beginnings of the paths of labels
	owner                          func(kind string) string
	otherOwner                     string // object with kind and name
}

// key returns the fields that identify a stream, in the order of the listing.
func (f *streamFields) key() []string { return []string{f.namespace, f.pod, f.uid, f.container} }

// own is the layout of ktail's documents. The sequence keeps the order of each stream
// even where times step back; @timestamp has milliseconds.
var own = &layout{
	order: "event.sequence", unit: 1,
	rounding: 1 << 10, // a double holds 53 bits of the 61 of a time
	identity: ecsIdentity, stream: ecsStream,
}

// layouts are the known layouts. If several programs have forwarded the lines of a stream
// in the same period, the lines of the first one are shown.
//
// https://www.elastic.co/docs/reference/beats/filebeat/exported-fields-kubernetes-processor
// https://docs.fluentbit.io/manual/data-pipeline/filters/kubernetes
// https://github.com/fabric8io/fluent-plugin-kubernetes_metadata_filter
// https://github.com/open-telemetry/opentelemetry-collector-contrib/tree/main/exporter/elasticsearchexporter
// https://github.com/open-telemetry/opentelemetry-collector-contrib/tree/main/exporter/opensearchexporter
var layouts = []*layout{
	own,
	byTimestamp(layout{ // also OpenTelemetry's mapping mode ecs
		shipper:  "Filebeat or Elastic Agent",
		identity: ecsIdentity, stream: ecsStream, message: []string{"message"},
	}),
	byTimestamp(layout{
		shipper:  "Fluent Bit or Fluentd",
		identity: []string{"kubernetes", "docker"}, message: []string{"log", "message"}, exact: "time",
		stream: streamFields{
			namespace: "kubernetes.namespace_name", pod: "kubernetes.pod_name", uid: "kubernetes.pod_id",
			container: "kubernetes.container_name", node: "kubernetes.host",
			containerID: "kubernetes.docker_id", image: "kubernetes.container_image",
			labels: []string{"kubernetes.labels"},
		},
	}),
	openTelemetry("resource", "resource.attributes.", "body"), // mapping mode otel
	openTelemetry("Resource", "Resource.", "Body"),            // mapping modes none and raw
	openTelemetry("resource", "resource.", "body"),            // exporter for OpenSearch
}

var (
	ecsIdentity = []string{"kubernetes", "container", "orchestrator", "host"}
	ecsStream   = streamFields{
		namespace: "kubernetes.namespace", pod: "kubernetes.pod.name", uid: "kubernetes.pod.uid",
		container: "kubernetes.container.name", node: "kubernetes.node.name", cluster: "orchestrator.cluster.name",
		containerID: "container.id", runtime: "container.runtime", image: "container.image.name",
		labels: []string{"kubernetes.labels"},
		owner:  func(kind string) string { return "kubernetes." + ownerFields[kind] + ".name" },

		otherOwner: "kubernetes.owner",
	}
)

// byTime selects documents of all layouts by their time.
var byTime = byTimestamp(layout{})

// byTimestamp completes the layout of documents that only their time puts in order.
func byTimestamp(l layout) *layout {
	l.order, l.unit = "@timestamp", int64(time.Millisecond)
	return &l
}

func openTelemetry(member, prefix, message string) *layout {
	return byTimestamp(layout{
		shipper: "OpenTelemetry", identity: []string{member}, message: []string{message},
		stream: streamFields{
			namespace: prefix + "k8s.namespace.name", pod: prefix + "k8s.pod.name", uid: prefix + "k8s.pod.uid",
			container: prefix + "k8s.container.name", node: prefix + "k8s.node.name", cluster: prefix + "k8s.cluster.name",
			containerID: prefix + "container.id", image: prefix + "container.image.name",
			labels: []string{prefix + "k8s.pod.labels", prefix + "k8s.pod.label"},
			owner:  func(kind string) string { return prefix + "k8s." + ownerFields[kind] + ".name" },
		},
	})
}

// name returns the programs that write such documents.
func (l *layout) name() string { return cmp.Or(l.shipper, "ktail") }

// matches returns the query for the documents with this layout.
func (l *layout) matches() jsonObject {
	sequence := jsonObject{"exists": jsonObject{"field": own.order}}
	if l == own {
		return anyOf(sequence, minimalDocuments)
	}
	return jsonObject{"bool": jsonObject{
		"filter":   []jsonObject{{"exists": jsonObject{"field": l.stream.pod}}},
		"must_not": []jsonObject{sequence, minimalDocuments, {"term": jsonObject{"agent.type": "ktail"}}},
	}}
}

// between returns the query for documents with an order in [from, to). A zero bound is
// none.
func (l *layout) between(from, to int64) jsonObject {
	bounds := jsonObject{}
	if l.order == "@timestamp" {
		bounds["format"] = "epoch_millis"
	}
	if from != 0 {
		bounds["gte"] = from / l.unit
	}
	if to != 0 {
		bounds["lt"] = (to + l.unit - 1) / l.unit
	}
	return jsonObject{"range": jsonObject{l.order: bounds}}
}

// resolution is the least width of a range that a server can count, in nanoseconds.
func (l *layout) resolution() int64 { return max(l.unit, l.rounding) }

// sorted returns the order of a search: asc or desc. Indices without documents of the
// layout may not have the field.
func (l *layout) sorted(direction string) []jsonObject {
	kind := "long"
	if l != own {
		kind = "date"
	}
	return []jsonObject{{l.order: jsonObject{"order": direction, "unmapped_type": kind}}}
}

// orderMembers are the members of a document that show its place in the order.
func (l *layout) orderMembers() []string {
	if l == own {
		return []string{l.order}
	}
	if l.exact == "" {
		return []string{"@timestamp"}
	}
	return []string{"@timestamp", l.exact}
}

// members are the members of a document that are needed to decode a line, or nil for all.
func (l *layout) members() any {
	if l == own { // there is little else
		return nil
	}
	return slices.Concat(l.orderMembers(), l.identity, l.message, []string{"log.offset", "log.flags"})
}

// decodeStream returns the stream that the members of a document describe.
func (l *layout) decodeStream(identity [][]byte) (*ktail.Stream, error) {
	document := map[string]any{}
	for i, raw := range identity {
		if raw == nil {
			continue
		}
		var value any
		if err := json.Unmarshal(raw, &value); err != nil {
			return nil, errResponse
		}
		document[l.identity[i]] = value
	}
	f := &l.stream
	name := func(path string) string {
		s, _ := fieldOf(document, path).(string)
		return s
	}
	s := &ktail.Stream{
		Cluster: name(f.cluster), Namespace: name(f.namespace), Pod: name(f.pod), PodUID: name(f.uid),
		Container: name(f.container), Node: name(f.node), Image: name(f.image),
		Instance: ktail.Instance{ID: name(f.containerID)},
	}
	if runtime := name(f.runtime); runtime != "" {
		s.Instance.ID = runtime + "://" + s.Instance.ID
	}
	if s.PodUID == "" && s.Pod != "" {
		s.PodUID = uidOf(s)
	}
	for _, path := range f.labels {
		addLabels(s, fieldOf(document, path))
	}
	if f.otherOwner != "" {
		s.Owner = ktail.Owner{Kind: name(f.otherOwner + ".kind"), Name: name(f.otherOwner + ".name")}
	}
	if s.Owner.Name != "" {
		return s, nil
	}
	s.Owner = ownerIn(s, func(kind string) string {
		if f.owner == nil {
			return ""
		}
		return name(f.owner(kind))
	})
	return s, nil
}

// uidOf stands in for the UID of a pod, for documents without one. No UID has a slash.
func uidOf(s *ktail.Stream) string { return s.Namespace + "/" + s.Pod }

// addLabels adds the labels in an object, whose names may be nested at their dots.
func addLabels(s *ktail.Stream, labels any) {
	var add func(prefix string, object map[string]any)
	add = func(prefix string, object map[string]any) {
		for key, value := range object {
			switch v := value.(type) {
			case string:
				if s.Labels == nil {
					s.Labels = map[string]string{}
				}
				s.Labels[labelKey(prefix+key)] = v
			case map[string]any:
				add(prefix+key+".", v)
			}
		}
	}
	if object, ok := labels.(map[string]any); ok {
		add("", object)
	}
}

// labelKey restores the dots of a label's prefix, which is a domain name and cannot have
// underscores. Programs write underscores, because a dot would start an object. In the
// rest of the key, both are possible.
func labelKey(key string) string {
	prefix, name, ok := strings.Cut(key, "/")
	if !ok {
		return key
	}
	return strings.ReplaceAll(prefix, "_", ".") + "/" + name
}

// ownerIn returns the owner that the document names, or else the one that the labels
// show: controllers add them to the pods that they create.
func ownerIn(s *ktail.Stream, named func(kind string) string) ktail.Owner {
	for _, kind := range []string{"Deployment", "CronJob", "StatefulSet", "DaemonSet", "Job"} {
		if name := named(kind); name != "" {
			return ktail.Owner{Kind: kind, Name: name}
		}
	}
	replicaSet := named("ReplicaSet")
	if replicaSet == "" {
		replicaSet, _ = cutLast(s.Pod, "-")
	}
	if name, hash := cutLast(replicaSet, "-"); name != "" && hash == s.Labels["pod-template-hash"] {
		return ktail.Owner{Kind: "Deployment", Name: name}
	}
	if name := named("ReplicaSet"); name != "" {
		return ktail.Owner{Kind: "ReplicaSet", Name: name}
	}
	if name := s.Labels["job-name"]; name != "" {
		return ktail.Owner{Kind: "Job", Name: name}
	}
	if name, ordinal := cutLast(s.Pod, "-"); ordinal != "" && s.Labels["statefulset.kubernetes.io/pod-name"] == s.Pod {
		return ktail.Owner{Kind: "StatefulSet", Name: name}
	}
	return ktail.Owner{}
}

// cutLast cuts the text around the last separator. Both parts are empty if there is none.
func cutLast(text, separator string) (before, after string) {
	i := strings.LastIndex(text, separator)
	if i < 0 {
		return "", ""
	}
	return text[:i], text[i+len(separator):]
}

// fieldOf returns the value at the path, or nil. As in servers, a dot in a name means the
// same as a nested object. An object whose names begin with the path is collected.
func fieldOf(object map[string]any, path string) any {
	if path == "" {
		return nil
	}
	if value, ok := object[path]; ok {
		return value
	}
	for i := range path {
		if path[i] != '.' {
			continue
		}
		if inner, ok := object[path[:i]].(map[string]any); ok {
			if value := fieldOf(inner, path[i+1:]); value != nil {
				return value
			}
		}
	}
	var collected map[string]any
	for name, value := range object {
		if rest, ok := strings.CutPrefix(name, path+"."); ok {
			if collected == nil {
				collected = map[string]any{}
			}
			collected[rest] = value
		}
	}
	if collected == nil {
		return nil
	}
	return collected
}
