package fakeapi

import (
	"net/http"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/version"
)

// serveOther serves the paths that describe the server.
func (s *Server) serveOther(w *response) {
	switch w.r.URL.Path {
	case "/version":
		writeJSON(w, http.StatusOK, version.Info{Major: "1", Minor: "35", GitVersion: "v1.35.0-fake", Platform: "linux/amd64"})
	case "/healthz", "/livez", "/readyz":
		_, _ = w.Write([]byte("ok"))
	default:
		writeError(w, codeError(http.StatusNotFound, "", "the server could not find the requested resource", 0))
	}
}

func namespaceObject(name string) corev1.Namespace {
	return corev1.Namespace{
		TypeMeta:   metav1.TypeMeta{Kind: "Namespace", APIVersion: "v1"},
		ObjectMeta: metav1.ObjectMeta{Name: name, ResourceVersion: "1", Labels: map[string]string{"kubernetes.io/metadata.name": name}},
		Status:     corev1.NamespaceStatus{Phase: corev1.NamespaceActive},
	}
}

func (s *Server) getNamespace(w *response) {
	for _, name := range s.store.namespaceNames() {
		if name == w.req.Name {
			writeJSON(w, http.StatusOK, namespaceObject(name))
			return
		}
	}
	writeError(w, apierrors.NewNotFound(schema.GroupResource{Resource: "namespaces"}, w.req.Name))
}

func (s *Server) listNamespaces(w *response) {
	list := corev1.NamespaceList{TypeMeta: metav1.TypeMeta{Kind: "NamespaceList", APIVersion: "v1"}}
	list.ResourceVersion = itoa(int64(s.store.current()))
	for _, name := range s.store.namespaceNames() {
		list.Items = append(list.Items, namespaceObject(name))
	}
	writeJSON(w, http.StatusOK, list)
}
