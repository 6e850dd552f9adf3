package promise_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/client-go/rest"

	"github.com/ktail/ktail/internal/fakeapi"
	"github.com/ktail/ktail/pkg/kube"
)

// ignoring passes requests on without some of their parameters.
type ignoring struct {
	next   http.RoundTripper
	params []string
}

func (i ignoring) RoundTrip(r *http.Request) (*http.Response, error) {
	if !strings.HasSuffix(r.URL.Path, "/log") {
		return i.next.RoundTrip(r)
	}
	r = r.Clone(r.Context())
	q := r.URL.Query()
	for _, name := range i.params {
		q.Del(name)
	}
	r.URL.RawQuery = q.Encode()
	return i.next.RoundTrip(r)
}

// A log API that ignores parameters, as those of virtual kubelets do, shows each line
// once, and no gap.
func TestIgnoredParameters(t *testing.T) {
	for _, params := range [][]string{
		{"sinceTime", "sinceSeconds"}, {"tailLines"}, {"previous"}, {"follow"},
		{"sinceTime", "sinceSeconds", "tailLines"}, {"follow", "tailLines"}, {"follow", "previous"},
		{"sinceTime", "sinceSeconds", "tailLines", "previous", "follow"},
	} {
		for _, lines := range []int{3, 100, 3000} {
			t.Run(fmt.Sprintf("%s/%d", strings.Join(params, "+"), lines), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					api := newServer(t, fakeapi.Options{})
					config := &rest.Config{Host: api.URL()}
					config.Wrap(func(http.RoundTripper) http.RoundTripper { return ignoring{api.Transport(), params} })
					client, err := kube.NewClient(config, "fake", "default", kube.ClientOptions{})
					if err != nil {
						t.Fatal(err)
					}
					c := api.RunPod("default", "web", "app").Container("app")
					var file []string
					write := func(n int, every time.Duration) {
						for range n {
							text := fmt.Sprint("line ", len(file))
							file = append(file, text)
							c.Log(text)
							pass(every)
						}
					}
					write(lines, 100*time.Millisecond)
					r := followAll(t, client)
					pass(20 * time.Second)
					for _, clean := range []bool{true, false} {
						write(5, time.Second)
						api.CutAll(clean)
						pass(10 * time.Second)
					}
					c.Exit(1, "")
					pass(20 * time.Second)
					c.Start()
					write(5, time.Second)
					pass(20 * time.Second)
					r.wants(t, file...)
				})
			})
		}
	}
}
