package main

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"

	"github.com/ktail/ktail/internal/fakeapi"
	"github.com/ktail/ktail/pkg/ktail"
	"github.com/ktail/ktail/pkg/kube"
	"github.com/ktail/ktail/pkg/node"
)

// The watcher of the API, which a watcher of log files uses for metadata, reports why the
// instances of a container ended.
func TestPodLogs_APIReportsExits(t *testing.T) {
	for _, tt := range []struct {
		name string
		run  func(pod *fakeapi.Pod, c *fakeapi.Container)
		want exits
	}{
		{"restarted", func(_ *fakeapi.Pod, c *fakeapi.Container) { c.Exit(3, ""); c.Start() }, exits{previous: "Error exit 3"}},
		{"in back-off", func(_ *fakeapi.Pod, c *fakeapi.Container) { c.Exit(3, ""); c.BackOff() }, exits{last: "Error exit 3"}},
		{"deleted", func(pod *fakeapi.Pod, c *fakeapi.Container) { pod.Delete(); c.Exit(143, "") }, exits{last: "deleted", over: true}},
		{"will not run again", func(pod *fakeapi.Pod, c *fakeapi.Container) {
			pod.Update(func(p *corev1.Pod) { p.Spec.RestartPolicy = corev1.RestartPolicyNever })
			c.Exit(0, "")
		}, exits{last: "Completed", over: true}},
	} {
		t.Run(tt.name, func(t *testing.T) { requireExits(t, tt.run, tt.want) })
	}
}

// exits is what an ExitReporter reports.
type exits struct {
	previous, last string
	over           bool
}

func requireExits(t *testing.T, run func(*fakeapi.Pod, *fakeapi.Container), want exits) {
	synctest.Test(t, func(t *testing.T) {
		api := fakeapi.New(fakeapi.Options{})
		t.Cleanup(api.Close)
		pod := api.RunPod("default", "web", "app")
		run(pod, pod.Container("app"))
		config := &rest.Config{Host: api.URL()}
		config.Wrap(func(http.RoundTripper) http.RoundTripper { return api.Transport() })
		client, err := kube.NewClient(config, "fake", "default", kube.ClientOptions{})
		if err != nil {
			t.Fatal(err)
		}
		var got []exits
		w := &kube.Watcher{Client: client, Selection: kube.Selection{Namespaces: []string{"default"}}}
		err = w.Watch(context.Background(), func(sources []ktail.Source) {
			for _, src := range sources {
				r := src.(node.ExitReporter)
				e := exits{previous: r.PreviousExit()}
				e.last, e.over = r.LastExit()
				got = append(got, e)
			}
		})
		if err != nil || len(got) != 1 || got[0] != want {
			t.Errorf("got %+v, want %+v, error %v", got, want, err)
		}
	})
}
