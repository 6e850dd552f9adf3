// Package node reads container logs from the files that the kubelet and the
// container runtime keep on a node, usually in /var/log/pods.
//
// A Watcher lists the directory and gives a source for each container in it. The
// sources are the same streams, with the same lines, as those that read through
// the API server: one may replace the other. What the path does not say about a
// container, such as labels, comes from another watcher that knows its stream.
//
// The log of a container is a sequence of files: for each of its instances the
// rotated files, oldest first, and the file that the runtime writes to, if the
// instance is the latest one. A logFiles keeps that sequence in step with the
// directory and keeps files open that are not read yet, because the kubelet may
// compress or remove them at any time. A source reads the sequence. It resumes by
// finding the lines of the position in it; inodes and offsets only save that
// search.
//
// The layout of the directory and the rotation of files are the kubelet's:
// pkg/kubelet/kuberuntime/helpers.go and pkg/kubelet/logs/container_log_manager.go
// in Kubernetes 1.35.
package node
