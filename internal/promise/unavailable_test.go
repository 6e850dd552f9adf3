package promise_test

import (
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ktail/ktail/internal/fakeapi"
	"github.com/ktail/ktail/pkg/tail"
)

// While the container runtime is being restarted, the kubelet sends a message in place of
// the log of a container that has ended. That is not its end, unless the log stays
// unavailable because it has been removed.
func TestUnavailableLog_OfEndedContainerIsReadLater(t *testing.T) {
	for _, policy := range []corev1.RestartPolicy{corev1.RestartPolicyNever, corev1.RestartPolicyAlways} {
		for _, delivered := range []bool{false, true} {
			for _, lasts := range []time.Duration{5 * time.Second, time.Hour} {
				t.Run(fmt.Sprintf("restart=%s/delivered=%t/for %v", policy, delivered, lasts), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						api := newServer(t, fakeapi.Options{})
						pod := api.AddPod(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "job"},
							Spec: corev1.PodSpec{RestartPolicy: policy, Containers: []corev1.Container{{Name: "app"}}}})
						pod.Start()
						c := pod.Container("app")
						unavailable := onLogs(fakeapi.Fault{Body: "unable to retrieve container logs for containerd://0"})
						var want []string
						if delivered {
							c.Log("one")
							want = append(want, "one")
						} else {
							api.SetFault(unavailable)
						}
						r := followAll(t, connect(t, api))
						pass(time.Second)
						api.SetFault(unavailable)
						api.CutAll(true)
						c.Log("last words")
						c.Exit(0, "")
						pass(lasts)
						api.SetFault(noFault)
						if lasts < time.Hour {
							want = append(want, "last words")
						}
						pass(time.Minute)
						if over := policy == corev1.RestartPolicyNever; over && r.count(tail.Ended) != 1 {
							t.Error("the stream has not ended")
						} else if !over {
							c.Start()
							c.Log("again")
							want = append(want, "again")
							pass(time.Minute)
						}
						r.gaps = nil
						if lasts < time.Hour {
							r.wants(t, want...)
						}
					})
				})
			}
		}
	}
}

// onLogs injects the fault into each log request.
func onLogs(fault fakeapi.Fault) func(*http.Request) *fakeapi.Fault {
	return func(r *http.Request) *fakeapi.Fault {
		if fakeapi.Parse(r).Subresource == "log" {
			return &fault
		}
		return nil
	}
}
