package kube

import (
	"context"
	"io"
	"net/url"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/ktail/ktail/pkg/cri"
	"github.com/ktail/ktail/pkg/ktail"
	"github.com/ktail/ktail/pkg/kube/internal/corev1"
	"github.com/ktail/ktail/pkg/kube/internal/podlog"
)

// LogOptions say which lines of a log are wanted.
type LogOptions = podlog.Options

// source reads the log of one container. It is a snapshot: when the pod
// changes, the watcher creates another source for the same podlog.Log.
type source struct {
	*podlog.Source
	finished bool   // the container will not run again, according to the watcher's last state
	before   string // why the instance before that of the stream ended, according to the watcher
	why      string // why the instance of the stream ended; empty if unknown
}

func newSource(set *sourceSet, c container, log *podlog.Log, periods *podlog.Periods, stream *ktail.Stream) *source {
	w := set.w
	api := &containerAPI{client: w.Client, stream: stream, finished: c.finished, events: set.events, files: set.files}
	return &source{Source: podlog.NewSource(api, &w.Options, stream, log, periods), finished: c.finished, before: c.before, why: c.why}
}

// PreviousExit implements node.ExitReporter.
func (s *source) PreviousExit() string { return s.before }

// LastExit implements node.ExitReporter.
func (s *source) LastExit() (string, bool) { return s.why, s.finished }

// containerAPI implements podlog.API for one container.
type containerAPI struct {
	client   *Client
	stream   *ktail.Stream
	finished bool
	events   *eventSource // nil if events are not read
	files    *nodeFiles   // nil if rotated files are not read
}

// OpenLog implements podlog.API.
func (a *containerAPI) OpenLog(ctx context.Context, parameters url.Values) (io.ReadCloser, error) {
	body, err := a.client.openLog(ctx, a.stream.Namespace, a.stream.Pod, parameters)
	if err != nil {
		return nil, readError(err, a.stream)
	}
	return body, nil
}

// Container implements podlog.API. If the user may not get the pod, it returns
// the state that the watcher knows.
func (a *containerAPI) Container(ctx context.Context) (podlog.State, error) {
	pod, err := a.client.get(ctx, a.stream.Namespace, a.stream.Pod)
	switch {
	case isAbsent(err):
		return podlog.State{Gone: true, Reason: cri.Deleted}, nil
	case apierrors.IsForbidden(err):
		return podlog.State{Known: true, Running: !a.finished, Finished: a.finished, Instance: a.stream.Instance}, nil
	case err != nil:
		return podlog.State{}, readError(err, a.stream)
	case podUID(pod) != a.stream.PodUID:
		return podlog.State{Gone: true, Reason: cri.Deleted}, nil
	}
	now := stateOf(pod, a.stream.Container)
	if a.events != nil {
		a.explain(pod, &now)
	}
	return now, nil
}

// explain adds to the reasons of the state what only events say.
func (a *containerAPI) explain(pod *corev1.Pod, now *podlog.State) {
	if now.Reason != "" {
		now.Reason += a.events.explain(a.stream.Key(), now.StartedAt, now.EndedAt)
	}
	if now.Before == "" {
		return
	}
	for _, statuses := range [][]corev1.ContainerStatus{
		pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses, pod.Status.EphemeralContainerStatuses,
	} {
		for i := range statuses {
			if last := statuses[i].LastTerminationState.Terminated; last != nil && statuses[i].Name == a.stream.Container {
				now.Before += a.events.explain(a.stream.Key(), last.StartedAt.Time, last.FinishedAt.Time)
			}
		}
	}
}

func stateOf(pod *corev1.Pod, name string) podlog.State {
	for kind, statuses := range map[containerKind][]corev1.ContainerStatus{
		initContainer:      pod.Status.InitContainerStatuses,
		appContainer:       pod.Status.ContainerStatuses,
		ephemeralContainer: pod.Status.EphemeralContainerStatuses,
	} {
		for i := range statuses {
			status := &statuses[i]
			if status.Name != name {
				continue
			}
			instance, _ := served(status)
			now := podlog.State{Known: true, Instance: instance, Running: status.State.Running != nil,
				Finished: finished(pod, kind, status), Before: whyBefore(pod, status, instance)}
			if running := status.State.Running; running != nil {
				now.StartedAt = running.StartedAt.Time
			}
			if ended := endOf(status, instance); ended != nil {
				now.StartedAt, now.EndedAt = ended.StartedAt.Time, ended.FinishedAt.Time
				now.Reason = whyEnded(pod, ended)
			}
			return now
		}
	}
	return podlog.State{}
}
