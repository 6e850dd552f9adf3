package kube

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"k8s.io/client-go/rest"

	"github.com/ktail/ktail/internal/fakeapi"
)

// How many files a kubelet keeps decides whether a gap is reported. A kubelet that is busy
// for a moment must not be taken for one with the default until the end of the run.
func TestMaxFiles_AsksUntilTheKubeletAnswers(t *testing.T) {
	for name, tt := range map[string]struct {
		fault  fakeapi.Fault // of the first request
		second int           // the result after it
		asked  int32
	}{
		"an answer":            {fakeapi.Fault{Body: `{"kubeletconfig": {"containerLogMaxFiles": 3}}`, Type: "application/json"}, 3, 1},
		"no answer":            {fakeapi.Fault{Status: http.StatusServiceUnavailable}, 2, 2},
		"busy":                 {fakeapi.Fault{Status: http.StatusTooManyRequests}, 2, 2},
		"no permission":        {fakeapi.Fault{Status: http.StatusForbidden}, defaultMaxFiles, 1},
		"an answer without it": {fakeapi.Fault{Body: `{}`, Type: "application/json"}, defaultMaxFiles, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var asked atomic.Int32
				api := fakeapi.New(fakeapi.Options{Fault: func(r *http.Request) *fakeapi.Fault {
					if !strings.HasSuffix(r.URL.Path, "/proxy/configz") {
						return nil
					}
					if asked.Add(1) == 1 {
						return &tt.fault
					}
					return &fakeapi.Fault{Body: `{"kubeletconfig": {"containerLogMaxFiles": 2}}`, Type: "application/json"}
				}})
				t.Cleanup(api.Close)
				api.AddNode("worker-1", nil)
				config := &rest.Config{Host: api.URL()}
				config.Wrap(func(http.RoundTripper) http.RoundTripper { return api.Transport() })
				client, err := NewClient(config, "fake", "default", ClientOptions{})
				if err != nil {
					t.Fatal(err)
				}
				files := &podFiles{nodes: newNodeFiles(client, nil), node: "worker-1"}
				_ = files.MaxFiles(t.Context())
				if n := files.MaxFiles(t.Context()); n != tt.second || asked.Load() != tt.asked {
					t.Errorf("the second result is %d after %d requests, want %d after %d", n, asked.Load(), tt.second, tt.asked)
				}
			})
		})
	}
}
