package fakeapi_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/ktail/ktail/internal/fakeapi"
)

func start(t *testing.T, opts fakeapi.Options) *fakeapi.Server {
	t.Helper()
	s, err := fakeapi.Start(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// client returns a REST client for core/v1, configured as in pkg/kube.
func client(t *testing.T, s *fakeapi.Server) *rest.RESTClient {
	t.Helper()
	config, err := clientcmd.RESTConfigFromKubeConfig(s.Kubeconfig())
	if err != nil {
		t.Fatal(err)
	}
	scheme := runtime.NewScheme()
	if err := corev1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	metav1.AddToGroupVersion(scheme, corev1.SchemeGroupVersion)
	config.GroupVersion = &corev1.SchemeGroupVersion
	config.APIPath = "/api"
	config.NegotiatedSerializer = serializer.NewCodecFactory(scheme).WithoutConversion()
	config.QPS = -1
	c, err := rest.RESTClientFor(config)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// get sends a request without a connection.
func get(t *testing.T, s *fakeapi.Server, path string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://fake"+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := s.Transport().RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	return resp
}

func body(t *testing.T, s *fakeapi.Server, path string) string {
	t.Helper()
	b, err := io.ReadAll(get(t, s, path).Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func at(sec int) int64 { return time.Date(2024, 5, 1, 12, 0, sec, 5, time.UTC).UnixNano() }

func TestLog_HonorsParameters(t *testing.T) {
	s := fakeapi.New(fakeapi.Options{Now: func() time.Time { return time.Unix(0, at(10)) }})
	defer s.Close()
	c := s.RunPod("shop", "cart", "app").Container("app")
	c.Append(
		fakeapi.Entry{Time: at(1), Text: "one"},
		fakeapi.Entry{Time: at(3), Text: "three"},
		fakeapi.Entry{Time: at(2), Text: "two"},
		fakeapi.Entry{Time: at(3), Text: "lo", Partial: true},
		fakeapi.Entry{Time: at(4), Text: "ng"},
		fakeapi.Entry{Time: at(5), Text: "end", Partial: true},
	)
	tests := []struct {
		name, query, want string
	}{
		{"all", "", "one\nthree\ntwo\nlong\nend"},
		{"timestamps have nine digits; a line in pieces has one", "timestamps=true&sinceTime=2024-05-01T12:00:03Z", "" +
			"2024-05-01T12:00:03.000000005Z three\n2024-05-01T12:00:03.000000005Z long\n2024-05-01T12:00:05.000000005Z end"},
		{"sinceTime drops each older line", "sinceTime=2024-05-01T12:00:03Z", "three\nlong\nend"},
		{"sinceTime has whole seconds", "sinceTime=2024-05-01T12:00:03.9Z", "three\nlong\nend"},
		{"sinceSeconds", "sinceSeconds=6", "ng\nend"},
		{"tail", "tailLines=1", "end"},
		{"tail before since", "tailLines=4&sinceTime=2024-05-01T12:00:03Z", "long\nend"},
		{"tail of zero lines", "tailLines=0", ""},
		{"limit inside a line", "limitBytes=6", "one\nth"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := body(t, s, "/api/v1/namespaces/shop/pods/cart/log?"+tt.query); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestLog_ReturnsErrorsLikeAPIServer(t *testing.T) {
	s := fakeapi.New(fakeapi.Options{})
	defer s.Close()
	s.RunPod("shop", "two", "a", "b")
	s.AddPod(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "new"},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "app"}}}})
	s.SetFault(func(r *http.Request) *fakeapi.Fault {
		if fakeapi.Parse(r).Container == "b" {
			return fakeapi.Forbid(r)
		}
		return nil
	})
	tests := []struct {
		path, message, reason string
		code                  int
	}{
		{"new/log", `container \"app\" in pod \"new\" is waiting to start: ContainerCreating`, "BadRequest", 400},
		{"new/log?previous=true", `previous terminated container \"app\" in pod \"new\" not found`, "BadRequest", 400},
		{"two/log", `a container name must be specified for pod two, choose one of: [a b]`, "BadRequest", 400},
		{"two/log?container=x", `container x is not valid for pod two`, "BadRequest", 400},
		{"none/log", `pods \"none\" not found`, "NotFound", 404},
		{"none", `pods \"none\" not found`, "NotFound", 404},
		{"two/log?container=b", `pods \"two\" is forbidden: User \"fake\" cannot get resource \"pods/log\" in API group \"\" in the namespace \"shop\"`, "Forbidden", 403},
		{"two/log?container=a&stream=Stderr", `stream: Forbidden: may not be specified`, "Invalid", 422},
		{"?labelSelector=a(", `unable to parse requirement`, "BadRequest", 400},
		{"?fieldSelector=spec.x=1", `field label not supported: spec.x`, "BadRequest", 400},
	}
	for _, tt := range tests {
		t.Run(tt.path, func(t *testing.T) {
			resp := get(t, s, "/api/v1/namespaces/shop/pods/"+tt.path)
			b, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Fatal(err)
			}
			got := string(b)
			if resp.StatusCode != tt.code || !strings.Contains(got, tt.message) ||
				!strings.Contains(got, `"reason":"`+tt.reason+`"`) || !strings.Contains(got, `"kind":"Status"`) {
				t.Errorf("got %d %s", resp.StatusCode, got)
			}
		})
	}
}

// The status and the logs of a container are consistent about its instances.
func TestLog_ServesCurrentAndPreviousInstance(t *testing.T) {
	s := fakeapi.New(fakeapi.Options{})
	defer s.Close()
	p := s.RunPod("shop", "cart", "app")
	c := p.Container("app")
	log := func(query string) string { return body(t, s, "/api/v1/namespaces/shop/pods/cart/log?"+query) }
	status := func() corev1.ContainerStatus { return p.Object().Status.ContainerStatuses[0] }

	c.Log("first")
	first := status().ContainerID
	c.Exit(3, "")
	if st := status(); st.State.Terminated.ExitCode != 3 || st.State.Terminated.Reason != "Error" || log("follow=true") != "first\n" {
		t.Errorf("after the exit: %+v", st)
	}
	if c.Log("too late") {
		t.Error("a container that has ended accepted a line")
	}
	c.BackOff()
	if st := status(); st.State.Waiting.Reason != "CrashLoopBackOff" || log("") != "first\n" || log("previous=true") != "first\n" {
		t.Errorf("in back-off: %+v", st)
	}
	c.Start()
	c.Log("second")
	st := status()
	if st.RestartCount != 1 || st.ContainerID == first || st.LastTerminationState.Terminated.ContainerID != first {
		t.Errorf("after the restart: %+v", st)
	}
	if log("") != "second\n" || log("previous=true") != "first\n" {
		t.Error("want the second and the first instance")
	}
	c.Rotate()
	c.Log("second, new file")
	if got := log(""); got != "second, new file\n" {
		t.Errorf("after the rotation: %q", got)
	}
	c.Exit(0, "")
	if got := log("previous=true"); got != "unable to retrieve container logs for "+first {
		t.Errorf("the log before the previous one: %q", got)
	}

	p.HoldStatus()
	c.Start()
	c.Log("third")
	if status().State.Terminated == nil || log("") != "third\n" {
		t.Error("a held status must neither change nor delay the logs")
	}
	p.ReleaseStatus()
	if status().RestartCount != 2 {
		t.Error("a released status must be the current one")
	}
}

func TestPod_PhaseFollowsContainers(t *testing.T) {
	tests := []struct {
		policy corev1.RestartPolicy
		codes  []int32
		want   corev1.PodPhase
	}{
		{corev1.RestartPolicyAlways, []int32{0, 1}, corev1.PodRunning},
		{corev1.RestartPolicyNever, []int32{0, 0}, corev1.PodSucceeded},
		{corev1.RestartPolicyNever, []int32{0, 1}, corev1.PodFailed},
		{corev1.RestartPolicyNever, []int32{0}, corev1.PodRunning},
		{corev1.RestartPolicyOnFailure, []int32{0, 1}, corev1.PodRunning},
		{corev1.RestartPolicyOnFailure, []int32{0, 0}, corev1.PodSucceeded},
	}
	s := fakeapi.New(fakeapi.Options{})
	defer s.Close()
	for _, tt := range tests {
		p := s.AddPod(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "p"}, Spec: corev1.PodSpec{
			RestartPolicy: tt.policy, Containers: []corev1.Container{{Name: "a"}, {Name: "b"}}}})
		if got := p.Object().Status.Phase; got != corev1.PodPending {
			t.Errorf("before the start: %s", got)
		}
		p.Start()
		for i, code := range tt.codes {
			p.Container([]string{"a", "b"}[i]).Exit(code, "")
		}
		if got := p.Object().Status.Phase; got != tt.want {
			t.Errorf("%s %v: got %s, want %s", tt.policy, tt.codes, got, tt.want)
		}
	}
}

