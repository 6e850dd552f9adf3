// Package podlog reads the log of one container through the pod log API.
//
// A Log is what is known of the log while the pod exists: which container
// instance wrote the lines that were emitted, whether the next request has to
// continue after them, and whether the end was seen. A Source is a snapshot of
// the container as the watcher saw it last; all sources of a container share its
// Log. One request of the API is a response: it tells new lines from delivered
// ones by the position.
//
// The state of a log changes in one order only:
//
//	instance → reading → confirmed end → next instance, or the end of the stream
//
// The end of a response proves nothing: it looks the same when the kubelet is
// restarted, or a proxy closes the connection. An end counts when the container
// is known to have ended and a later request shows no further line.
package podlog

import (
	"context"
	"io"
	"net/url"
	"time"

	"github.com/ktail/ktail/pkg/ktail"
)

// API is the part of the Kubernetes API that reading one log takes.
type API interface {
	// Container returns the state of the container at present.
	Container(ctx context.Context) (State, error)

	// OpenLog requests the log of the container with these parameters, and
	// returns the body of the response. An error of the server is an
	// apierrors.APIStatus.
	OpenLog(ctx context.Context, parameters url.Values) (io.ReadCloser, error)
}

// State is the state of a container.
type State struct {
	Gone     bool           // the pod, or this pod of that name, does not exist any more
	Known    bool           // the container has a status
	Running  bool           // an instance is running
	Finished bool           // the last instance has ended, and the container will not run again
	Instance ktail.Instance // the one whose log is served
	Reason   string         // why Instance has ended; empty if it has not, or that is not known
	Before   string         // why the instance before it has ended; empty if that is not known

	StartedAt, EndedAt time.Time // of Instance; zero if not known
}

// Options say which lines of a log are wanted.
type Options struct {
	Follow bool
	Since  time.Duration // lines not older than this; 0: any
	Tail   int64         // that many lines from the end; negative: all
}

// everything reports whether the log is wanted from its first line.
func (o *Options) everything() bool { return o.Tail < 0 && o.Since <= 0 }

// Start says from where the log of a container is wanted that nothing was read of.
type Start uint8

const (
	// FromOptions starts where the options say.
	FromOptions Start = iota
	// FromFirst starts with the first line that the container has ever written:
	// it was created after the program started.
	FromFirst
	// FromInstance starts with the first line of the present instance: the
	// container existed, but the instance before is not wanted.
	FromInstance
)
