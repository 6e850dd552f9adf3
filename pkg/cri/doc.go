// Package cri parses the log files that a container runtime writes on a node.
//
// Such a file consists of records, one on each line of the file. A record holds
// one line of a container, or one part of a longer line:
//
//	2026-01-31T10:00:00.123456789Z stdout F GET /cart 200
//	TIME                           STREAM TAG TEXT
//
// A Parser splits a record into its time, stream, and text. A Joiner joins the
// parts of a line (tag P, for partial). A Scanner does both for the content of
// files. All accept the JSON records of Docker, as the kubelet does.
//
// A Clock parses the timestamps, which the pod log API also puts in front of
// its lines.
//
// The format is specified in
// https://github.com/kubernetes/design-proposals-archive/blob/main/node/kubelet-cri-logging.md;
// where it is silent, this package does what the kubelet does
// (pkg/kubelet/kuberuntime/logs in Kubernetes 1.35, now in k8s.io/cri-client/pkg/logs).
package cri
