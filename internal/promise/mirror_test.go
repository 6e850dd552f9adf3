package promise_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/ktail/ktail/internal/fakeapi"
	"github.com/ktail/ktail/pkg/ktail"
	"github.com/ktail/ktail/pkg/kube"
)

// When the mirror pod of a static pod is recreated while its container runs,
// each line is written once, with the same key, whether or not the stream has
// ended and whether the log is busy or quiet.
func TestMirrorPodRecreated_WritesEachLineOnce(t *testing.T) {
	for _, tail := range []int64{-1, 0, 2} {
		for _, absent := range []time.Duration{0, 20 * time.Millisecond, 5 * time.Second, time.Minute} {
			for _, ended := range []bool{false, true} {
				for _, every := range []time.Duration{100 * time.Millisecond, time.Minute} { // between lines
					name := fmt.Sprintf("tail=%d/absent for %v/stream ended: %t/a line every %v", tail, absent, ended, every)
					t.Run(name, func(t *testing.T) {
						synctest.Test(t, func(t *testing.T) { mirrorPodRecreated(t, tail, absent, ended, every) })
					})
				}
			}
		}
	}
}

// mirror makes a pod the mirror pod of a static pod with this UID.
func mirror(uid string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Annotations = map[string]string{"kubernetes.io/config.mirror": uid, "kubernetes.io/config.hash": uid}
	}
}

func mirrorPodRecreated(t *testing.T, tail int64, absent time.Duration, ended bool, every time.Duration) {
	api := newServer(t, fakeapi.Options{})
	pod := api.RunPod("default", "etcd-node-1", "etcd")
	pod.Update(mirror("abc"))
	c := pod.Container("etcd")
	for i := range 4 {
		c.Log(fmt.Sprint("old ", i))
	}
	file := []string{"old 0", "old 1", "old 2", "old 3"}
	if tail >= 0 {
		file = file[int64(len(file))-tail:]
	}
	pass(time.Hour)
	r := follow(t, &kube.Watcher{
		Client: connect(t, api), Options: kube.LogOptions{Follow: true, Tail: tail},
		Selection: kube.Selection{Namespaces: []string{"default"}},
	})
	pass(time.Second)
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			case <-time.After(every):
				text := fmt.Sprint("line ", len(file))
				file = append(file, text)
				c.Log(text)
			}
		}
	}()
	for range 2 {
		pass(30 * time.Second)
		if ended {
			time.AfterFunc(absent/2, func() { api.CutAll(true) })
		}
		pod.Recreate(func() { pass(absent) })
		pass(40 * time.Second)
	}
	pass(3 * time.Minute)
	close(stop)
	<-stopped
	pass(time.Minute)
	r.wants(t, file...)
	r.add(func() {
		for key := range r.keys {
			if want := (ktail.Key{PodUID: "abc", Container: "etcd"}); key != want {
				t.Errorf("lines of the key %v, want %v", key, want)
			}
		}
	})
}