// A follow waits without polling, continues after a rotation, and ends with the
// instance, all in a bubble without sockets.
func TestFollow_WorksUnderSynctest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := fakeapi.New(fakeapi.Options{})
		defer s.Close()
		c := s.RunPod("shop", "cart", "app").Container("app")
		c.Log("before")
		resp := get(t, s, "/api/v1/namespaces/shop/pods/cart/log?follow=true&tailLines=0")
		lines := bufio.NewScanner(resp.Body)
		synctest.Wait()
		if n := s.Counts(); n.OpenFollows != 1 || n.Follows != 1 {
			t.Errorf("%+v", n)
		}
		go func() {
			time.Sleep(time.Hour) // advances the bubble's clock
			c.Log("a", "b")
			c.Rotate()
			c.Log("c")
			c.Append(fakeapi.Entry{Text: "last words", Partial: true})
			c.Exit(1, "")
		}()
		var got []string
		for lines.Scan() {
			got = append(got, lines.Text())
		}
		if want := "a b c last words"; strings.Join(got, " ") != want || lines.Err() != nil {
			t.Errorf("got %q, %v", got, lines.Err())
		}
		synctest.Wait()
		if n := s.Counts(); n.OpenFollows != 0 || n.PeakFollows != 1 {
			t.Errorf("%+v", n)
		}
	})
}

