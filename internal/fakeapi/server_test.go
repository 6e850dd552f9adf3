package fakeapi_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"

	"github.com/ktail/ktail/internal/fakeapi"
)

// A Reflector sees every change, with and without a streamed list, and recovers
// from closed and expired watches.
func TestWatch_WorksWithReflector(t *testing.T) {
	for _, noWatchList := range []bool{false, true} {
		t.Run(fmt.Sprintf("NoWatchList=%t", noWatchList), func(t *testing.T) {
			s := start(t, fakeapi.Options{NoWatchList: noWatchList})
			for i := range 5 {
				s.RunPod("shop", fmt.Sprintf("p%d", i), "app")
			}
			s.RunPod("other", "q", "app")
			keys := reflect(t, s, "shop")
			keys.want(t, "p0 p1 p2 p3 p4")
			if lists := s.Counts().Lists; noWatchList != (lists > 0) {
				t.Errorf("%d lists", lists)
			}

			s.Pod("shop", "p0").Remove()
			keys.want(t, "p1 p2 p3 p4")

			s.CloseWatches()
			s.Pod("shop", "p1").Remove()
			keys.want(t, "p2 p3 p4")

			s.MuteWatches(true)
			s.CloseWatches()
			s.Pod("shop", "p2").Remove()
			s.ExpireWatches()
			s.MuteWatches(false)
			keys.want(t, "p3 p4")

			s.DropConns()
			s.Pod("shop", "p3").Remove()
			keys.want(t, "p4")
		})
	}
}

// podNames is a reflector's store that reports the names in it.
type podNames struct {
	cache.Store
	changed chan string
}

func reflect(t *testing.T, s *fakeapi.Server, namespace string) *podNames {
	p := &podNames{Store: cache.NewStore(cache.MetaNamespaceKeyFunc), changed: make(chan string, 1000)}
	lw := cache.NewListWatchFromClient(client(t, s), "pods", namespace, fields.Everything())
	r := cache.NewReflectorWithOptions(lw, &corev1.Pod{}, p, cache.ReflectorOptions{
		Backoff: &wait.Backoff{Duration: 10 * time.Millisecond, Steps: 1}})
	r.WatchListPageSize = 2
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		r.RunWithContext(ctx)
	}()
	t.Cleanup(func() { cancel(); <-ended })
	return p
}

func (p *podNames) report() {
	var names []string
	for _, key := range p.ListKeys() {
		_, name, _ := strings.Cut(key, "/")
		names = append(names, name)
	}
	slices.Sort(names)
	p.changed <- strings.Join(names, " ")
}

func (p *podNames) Add(o any) error    { defer p.report(); return p.Store.Add(o) }
func (p *podNames) Update(o any) error { defer p.report(); return p.Store.Update(o) }
func (p *podNames) Delete(o any) error { defer p.report(); return p.Store.Delete(o) }
func (p *podNames) Replace(o []any, rv string) error {
	defer p.report()
	return p.Store.Replace(o, rv)
}

func (p *podNames) want(t *testing.T, want string) {
	t.Helper()
	last := ""
	for deadline := time.After(20 * time.Second); last != want; {
		select {
		case last = <-p.changed:
		case <-deadline:
			t.Fatalf("got %q, want %q", last, want)
		}
	}
}

func TestList_PagesContainEachPodOnce(t *testing.T) {
	s := start(t, fakeapi.Options{})
	for i := range 7 {
		s.RunPod("shop", fmt.Sprintf("p%d", i), "app")
	}
	var names []string
	c, token := client(t, s), ""
	for {
		list := &corev1.PodList{}
		err := c.Get().Resource("pods").Param("limit", "3").Param("continue", token).Do(t.Context()).Into(list)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range list.Items {
			names = append(names, p.Name)
		}
		if token = list.Continue; token == "" {
			break
		}
	}
	if got := strings.Join(names, " "); got != "p0 p1 p2 p3 p4 p5 p6" {
		t.Errorf("got %s", got)
	}
}

type watchEvent struct {
	Type   string
	Object struct {
		metav1.ObjectMeta `json:"metadata"`
		Code              int
	}
}

func TestWatch_HonorsSelectors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := fakeapi.New(fakeapi.Options{})
		defer s.Close()
		a := s.RunPod("shop", "a", "app")
		resp := get(t, s, "/api/v1/pods?watch=1&labelSelector=app%3Da&fieldSelector=status.phase%3DRunning&allowWatchBookmarks=true"+
			"&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&timeoutSeconds=90")
		go func() {
			s.RunPod("shop", "b", "app")
			a.Update(func(p *corev1.Pod) { p.Labels["version"] = "2" })
			a.Update(func(p *corev1.Pod) { p.Labels["app"] = "x" })
			a.Update(func(p *corev1.Pod) { p.Labels["app"] = "a" })
			a.Remove()
		}()
		var got []string
		for d := json.NewDecoder(resp.Body); ; {
			var e watchEvent
			if err := d.Decode(&e); err != nil {
				if !errors.Is(err, io.EOF) {
					t.Error(err)
				}
				break
			}
			if e.Object.Annotations[metav1.InitialEventsAnnotationKey] == "true" {
				e.Type += "(initial end)"
			}
			got = append(got, e.Type+" "+e.Object.Name+" "+e.Object.Labels["version"])
		}
		// Remove ends the container first. A bookmark follows after a minute,
		// and another one at the end.
		want := []string{"ADDED a ", "BOOKMARK(initial end)  ", "MODIFIED a 2", "DELETED a 2", "ADDED a 2", "MODIFIED a 2", "DELETED a 2",
			"BOOKMARK  ", "BOOKMARK  "}
		if !slices.Equal(got, want) {
			t.Errorf("got  %q\nwant %q", got, want)
		}
	})
}

