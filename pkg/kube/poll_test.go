package kube

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/ktail/ktail/pkg/kube/internal/corev1"
)

// A pod that was replaced between two gets is deleted and then added, so that the watcher
// does not keep the old one.
func TestPollWatch_ReplacedPodIsDeleted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		w := startPollWatch(t.Context(), func(context.Context) (runtime.Object, error) {
			pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "web-0", UID: "old", ResourceVersion: "1"}}
			if time.Since(began) > time.Minute {
				pod.UID, pod.ResourceVersion = "new", "2"
			}
			return pod, nil
		})
		var got []string
		for range 3 {
			e := <-w.ResultChan()
			got = append(got, string(e.Type)+" "+string(e.Object.(*corev1.Pod).UID))
		}
		w.Stop()
		if want := []string{"MODIFIED old", "DELETED old", "MODIFIED new"}; !slices.Equal(got, want) {
			t.Errorf("events %q, want %q", got, want)
		}
	})
}
