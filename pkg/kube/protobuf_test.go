package kube

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	api "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"

	"github.com/ktail/ktail/pkg/kube/internal/corev1"
)

// The client requests protobuf and decodes it. Real API servers speak protobuf;
// the fake server does not.
func TestClient_DecodesProtobuf(t *testing.T) {
	server := httptest.NewServer(protobufServer(t, &api.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web-1"},
		Spec:       api.PodSpec{NodeName: "node-1"},
		Status:     api.PodStatus{ContainerStatuses: []api.ContainerStatus{{Name: "nginx", RestartCount: 300}}},
	}))
	defer server.Close()
	client, err := NewClient(&rest.Config{Host: server.URL}, "", "shop", ClientOptions{})
	if err != nil {
		t.Fatal(err)
	}
	check := func(how string, pod *corev1.Pod) {
		t.Helper()
		if pod.Name != "web-1" || pod.Spec.NodeName != "node-1" || pod.Status.ContainerStatuses[0].RestartCount != 300 {
			t.Errorf("%s: got %+v", how, pod)
		}
	}

	pod, err := client.get(t.Context(), "shop", "web-1")
	if err != nil {
		t.Fatal(err)
	}
	check("get", pod)

	var list corev1.PodList
	if err := client.rest.Get().Resource("pods").Do(t.Context()).Into(&list); err != nil {
		t.Fatal(err)
	}
	check("list", &list.Items[0])

	events, err := client.rest.Get().Resource("pods").Param("watch", "1").Watch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer events.Stop()
	event := <-events.ResultChan()
	pod, ok := event.Object.(*corev1.Pod)
	if !ok || event.Type != watch.Added {
		t.Fatalf("watch: got %+v", event)
	}
	check("watch", pod)
}

// protobufServer responds with the pod, a list of it, or a watch that starts
// with it.
func protobufServer(t *testing.T, pod *api.Pod) http.HandlerFunc {
	scheme := runtime.NewScheme()
	if err := api.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	codecs := serializer.NewCodecFactory(scheme)
	info, ok := runtime.SerializerInfoForMediaType(codecs.SupportedMediaTypes(), runtime.ContentTypeProtobuf)
	if !ok {
		t.Fatal("the pod has no protobuf encoding")
	}
	encoder := codecs.EncoderForVersion(info.Serializer, api.SchemeGroupVersion)
	return func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.Header.Get("Accept"), runtime.ContentTypeProtobuf) {
			t.Errorf("%s accepts %s", r.URL, r.Header.Get("Accept"))
		}
		w.Header().Set("Content-Type", runtime.ContentTypeProtobuf)
		var err error
		switch {
		case r.URL.Query().Has("watch"):
			var raw []byte
			if raw, err = runtime.Encode(encoder, pod); err == nil {
				event := &metav1.WatchEvent{Type: string(watch.Added), Object: runtime.RawExtension{Raw: raw}}
				err = info.StreamSerializer.Encode(event, info.StreamSerializer.NewFrameWriter(w))
			}
		case strings.HasSuffix(r.URL.Path, pod.Name):
			err = encoder.Encode(pod, w)
		default:
			err = encoder.Encode(&api.PodList{Items: []api.Pod{*pod}}, w)
		}
		if err != nil {
			t.Error(err)
		}
	}
}