func TestWatch_ExpiredVersionIsGone(t *testing.T) {
	s := fakeapi.New(fakeapi.Options{})
	defer s.Close()
	s.RunPod("shop", "a", "app")
	s.ExpireWatches()
	var e watchEvent
	if err := json.NewDecoder(get(t, s, "/api/v1/pods?watch=1&resourceVersion=101").Body).Decode(&e); err != nil {
		t.Fatal(err)
	}
	if e.Type != "ERROR" || e.Object.Code != http.StatusGone {
		t.Errorf("%+v", e)
	}
}

// follow opens a log stream over the network.
func follow(t *testing.T, c *rest.RESTClient, pod string) io.ReadCloser {
	t.Helper()
	body, err := c.Get().Namespace("shop").Resource("pods").Name(pod).SubResource("log").
		Param("follow", "true").Param("timestamps", "true").Stream(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = body.Close() })
	return body
}

func TestCut_EndsStreams(t *testing.T) {
	for _, plain := range []bool{false, true} {
		for _, clean := range []bool{false, true} {
			t.Run(fmt.Sprintf("PlainHTTP=%t,clean=%t", plain, clean), func(t *testing.T) {
				s := start(t, fakeapi.Options{PlainHTTP: plain})
				s.RunPod("shop", "a", "app").Container("app").Log("hello")
				body := follow(t, client(t, s), "a")
				r := bufio.NewReader(body)
				if line, err := r.ReadString('\n'); err != nil || !strings.HasSuffix(line, "Z hello\n") {
					t.Fatalf("%q %v", line, err)
				}
				if n := s.CutAll(clean); n != 1 {
					t.Errorf("cut %d streams", n)
				}
				rest, err := io.ReadAll(r)
				if len(rest) != 0 || clean != (err == nil) {
					t.Errorf("%q %v", rest, err)
				}
			})
		}
	}
}

// A stream whose client does not read is cut as well.
func TestCut_EndsBlockedStreams(t *testing.T) {
	s := start(t, fakeapi.Options{})
	c := s.RunPod("shop", "a", "app").Container("app")
	body := follow(t, client(t, s), "a")
	big := strings.Repeat("x", 1<<20)
	for range 20 {
		c.Log(big)
	}
	s.CutAll(false)
	if err := s.Wait(t.Context(), func(c fakeapi.Counts) bool { return c.OpenLogs == 0 }); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, body); err == nil {
		t.Error("want an error")
	}
}

func TestFreeze_StopsConnection(t *testing.T) {
	s := start(t, fakeapi.Options{})
	c := s.RunPod("shop", "a", "app").Container("app")
	s.SetFault(func(r *http.Request) *fakeapi.Fault {
		return &fakeapi.Fault{Break: fakeapi.Freeze, After: 37}
	})
	c.Log("hello", "world")
	body := follow(t, client(t, s), "a")
	got := make([]byte, 37)
	if _, err := io.ReadFull(body, got); err != nil || !strings.HasSuffix(string(got), "hello\n") {
		t.Fatalf("%q %v", got, err)
	}
	ended := make(chan error)
	go func() {
		_, err := body.Read(got)
		ended <- err
	}()
	select {
	case err := <-ended:
		t.Fatalf("the stream ended: %v", err)
	case <-time.After(100 * time.Millisecond): // the stream stays silent
	}
	s.DropConns()
	if err := <-ended; err == nil {
		t.Error("want an error")
	}
}

func TestDown_RefusesConnections(t *testing.T) {
	s := start(t, fakeapi.Options{})
	c := client(t, s)
	version := func() error { return c.Get().AbsPath("/version").MaxRetries(0).Do(t.Context()).Error() }
	if err := version(); err != nil {
		t.Fatal(err)
	}
	s.Down()
	if version() == nil {
		t.Error("got a response while down")
	}
	s.Up()
	if err := version(); err != nil {
		t.Error(err)
	}
}

// Each of many follows receives every line.
func TestFollow_EachOfManyReceivesEveryLine(t *testing.T) {
	const pods, lines = 1000, 10
	s := start(t, fakeapi.Options{})
	c := client(t, s)
	for i := range pods {
		s.RunPod("shop", fmt.Sprintf("p%d", i), "app")
	}
	counts := make(chan int, pods)
	opening := make(chan struct{}, 10) // otherwise each dials its own connection
	for i := range pods {
		go func() {
			opening <- struct{}{}
			body, err := c.Get().Namespace("shop").Resource("pods").Name(fmt.Sprintf("p%d", i)).SubResource("log").
				Param("follow", "true").Stream(t.Context())
			<-opening
			if err != nil {
				t.Error(err)
				counts <- 0
				return
			}
			n := 0
			for sc := bufio.NewScanner(body); sc.Scan(); n++ {
			}
			counts <- n
		}()
	}
	if err := s.Wait(t.Context(), func(c fakeapi.Counts) bool { return c.OpenFollows == pods }); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	for range lines {
		for i := range pods {
			s.Pod("shop", fmt.Sprintf("p%d", i)).Container("app").Log("some text of a plausible length, about as long as this")
		}
	}
	for i := range pods {
		s.Pod("shop", fmt.Sprintf("p%d", i)).Container("app").Exit(0, "")
	}
	for range pods {
		if n := <-counts; n != lines {
			t.Fatalf("%d lines", n)
		}
	}
	t.Logf("%.0f lines/s", pods*lines/time.Since(began).Seconds())
}
