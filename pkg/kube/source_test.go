package kube_test

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/ktail/ktail/internal/fakeapi"
	"github.com/ktail/ktail/internal/sourcetest"
	"github.com/ktail/ktail/pkg/ktail"
	"github.com/ktail/ktail/pkg/kube"
)

// The pod log API keeps the contract of a source.
func TestSource_KeepsContract(t *testing.T) {
	sourcetest.Run(t, func(t *testing.T) sourcetest.Subject {
		api := fakeapi.New(fakeapi.Options{})
		t.Cleanup(api.Close)
		api.AddPod(&corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "job"},
			Spec:       corev1.PodSpec{RestartPolicy: corev1.RestartPolicyNever, Containers: []corev1.Container{{Name: "app"}}},
		}).Start()
		c := api.Pod("default", "job").Container("app")
		return sourcetest.Subject{
			Source: watchOne(t, api),
			Write: func(texts ...string) {
				if !c.Log(texts...) {
					t.Error("the container is not running")
				}
			},
			Cut: func() { api.CutAll(true) },
			End: func() { c.Exit(0, "") },
		}
	})
}

// watchOne returns the only source that a watcher finds.
func watchOne(t *testing.T, api *fakeapi.Server) ktail.Source {
	t.Helper()
	config := &rest.Config{Host: api.URL()}
	config.Wrap(func(http.RoundTripper) http.RoundTripper { return api.Transport() })
	client, err := kube.NewClient(config, "fake", "default", kube.ClientOptions{})
	if err != nil {
		t.Fatal(err)
	}
	w := kube.Watcher{Client: client, Selection: kube.Selection{Namespaces: []string{"default"}}, Options: kube.LogOptions{Follow: true, Tail: -1}}
	ctx, cancel := context.WithCancel(t.Context())
	found := make(chan ktail.Source, 1)
	ended := make(chan error, 1)
	go func() {
		ended <- w.Watch(ctx, func(set []ktail.Source) {
			if len(set) == 1 && len(found) == 0 {
				found <- set[0]
			}
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Watch: %v", err)
		}
	})
	source := <-found
	synctest.Wait()
	return source
}
