// Package node reads container logs from the files that the kubelet and the
// container runtime keep on a node, usually in /var/log/pods.
//
// A Watcher lists the directory and provides a source for each container in it.
// The sources have the same streams and the same lines as sources that read
// through the API server, so one can replace the other. Metadata that the path
// does not contain, such as labels, comes from another watcher that finds the
// same streams.
//
// The log of a container is a sequence of files: for each of its instances the
// rotated files, oldest first, and for the latest instance also the file that
// the runtime writes to. A logFiles keeps that sequence in step with the
// directory, and keeps unread files open, because the kubelet may compress or
// remove them at any time. A source reads the sequence. It resumes by finding
// the lines of the position in it; inodes and offsets only shorten that search.
//
// The kubelet determines the layout of the directory and the rotation of files:
// pkg/kubelet/kuberuntime/helpers.go and
// pkg/kubelet/logs/container_log_manager.go in Kubernetes 1.35.
package node
