package main

import (
	"testing"

	"github.com/ktail/ktail/pkg/kube"
)

// The state of a pod in the summary is the reason to look at it.
func TestStateOfPod_IsWhatExplainsMost(t *testing.T) {
	app := func(state, reason string) []kube.ContainerStatus {
		return []kube.ContainerStatus{{Name: "app", State: state, Reason: reason}}
	}
	for want, p := range map[string]kube.PodStatus{
		"running":          {Phase: "Running", Ready: true, Containers: app("running", "")},
		"not ready":        {Phase: "Running", Containers: app("running", "")},
		"CrashLoopBackOff": {Phase: "Running", Containers: app("waiting", "CrashLoopBackOff")},
		"Unschedulable":    {Phase: "Pending", Containers: app("waiting", "Unschedulable")},
		"pending":          {Phase: "Pending", Containers: app("waiting", "")},
		"Evicted":          {Phase: "Failed", Reason: "Evicted", Containers: app("waiting", "ContainerStatusUnknown")},
		"DeadlineExceeded": {Phase: "Failed", Reason: "DeadlineExceeded", Containers: app("terminated", "Error")},
		"failed":           {Phase: "Failed", Containers: app("terminated", "Error")},
		"terminating":      {Phase: "Running", Ready: true, Deleting: true, Containers: app("running", "")},
	} {
		if got := stateOfPod(&p); got != want {
			t.Errorf("%+v is %q, want %q", p, got, want)
		}
	}
}
