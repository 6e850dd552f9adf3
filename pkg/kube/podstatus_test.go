package kube_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/ktail/ktail/internal/fakeapi"
	"github.com/ktail/ktail/pkg/ktail"
	"github.com/ktail/ktail/pkg/kube"
)

// The state of a pod follows its containers, without further requests.
func TestPods_StateFollowsThePod(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := fakeapi.New(fakeapi.Options{})
		defer api.Close()
		api.AddPod(&corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "web-1"},
			Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: "web:1", Resources: corev1.ResourceRequirements{
				Requests: corev1.ResourceList{"cpu": resource.MustParse("250m")},
				Limits:   corev1.ResourceList{"memory": resource.MustParse("64Mi")},
			}}}},
		}).Start()
		w, stop := watchPods(t, api, kube.Selection{Namespaces: []string{"default"}})
		defer stop()
		wait := func() (kube.PodStatus, uint64) {
			t.Helper()
			<-time.After(time.Second)
			pods, version := w.Pods()
			if len(pods) != 1 || len(pods[0].Containers) != 1 {
				t.Fatalf("pods %+v", pods)
			}
			return pods[0], version
		}
		pod, before := wait()
		c := pod.Containers[0]
		if pod.Name != "web-1" || pod.Phase != "Running" || c.State != "running" || c.Restarts != 0 || c.LastExit != "" {
			t.Errorf("at the start: %+v", pod)
		}
		if c.CPURequest != 250 || c.MemoryLimit != 64<<20 || c.CPULimit != 0 || c.MemoryRequest != 0 || c.Image != "web:1" {
			t.Errorf("resources: %+v", c)
		}
		api.Pod("default", "web-1").Container("app").Exit(137, "OOMKilled")
		pod, after := wait()
		if c := pod.Containers[0]; c.LastExit != "OOMKilled (137)" || c.LastExitAt.IsZero() || c.State == "running" {
			t.Errorf("after the exit: %+v", c)
		}
		if after == before {
			t.Error("the version is the same after a change")
		}
	})
}

// watchPods starts a watcher that keeps the state of pods.
func watchPods(t *testing.T, api *fakeapi.Server, selection kube.Selection) (w *kube.Watcher, stop func()) {
	t.Helper()
	config := &rest.Config{Host: api.URL()}
	config.Wrap(func(http.RoundTripper) http.RoundTripper { return api.Transport() })
	client, err := kube.NewClient(config, "fake", "default", kube.ClientOptions{})
	if err != nil {
		t.Fatal(err)
	}
	w = &kube.Watcher{Client: client, Selection: selection, Options: kube.LogOptions{Follow: true, Tail: -1}, KeepStatus: true}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.Watch(ctx, func([]ktail.Source) {}) }()
	return w, func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Watch: %v", err)
		}
	}
}

// The pods that need attention most have no container that ever ran. Which of their
// containers are shown depends on the selection only.
func TestPods_IncludesThoseThatNeverRan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := fakeapi.New(fakeapi.Options{})
		defer api.Close()
		add := func(name string) *fakeapi.Pod {
			return api.AddPod(&corev1.Pod{
				ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name, OwnerReferences: []metav1.OwnerReference{{Kind: "Job", Name: "web"}}},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "app"}, {Name: "proxy"}}, InitContainers: []corev1.Container{{Name: "setup"}}},
			})
		}
		add("web-evicted").Evict("The node was low on resource: memory.")
		add("web-new").Container("proxy").SetWaiting("ImagePullBackOff", "")
		add("web-unschedulable").SetUnschedulable("0/3 nodes are available")
		add("other").Start()
		w, stop := watchPods(t, api, kube.Selection{
			Pods: []*regexp.Regexp{regexp.MustCompile("web")}, Containers: regexp.MustCompile("app|setup"), NoInitContainers: true,
		})
		defer stop()
		<-time.After(time.Second)
		pods, _ := w.Pods()
		var got []string
		for _, p := range pods {
			got = append(got, strings.Join([]string{p.Name, p.Phase, p.Reason, p.Owner.Name}, " "))
			for _, c := range p.Containers {
				got = append(got, strings.Join([]string{"-", c.Name, c.State, c.Reason}, " "))
			}
		}
		want := []string{
			"web-evicted Failed Evicted web", "- app waiting Evicted",
			"web-new Pending  web", "- app waiting PodInitializing",
			"web-unschedulable Pending  web", "- app waiting Unschedulable",
		}
		if !slices.Equal(got, want) {
			t.Errorf("pods\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	})
}

// The answers of the Metrics API, as metrics-server 0.9 gives them.
func TestMetrics_ReadsTheAnswer(t *testing.T) {
	answers := map[string]struct {
		status int
		body   string
	}{
		"/apis/metrics.k8s.io/v1beta1/namespaces/shop/pods": {200, `{"kind":"PodMetricsList","apiVersion":"metrics.k8s.io/v1beta1","metadata":{},"items":[
			{"metadata":{"name":"web-1","namespace":"shop","labels":{"app":"web"}},"timestamp":"2026-01-31T10:00:00Z","window":"9.997s",
			 "containers":[{"name":"app","usage":{"cpu":"26451836n","memory":"6080Ki"}},{"name":"proxy","usage":{"cpu":"0","memory":"1Mi"}}]}]}`},
		"/apis/metrics.k8s.io/v1beta1/namespaces/none/pods": {404, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"NotFound","code":404}`},
		"/apis/metrics.k8s.io/v1beta1/namespaces/forbidden/pods": {403, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Forbidden","code":403,
			"message":"pods.metrics.k8s.io is forbidden: User \"eve\" cannot list resource \"pods\" in API group \"metrics.k8s.io\" in the namespace \"forbidden\""}`},
		"/apis/metrics.k8s.io/v1beta1/namespaces/odd/pods": {200, `{"items":"x"}`},
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a := answers[r.URL.Path]
		if r.URL.Query().Get("labelSelector") != "app=web" {
			t.Errorf("asked with %s", r.URL)
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(a.status)
		_, _ = w.Write([]byte(a.body))
	}))
	defer server.Close()
	client, err := kube.NewClient(&rest.Config{Host: server.URL}, "fake", "shop", kube.ClientOptions{})
	if err != nil {
		t.Fatal(err)
	}
	ask := func(namespace string) ([]kube.PodMetrics, error) {
		return client.Metrics(t.Context(), &kube.Selection{Namespaces: []string{namespace}, LabelSelector: "app=web"})
	}
	pods, err := ask("shop")
	if err != nil || len(pods) != 1 || len(pods[0].Containers) != 2 {
		t.Fatalf("%+v, %v", pods, err)
	}
	if c := pods[0].Containers[0]; c.Name != "app" || c.CPU != 27 || c.Memory != 6080<<10 || !pods[0].Time.Equal(time.Date(2026, 1, 31, 10, 0, 0, 0, time.UTC)) {
		t.Errorf("%+v", pods[0])
	}
	if _, err := ask("none"); !errors.Is(err, kube.ErrNoMetrics) {
		t.Errorf("without the API: %v", err)
	}
	if _, err := ask("forbidden"); err == nil || !strings.Contains(err.Error(), "no permission to list pods in metrics.k8s.io") || !strings.Contains(err.Error(), `User "eve"`) {
		t.Errorf("without the right: %v", err)
	}
	if _, err := ask("odd"); err == nil {
		t.Error("an answer that is no list is accepted")
	}
}
