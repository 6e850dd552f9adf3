package kube

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"k8s.io/client-go/rest"
)

// If the server of an aggregated API does not respond, its group is reported as not
// available, and kinds of other groups are found. API servers report that in two ways.
func TestLookUpKind_GroupIsNotAvailable(t *testing.T) {
	const widget = `{"resource":"widgets","responseKind":{"kind":"Widget"},"scope":"Namespaced","singularResource":"widget","verbs":["list"]}`
	const resources = `{"resources":[{"name":"widgets","singularName":"widget","namespaced":true,"kind":"Widget","verbs":["list"]}]}`
	servers := map[string]map[string]string{
		"aggregated document": {
			"/api": `{"kind":"APIGroupDiscoveryList","items":[]}`,
			"/apis": `{"kind":"APIGroupDiscoveryList","items":[{"metadata":{"name":"up.example.com"},"versions":[{"version":"v1","resources":[` + widget + `]}]},
				{"metadata":{"name":"down.example.com"},"versions":[{"version":"v1","freshness":"Stale"}]}]}`,
		},
		"a document for each group": {
			"/api":    `{"kind":"APIVersions","versions":["v1"]}`,
			"/api/v1": `{"resources":[]}`,
			"/apis": `{"kind":"APIGroupList","groups":[{"preferredVersion":{"groupVersion":"up.example.com/v1"}},
				{"preferredVersion":{"groupVersion":"down.example.com/v1"}}]}`,
			"/apis/up.example.com/v1": resources,
		},
	}
	for name, documents := range servers {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				document, ok := documents[r.URL.Path]
				if !ok {
					w.WriteHeader(http.StatusServiceUnavailable)
					return
				}
				w.Header().Set("Content-Type", "application/json")
				_, _ = fmt.Fprint(w, document)
			}))
			defer server.Close()
			client, err := NewClient(&rest.Config{Host: server.URL}, "", "default", ClientOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if kind, err := client.LookUpKind(t.Context(), "widgets"); err != nil || kind.Group != "up.example.com" {
				t.Errorf("widgets: group %q, error %v", kind.Group, err)
			}
			_, err = client.LookUpKind(t.Context(), "widgets.down.example.com")
			if unknown, ok := errors.AsType[*UnknownKindError](err); !ok || !strings.Contains(unknown.Error(), "the API group down.example.com is not available") {
				t.Errorf("widgets.down.example.com: error %v, want one that names the group that is not available", err)
			}
			_, err = client.LookUpKind(t.Context(), "widgets.missing.example.com")
			if err == nil || strings.Contains(err.Error(), "not available") {
				t.Errorf("widgets.missing.example.com: error %v, want one that says that there is no such kind", err)
			}
		})
	}
}
