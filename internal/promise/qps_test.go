package promise_test

import (
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/client-go/rest"

	"github.com/ktail/ktail/internal/fakeapi"
	"github.com/ktail/ktail/pkg/kube"
	"github.com/ktail/ktail/pkg/tail"
)

// A limit on requests delays logs that are read once. None of them counts as one whose
// node does not respond.
func TestNoFollow_RequestLimitIsNoSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := newServer(t, fakeapi.Options{})
		const pods = 10
		var want []string
		for n := range 2 {
			for i := range pods {
				name := fmt.Sprint("web-", i)
				if n == 0 {
					api.RunPod("default", name, "app")
				}
				text := fmt.Sprintf("%s line %d", name, n)
				api.Pod("default", name).Container("app").Log(text)
				want = append(want, text)
				pass(time.Second)
			}
		}
		config := &rest.Config{Host: api.URL()}
		config.Wrap(func(http.RoundTripper) http.RoundTripper { return api.Transport() })
		client, err := kube.NewClient(config, "fake", "default", kube.ClientOptions{RateLimit: kube.RateLimit{QPS: 0.1, Burst: 1}})
		if err != nil {
			t.Fatal(err)
		}
		r := follow(t, watchAll(client, false))
		if err := r.stop(); err != nil {
			t.Error(err)
		}
		r.wants(t, want...)
		if n := r.count(tail.Late); n > 0 {
			t.Errorf("%d logs are late", n)
		}
	})
}
