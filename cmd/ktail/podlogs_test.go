package main

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"

	"k8s.io/client-go/rest"

	"github.com/ktail/ktail/internal/fakeapi"
	"github.com/ktail/ktail/pkg/ktail"
	"github.com/ktail/ktail/pkg/kube"
	"github.com/ktail/ktail/pkg/node"
)

// The watcher of the API, which a watcher of log files uses for metadata, reports why the
// previous instance of a container ended.
func TestPodLogs_APIReportsThePreviousExit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := fakeapi.New(fakeapi.Options{})
		t.Cleanup(api.Close)
		c := api.RunPod("default", "web", "app").Container("app")
		c.Exit(3, "")
		c.Start()
		config := &rest.Config{Host: api.URL()}
		config.Wrap(func(http.RoundTripper) http.RoundTripper { return api.Transport() })
		client, err := kube.NewClient(config, "fake", "default", kube.ClientOptions{})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		w := &kube.Watcher{Client: client, Selection: kube.Selection{Namespaces: []string{"default"}}}
		err = w.Watch(context.Background(), func(sources []ktail.Source) {
			for _, src := range sources {
				got = append(got, src.(node.ExitReporter).PreviousExit())
			}
		})
		if err != nil || len(got) != 1 || got[0] != "Error exit 3" {
			t.Errorf("got %q, error %v", got, err)
		}
	})
}
