package promise_test

import (
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ktail/ktail/internal/fakeapi"
)

// An expired continue token is not an error: everything is listed again.
func TestList_ExpiredPageIsListedAgain(t *testing.T) {
	for _, following := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			expired := 0
			api := newServer(t, fakeapi.Options{NoWatchList: true, Fault: func(r *http.Request) *fakeapi.Fault {
				if r.URL.Query().Get("continue") == "" {
					return nil
				}
				expired++
				return &fakeapi.Fault{Status: http.StatusGone, Reason: metav1.StatusReasonExpired, Message: "the continue token is too old"}
			}})
			const pods = 1200 // more than two pages
			for i := range pods {
				pod := api.RunPod("default", fmt.Sprint("web-", i), "app")
				pod.Container("app").Log("line")
				pod.Container("app").Exit(0, "")
			}
			r := follow(t, watchAll(connect(t, api), following))
			pass(time.Minute)
			if !following {
				if err := r.stop(); err != nil {
					t.Error(err)
				}
			}
			r.add(func() {
				if len(r.lines) != pods {
					t.Errorf("follow %t: %d lines, want %d", following, len(r.lines), pods)
				}
				if !following && expired == 0 {
					t.Error("no expired page was requested")
				}
				wantsWords(t, "warnings", r.warnings)
			})
		})
	}
}
