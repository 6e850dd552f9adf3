// Package logfiles reads the log of one container from its files on the node: the
// rotated ones, and the one that the container runtime writes to.
//
// The kubelet renames, compresses, and removes files while they are read. A Reader
// therefore lists the directory after each file. A file is recognized by its name; only
// the newest one, whose name another file may get, is recognized by its first bytes. Two
// files follow each other if they were once seen side by side: files are only added behind
// the newest one, and removed from the oldest one on.
package logfiles

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/ktail/ktail/pkg/ktail"
)

// Dir is the directory with the log files of one container on its node.
type Dir interface {
	// List returns the names of the files. The error is fs.ErrNotExist if there is no
	// such directory.
	List(ctx context.Context) ([]string, error)

	// Open returns the content of the file from an offset on. The error is
	// fs.ErrNotExist if no file has that name, and PastEndError if the file ends
	// there.
	Open(ctx context.Context, name string, offset int64) (io.ReadCloser, error)

	// MaxFiles returns how many files the kubelet keeps of an instance, including
	// the one that the runtime writes to.
	MaxFiles(ctx context.Context) int
}

// PastEndError is the error of Dir.Open for an offset at or behind the end.
type PastEndError struct{ Size int64 } // of the file; -1: not known

// Error implements error.
func (e *PastEndError) Error() string { return fmt.Sprintf("the file has only %d bytes", e.Size) }

// ErrNoFiles means that the node has no log file of the container.
var ErrNoFiles = errors.New("the node has no log file of the container")

// Batch is a part of a log.
type Batch struct {
	Instance int    // restart count of the container instance that wrote the lines
	Missing  string // why lines may be missing before these, such as cri.FilesRemoved; empty: none are
	Lines    []ktail.Line
}

// MaybeRemoved is a reason of Batch.Missing, as those of package cri are. It comes before
// an instance that has as many files as the node keeps. Nothing shows whether it had more:
// not even a first line from the time at which the instance started, because a full file
// takes only milliseconds to write.
const MaybeRemoved = "the node may have removed rotated log files"
