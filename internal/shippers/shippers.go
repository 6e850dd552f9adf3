// Package shippers has documents as other programs than ktail write them to Elasticsearch
// when they forward the logs of pods.
package shippers

import (
	"fmt"
	"strings"
	"time"

	"github.com/ktail/ktail/pkg/ktail"
)

// A Shipper is a program that forwards lines.
type Shipper struct {
	Name  string
	Exact bool // the documents have the times of lines in nanoseconds
	// NoCluster is set if the documents do not name the cluster.
	NoCluster bool
	// NanosMapping is set if the mapping must have date_nanos for @timestamp.
	NanosMapping bool

	encode func(l *ktail.Line, offset int) string
}

func rfc(ns int64) string    { return time.Unix(0, ns).UTC().Format("2006-01-02T15:04:05.000000000Z") }
func millis(ns int64) string { return time.Unix(0, ns).UTC().Format("2006-01-02T15:04:05.000Z") }

// All are the programs. The documents are like those in their repositories and guides.
var All = []Shipper{
	{
		Name: "Filebeat",
		encode: func(l *ktail.Line, offset int) string {
			return fmt.Sprintf(`{"@timestamp":%q,"message":%q,"stream":"stdout","input":{"type":"container"},
"log":{"offset":%d,"file":{"path":"/var/log/containers/%s_shop_app-1.log"}},"agent":{"type":"filebeat","version":"8.17.0","name":"node-1"},"ecs":{"version":"8.0.0"},
"kubernetes":{"namespace":"shop","node":{"name":"node-1"},"pod":{"name":%q,"uid":%q,"ip":"10.0.0.1"},"container":{"name":"app"},"labels":{"app":"web","pod-template-hash":"5d4f8c7b9"},"replicaset":{"name":"web-5d4f8c7b9"}},
"container":{"id":"id-1","runtime":"containerd","image":{"name":"shop/web:1"}},"orchestrator":{"cluster":{"name":"prod"}},"host":{"name":"node-1"}}`,
				millis(l.Time), l.Text, offset, l.Stream.Pod, l.Stream.Pod, l.Stream.PodUID)
		},
	},
	{
		Name: "Elastic Agent",
		encode: func(l *ktail.Line, offset int) string {
			return fmt.Sprintf(`{"@timestamp":%q,"message":%q,"log":{"offset":%d},"elastic_agent":{"id":"a"},"agent":{"type":"filebeat"},"data_stream":{"dataset":"kubernetes.container_logs","type":"logs","namespace":"default"},
"kubernetes":{"namespace":"shop","node":{"name":"node-1"},"pod":{"name":%q,"uid":%q},"container":{"name":"app"},"labels":{"app":"web"},"deployment":{"name":"web"},"replicaset":{"name":"web-5d4f8c7b9"}},
"container":{"id":"id-1","runtime":"containerd","image":{"name":"shop/web:1"}},"orchestrator":{"cluster":{"name":"prod"}}}`,
				millis(l.Time), l.Text, offset, l.Stream.Pod, l.Stream.PodUID)
		},
	},
	{
		Name: "Fluent Bit", Exact: true, NoCluster: true,
		encode: func(l *ktail.Line, _ int) string {
			return fmt.Sprintf(`{"@timestamp":%q,"time":%q,"stream":"stdout","_p":"F","log":%q,
"kubernetes":{"pod_name":%q,"namespace_name":"shop","pod_id":%q,"labels":{"app":"web","pod-template-hash":"5d4f8c7b9"},"annotations":{"a":"b"},"host":"node-1","pod_ip":"10.0.0.1","container_name":"app","docker_id":"id-1","container_image":"shop/web:1"}}`,
				millis(l.Time), rfc(l.Time), l.Text, l.Stream.Pod, l.Stream.PodUID)
		},
	},
	{
		Name: "Fluentd", NoCluster: true,
		encode: func(l *ktail.Line, _ int) string {
			return fmt.Sprintf(`{"log":%q,"stream":"stdout","docker":{"container_id":"id-1"},
"kubernetes":{"container_name":"app","namespace_name":"shop","pod_name":%q,"pod_id":%q,"container_image":"shop/web:1","host":"node-1","labels":{"app":"web","pod-template-hash":"5d4f8c7b9"}},"@timestamp":%q,"tag":"kubernetes.var.log"}`,
				string(l.Text)+"\n", l.Stream.Pod, l.Stream.PodUID, millis(l.Time))
		},
	},
	{
		Name: "OpenTelemetry, mapping mode otel", Exact: true, NanosMapping: true,
		encode: func(l *ktail.Line, _ int) string {
			return fmt.Sprintf(`{"@timestamp":"%d.%d","observed_timestamp":"1.0","data_stream":{"type":"logs","dataset":"generic.otel","namespace":"default"},"attributes":{"log.iostream":"stdout","logtag":"F"},
"resource":{"schema_url":"x","attributes":{"k8s.namespace.name":"shop","k8s.pod.name":%q,"k8s.pod.uid":%q,"k8s.container.name":"app","k8s.container.restart_count":"0","k8s.node.name":"node-1","k8s.deployment.name":"web","k8s.pod.labels.app":"web","k8s.cluster.name":"prod","container.id":"id-1","container.image.name":"shop/web:1"}},"scope":{},"body":{"text":%q}}`,
				l.Time/1e6, l.Time%1e6, l.Stream.Pod, l.Stream.PodUID, l.Text)
		},
	},
	{
		Name: "OpenTelemetry, mapping mode none", Exact: true,
		encode: func(l *ktail.Line, _ int) string {
			return fmt.Sprintf(`{"@timestamp":%q,"Attributes":{"log":{"iostream":"stdout"}},"Body":%q,"Scope":{"name":""},"SeverityNumber":0,"TraceFlags":0,
"Resource":{"k8s":{"namespace":{"name":"shop"},"pod":{"name":%q,"uid":%q,"labels":{"app":"web"}},"container":{"name":"app"},"node":{"name":"node-1"},"deployment":{"name":"web"},"cluster":{"name":"prod"}},"container":{"id":"id-1","image":{"name":"shop/web:1"}}}}`,
				rfc(l.Time), l.Text, l.Stream.Pod, l.Stream.PodUID)
		},
	},
	{
		Name: "OpenTelemetry, mapping mode ecs", Exact: true,
		encode: func(l *ktail.Line, _ int) string {
			return fmt.Sprintf(`{"@timestamp":%q,"agent":{"name":"otlp"},"message":%q,"kubernetes":{"namespace":"shop","pod":{"name":%q,"uid":%q},"container":{"name":"app"},"node":{"name":"node-1"},"deployment":{"name":"web"},"labels":{"app":"web"}},"container":{"id":"id-1","image":{"name":"shop/web:1"}},"orchestrator":{"cluster":{"name":"prod"}}}`,
				rfc(l.Time), l.Text, l.Stream.Pod, l.Stream.PodUID)
		},
	},
	{
		Name: "OpenTelemetry, exporter for OpenSearch", Exact: true,
		encode: func(l *ktail.Line, _ int) string {
			return fmt.Sprintf(`{"@timestamp":%q,"attributes":{"log.iostream":"stdout"},"body":%q,"severity":{},"instrumentationScope":{},"resource":{"k8s.namespace.name":"shop","k8s.pod.name":%q,"k8s.pod.uid":%q,"k8s.container.name":"app","k8s.node.name":"node-1","k8s.deployment.name":"web","k8s.pod.labels.app":"web","k8s.cluster.name":"prod","container.id":"id-1","container.image.name":"shop/web:1"}}`,
				rfc(l.Time), l.Text, l.Stream.Pod, l.Stream.PodUID)
		},
	},
}

// Document returns the document of a line of a pod in the namespace shop, with the given
// offset in its log.
func (s *Shipper) Document(l *ktail.Line, offset int) string {
	return strings.ReplaceAll(s.encode(l, offset), "\n", "")
}
