package promise_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ktail/ktail/internal/fakeapi"
	"github.com/ktail/ktail/pkg/kube"
)

// ignoring forwards requests without some of their parameters.
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

// ignoringClient returns a client of a server that ignores the parameters.
func ignoringClient(t testing.TB, api *fakeapi.Server, params ...string) *kube.Client {
	t.Helper()
	return connectThrough(t, api, ignoring{api.Transport(), params})
}

// With a log API that ignores any of the parameters, as virtual kubelets do, each
// line is written once, without a gap.
func TestIgnoredParameters_WriteEachLineOnce(t *testing.T) {
	all := []string{"timestamps", "follow", "tailLines", "previous", "sinceTime"}
	for combination := 1; combination < 1<<len(all); combination++ {
		var params []string
		for i, name := range all {
			if combination>>i&1 != 0 {
				params = append(params, name)
			}
		}
		if params[len(params)-1] == "sinceTime" {
			params = append(params, "sinceSeconds")
		}
		counts := []int{100}
		if len(params) == 1 || len(params) > len(all) {
			counts = []int{3, 100, 3000}
		}
		for _, lines := range counts {
			t.Run(fmt.Sprintf("%s/%d", strings.Join(params, "+"), lines), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { ignoredParameters(t, params, lines) })
			})
		}
	}
}

func ignoredParameters(t *testing.T, params []string, lines int) {
	api := newServer(t, fakeapi.Options{})
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
	r := followAll(t, ignoringClient(t, api, params...))
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
}
