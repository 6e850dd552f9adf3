package cri

import "time"

// A log has the same lines, gaps, and ends however it is read, so every reader uses these
// words.

// Reasons of gaps.
const (
	FilesRemoved    = "the node removed rotated log files"
	FilesDamaged    = "a rotated log file is damaged"
	InstanceRemoved = "the node removed the log of an earlier container instance"
)

// Deleted is the reason for the end of a log whose pod is being deleted, or no longer
// exists.
const Deleted = "deleted"

// ReopenGrace is how long a runtime may write to a rotated file after it has started to
// write to the next one, because it reopens stdout and stderr one after the other and may
// flush buffered bytes even later.
const ReopenGrace = 500 * time.Millisecond
