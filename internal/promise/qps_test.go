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
		r := follow(t, watchAll(connectLimited(t, api, 10*time.Second), false))
		if err := r.stop(); err != nil {
			t.Error(err)
		}
		r.wants(t, want...)
		if n := r.count(tail.Late); n > 0 {
			t.Errorf("%d logs are late", n)
		}
	})
}

// A request takes one token of the limit, whether it is for a log or for the pod that the
// end of a log is confirmed with.
func TestFollow_RequestLimitIsTheRateOfRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := newServer(t, fakeapi.Options{})
		const (
			pods     = 20
			interval = 10 * time.Second // between two requests
		)
		for i := range pods {
			api.RunPod("default", fmt.Sprint("web-", i), "app")
		}
		follow(t, watchAll(connectLimited(t, api, interval), true))
		pass(time.Hour)
		if open := api.Counts().OpenFollows; open != pods {
			t.Fatalf("%d logs are followed", open)
		}

		// All logs end at once, and each needs a request for its pod.
		limited := func() int { // client-go does not limit watches
			c := api.Counts()
			return c.Requests - c.Watches
		}
		before := limited()
		for i := range pods {
			api.Pod("default", fmt.Sprint("web-", i)).Container("app").Exit(1, "")
		}
		pass(pods * interval)
		if n := limited() - before; n < pods-1 || n > pods+1 { // one at once, and one at the end
			t.Errorf("%d requests in %s, want one every %s", n, pods*interval, interval)
		}
		if gets := api.Counts().Gets; gets < pods/2 {
			t.Errorf("only %d of the requests were for pods", gets)
		}
	})
}

// connectLimited is connect with a limit of one request per interval.
func connectLimited(t testing.TB, api *fakeapi.Server, interval time.Duration) *kube.Client {
	t.Helper()
	config := &rest.Config{Host: api.URL()}
	config.Wrap(func(http.RoundTripper) http.RoundTripper { return api.Transport() })
	limit := kube.RateLimit{QPS: float32(time.Second) / float32(interval), Burst: 1}
	client, err := kube.NewClient(config, "fake", "default", kube.ClientOptions{RateLimit: limit})
	if err != nil {
		t.Fatal(err)
	}
	return client
}
