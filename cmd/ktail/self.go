package main

import (
	"context"
	"os"
	"regexp"
	"slices"
	"sync"

	"github.com/ktail/ktail/pkg/ktail"
)

// ownContainer is the container that ktail runs in. The zero value means none.
type ownContainer struct{ podUID, container string }

// terminationLog is a file that the kubelet mounts into each container.
const terminationLog = "/dev/termination-log"

// mountOfContainer returns an expression for the mount of terminationLog. Its
// source names the UID of the pod and the container. See makeMounts in
// pkg/kubelet/kubelet_pods.go of Kubernetes 1.35.
var mountOfContainer = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`/pods/([0-9a-f-]{32,36})/containers/([a-z0-9-]+)/[^/ ]+ ` + terminationLog + ` `)
})

// findOwnContainer finds the container in the content of /proc/self/mountinfo.
func findOwnContainer(mountinfo []byte) ownContainer {
	m := mountOfContainer().FindSubmatch(mountinfo)
	if m == nil {
		return ownContainer{}
	}
	return ownContainer{podUID: string(m[1]), container: string(m[2])}
}

// withoutOwnLog returns the watcher without the log of ktail's own container,
// because each line that ktail prints would come back as a line to print.
func withoutOwnLog(w ktail.Watcher) ktail.Watcher {
	if _, err := os.Stat(terminationLog); err != nil {
		return w // not in a container of a pod
	}
	b, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return w // not Linux
	}
	own := findOwnContainer(b)
	if own == (ownContainer{}) {
		return w
	}
	return &selfExcluder{Watcher: w, own: own}
}

// selfExcluder is a watcher that excludes one container.
type selfExcluder struct {
	ktail.Watcher
	own ownContainer
}

// Unwrap returns the watcher with all logs.
func (e *selfExcluder) Unwrap() ktail.Watcher { return e.Watcher }

// Watch implements ktail.Watcher.
func (e *selfExcluder) Watch(ctx context.Context, set func([]ktail.Source)) error {
	return e.Watcher.Watch(ctx, func(all []ktail.Source) {
		set(slices.DeleteFunc(slices.Clone(all), func(s ktail.Source) bool {
			stream := s.Stream()
			return stream.PodUID == e.own.podUID && stream.Container == e.own.container
		}))
	})
}
