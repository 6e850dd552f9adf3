package fakeapi

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
)

// Object is an object of any kind, as decoded from JSON.
type Object map[string]any

// PutObject adds or replaces an object of one of the server's kinds. An object
// without a UID gets one, and an object of a namespaced kind without a
// namespace gets the namespace default.
func (s *Server) PutObject(o Object) error {
	k, m, err := s.identify(o)
	if err != nil {
		return err
	}
	st := s.objects(k)
	if old := st.get(m.Namespace, m.Name); old != nil && m.UID == "" {
		m.UID = old.pod.UID
	}
	if m.UID == "" {
		s.mu.Lock()
		s.podsMade++
		m.UID = types.UID(fmt.Sprintf("00000000-0000-4000-8001-%012d", s.podsMade))
		s.mu.Unlock()
	}
	st.putObject(k, m, o)
	return nil
}

// DeleteObject removes the object with the kind, namespace, and name of o. Pods
// that belong to it stay.
func (s *Server) DeleteObject(o Object) error {
	k, m, err := s.identify(o)
	if err == nil {
		s.objects(k).remove(m.Namespace, m.Name)
	}
	return err
}

// ObjectUID returns the UID of an object, or "" if it does not exist.
func (s *Server) ObjectUID(group, resource, namespace, name string) types.UID {
	if k := s.kindOf(group, resource); k != nil {
		if v := s.objects(k).get(namespace, name); v != nil {
			return v.pod.UID
		}
	}
	return ""
}

// identify returns the kind of the object and its metadata.
func (s *Server) identify(o Object) (*Kind, *metav1.ObjectMeta, error) {
	var typed struct {
		metav1.TypeMeta   `json:",inline"`
		metav1.ObjectMeta `json:"metadata"`
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(o, &typed); err != nil {
		return nil, nil, err
	}
	for _, k := range s.allKinds() {
		if k.apiVersion() == typed.APIVersion && k.Kind == typed.Kind {
			if typed.Namespace == "" && !k.Cluster {
				typed.Namespace = metav1.NamespaceDefault
			}
			return k, &typed.ObjectMeta, nil
		}
	}
	return nil, nil, fmt.Errorf("the server knows no kind %s of %s", typed.Kind, typed.APIVersion)
}

// objects returns the store of a kind.
func (s *Server) objects(k *Kind) *store {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := k.Group + "/" + k.Resource
	st := s.stores[key]
	if st == nil {
		st = newStore()
		s.stores[key] = st
	}
	return st
}

// putObject stores a new version of an object.
func (s *store) putObject(k *Kind, m *metav1.ObjectMeta, o Object) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rv++
	s.insert(newObjectVersion(k, m, o, s.rv))
}

// newObjectVersion returns a podVersion for an object that is not a pod. Of the
// fields of a pod, it has only the metadata.
func newObjectVersion(k *Kind, m *metav1.ObjectMeta, o Object, rv uint64) *podVersion {
	m = m.DeepCopy()
	m.ResourceVersion = itoa(int64(rv))
	meta, err := runtime.DefaultUnstructuredConverter.ToUnstructured(m)
	if err != nil {
		panic(fmt.Sprintf("fakeapi: encode metadata of %s: %v", m.Name, err)) // it was decoded from JSON
	}
	o = maps.Clone(o)
	o["apiVersion"], o["kind"], o["metadata"] = k.apiVersion(), k.Kind, meta
	body, err := json.Marshal(o)
	if err != nil {
		panic(fmt.Sprintf("fakeapi: encode %s: %v", m.Name, err))
	}
	v := &podVersion{rv: rv, pod: &corev1.Pod{ObjectMeta: *m}, json: body}
	if about, ok := o["involvedObject"].(map[string]any); ok {
		v.of, _ = about["kind"].(string)
	}
	v.at = func(rv uint64) *podVersion { return newObjectVersion(k, m, o, rv) }
	return v
}

// metadataOnly reports whether the request wants objects without spec and status.
func metadataOnly(r *http.Request) bool {
	return strings.Contains(r.Header.Get("Accept"), "as=PartialObjectMetadata")
}

// body returns the JSON of the version in the requested form.
func (v *podVersion) body(metadataOnly bool) []byte {
	if !metadataOnly {
		return v.json
	}
	body, err := json.Marshal(metav1.PartialObjectMetadata{
		TypeMeta:   metav1.TypeMeta{Kind: "PartialObjectMetadata", APIVersion: "meta.k8s.io/v1"},
		ObjectMeta: v.pod.ObjectMeta,
	})
	if err != nil {
		panic(fmt.Sprintf("fakeapi: encode metadata of %s: %v", v.pod.Name, err))
	}
	return body
}

// serveObjects responds to a request for objects of a kind, and reports whether
// the server has the kind.
func (s *Server) serveObjects(w *response) bool {
	k := s.kindOf(w.req.Group, w.req.Resource)
	if k == nil || w.req.Subresource != "" {
		return false
	}
	st := s.store
	if k.Resource != "pods" || k.Group != "" {
		st = s.objects(k)
	}
	served := serving{k, st}
	switch w.req.Verb {
	case "get":
		v := st.get(w.req.Namespace, w.req.Name)
		if v == nil {
			writeError(w, apierrors.NewNotFound(schema.GroupResource{Group: k.Group, Resource: k.Resource}, w.req.Name))
			return true
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(v.body(metadataOnly(w.r)))
	case "list":
		s.list(w, served)
	case "watch":
		s.watch(w, served)
	default:
		return false
	}
	return true
}

// serving is a kind and the store of its objects.
type serving struct {
	kind  *Kind
	store *store
}