func TestFaults_WorkWithoutNetwork(t *testing.T) {
	long := strings.Repeat("x", 50)
	tests := []struct {
		name  string
		fault fakeapi.Fault
		code  int
		want  string
		err   error
	}{
		{"none", fakeapi.Fault{}, 200, long + "\n", nil},
		{"clean end", fakeapi.Fault{Break: fakeapi.End, After: 7}, 200, long[:7], nil},
		{"clean end before the first byte", fakeapi.Fault{Break: fakeapi.End}, 200, "", nil},
		{"reset", fakeapi.Fault{Break: fakeapi.Reset, After: 7}, 200, long[:7], io.ErrUnexpectedEOF},
		{"prefix", fakeapi.Fault{Prefix: "oh\n"}, 200, "oh\n" + long + "\n", nil},
		{"prefix counts", fakeapi.Fault{Prefix: "oh\n", Break: fakeapi.End, After: 5}, 200, "oh\nxx", nil},
		{"body", fakeapi.Fault{Body: "too many open files"}, 200, "too many open files", nil},
		{"raw error", fakeapi.Fault{Status: 502, Body: "bad"}, 502, "bad", nil},
		{"stall", fakeapi.Fault{Break: fakeapi.Stall, After: 7}, 200, long[:7], context.DeadlineExceeded},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := fakeapi.New(fakeapi.Options{Fault: func(*http.Request) *fakeapi.Fault { return &tt.fault }})
				defer s.Close()
				s.RunPod("shop", "cart", "app").Container("app").Log(long)
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://fake/api/v1/namespaces/shop/pods/cart/log", http.NoBody)
				if err != nil {
					t.Fatal(err)
				}
				resp, err := s.Transport().RoundTrip(r)
				if err != nil {
					t.Fatal(err)
				}
				got, err := io.ReadAll(resp.Body)
				if resp.StatusCode != tt.code || string(got) != tt.want || !errors.Is(err, tt.err) {
					t.Errorf("got %d %q %v", resp.StatusCode, got, err)
				}
			})
		})
	}
}

func TestFault_SendsRetryAfter(t *testing.T) {
	s := fakeapi.New(fakeapi.Options{Fault: func(*http.Request) *fakeapi.Fault {
		return &fakeapi.Fault{Status: 429, RetryAfter: 1500 * time.Millisecond, Delay: time.Millisecond}
	}})
	defer s.Close()
	resp := get(t, s, "/api/v1/pods")
	if resp.StatusCode != 429 || resp.Header.Get("Retry-After") != "2" {
		t.Errorf("%d %v", resp.StatusCode, resp.Header)
	}
}
