// Package podlog reads the log of one container through the pod log API.
//
// A Log is what is known about the log while the pod exists: which container
// instance wrote the lines that were emitted, whether the next response must
// continue after them, and whether the end was seen. A Source is a snapshot of
// the container in the watcher's last state; all sources of a container share
// its Log. A response is one request of the API being read; it distinguishes
// new lines from delivered ones by the position.
//
// The state of a log changes in one order:
//
//	instance → reading → confirmed end → next instance, or the end of the stream
//
// The end of a response proves nothing, because it looks the same when the
// kubelet restarts or a proxy closes the connection. The end of a log counts
// when the container is known to have ended and a later request returns no
// further line.
package podlog

import (
	"context"
	"errors"
	"io"
	"net/url"
	"time"

	"github.com/ktail/ktail/pkg/ktail"
)

// API is the part of the Kubernetes API that is needed to read one log.
type API interface {
	// Container returns the current state of the container.
	Container(ctx context.Context) (State, error)

	// OpenLog requests the log of the container with these parameters, and
	// returns the body of the response. An error from the server is an
	// apierrors.APIStatus.
	OpenLog(ctx context.Context, parameters url.Values) (io.ReadCloser, error)

	// Files returns the log files of the container on its node, or nil if they cannot
	// be read. It is called only with Options.Rotated.
	Files(ctx context.Context) Files
}

// failing is an API whose errors are not io.EOF, which is the end of a response. A server
// that closes the connection before it responds causes that error, too.
type failing struct{ API }

// Container implements API.
func (f failing) Container(ctx context.Context) (State, error) {
	state, err := f.API.Container(ctx)
	return state, withoutEOF(err)
}

// OpenLog implements API.
func (f failing) OpenLog(ctx context.Context, parameters url.Values) (io.ReadCloser, error) {
	body, err := f.API.OpenLog(ctx, parameters)
	return body, withoutEOF(err)
}

func withoutEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return notEOF{err}
	}
	return err
}

// notEOF is an error that is everything its cause is, except io.EOF: it may say when to
// retry.
type notEOF struct{ cause error }

// Error implements error.
func (e notEOF) Error() string { return e.cause.Error() }

// Is is called by errors.Is.
func (e notEOF) Is(target error) bool { return target != io.EOF && errors.Is(e.cause, target) }

// As is called by errors.As.
func (e notEOF) As(target any) bool { return errors.As(e.cause, target) }

// State is the state of a container.
type State struct {
	Gone     bool           // the pod no longer exists; there may be another pod with its name
	Known    bool           // the container has a status
	Running  bool           // an instance is running
	Finished bool           // the last instance has ended, and the container will not run again
	Instance ktail.Instance // the one whose log is served
	Reason   string         // why Instance ended; empty if it has not ended, or if unknown
	Before   string         // why the previous instance ended; empty if unknown

	StartedAt, EndedAt time.Time // of Instance; zero if unknown
}

// Options say which lines of a log are wanted.
type Options struct {
	Follow bool
	Since  time.Duration // lines not older than this at the first request; 0: any
	Tail   int64         // number of lines from the end; negative: all

	// SinceTime is used instead of Since unless it is zero. Lines up to clockSkew older
	// are emitted as well.
	SinceTime time.Time

	// Previous starts with the instance before the one that exists at the start, if
	// the node still has its log. Since and Tail apply to each of the two.
	Previous bool

	// Rotated reads the rotated files that the node still has before the log, and when
	// lines are missing. Since and Tail apply to all files together. With Previous,
	// it reads the files of all earlier instances.
	Rotated bool
}

// everything reports whether the log is wanted from its first line.
func (o *Options) everything() bool { return o.Tail < 0 && o.Age() <= 0 }

// clockSkew is how far a node's clock may be ahead of the local clock without missing
// lines after Options.SinceTime: the API takes an age, by the clock of the node.
const clockSkew = time.Minute

// Age returns the age of the oldest line that is wanted now; 0 means any.
func (o *Options) Age() time.Duration {
	if o.SinceTime.IsZero() {
		return o.Since
	}
	return time.Since(o.SinceTime) + clockSkew
}

// Start says where to start reading the log of a container from which nothing
// was read.
type Start uint8

const (
	// FromOptions starts where Options.Since and Options.Tail say.
	FromOptions Start = iota
	// FromFirst starts with the first line that the container ever wrote,
	// because it was created after ktail started.
	FromFirst
	// FromInstance starts with the first line of the current instance: the
	// container existed before, but its previous instance is not wanted.
	FromInstance
)
