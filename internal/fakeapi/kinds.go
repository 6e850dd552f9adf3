package fakeapi

import (
	"net/http"
	"slices"
	"strings"

	apidiscovery "k8s.io/api/apidiscovery/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Kind is a kind of object that the server serves in addition to pods and
// namespaces.
type Kind struct {
	Group, Version string // Group is empty for core
	Resource       string // plural
	Singular, Kind string
	ShortNames     []string
	Cluster        bool // has no namespace
	Scale          bool // has the subresource scale
}

func (k *Kind) is(group, resource string) bool { return k.Group == group && k.Resource == resource }

func (k *Kind) apiVersion() string {
	if k.Group == "" {
		return k.Version
	}
	return k.Group + "/" + k.Version
}

// builtIn returns the kinds that every server has.
func builtIn() []*Kind {
	return []*Kind{
		{"", "v1", "events", "event", "Event", []string{"ev"}, false, false},
		{"", "v1", "nodes", "node", "Node", []string{"no"}, true, false},
		{"", "v1", "replicationcontrollers", "replicationcontroller", "ReplicationController", []string{"rc"}, false, true},
		{"", "v1", "services", "service", "Service", []string{"svc"}, false, false},
		{"apps", "v1", "daemonsets", "daemonset", "DaemonSet", []string{"ds"}, false, false},
		{"apps", "v1", "deployments", "deployment", "Deployment", []string{"deploy"}, false, true},
		{"apps", "v1", "replicasets", "replicaset", "ReplicaSet", []string{"rs"}, false, true},
		{"apps", "v1", "statefulsets", "statefulset", "StatefulSet", []string{"sts"}, false, true},
		{"batch", "v1", "cronjobs", "cronjob", "CronJob", []string{"cj"}, false, false},
		{"batch", "v1", "jobs", "job", "Job", nil, false, false},
	}
}

// ownStores returns the kinds that are served from their own stores.
func ownStores() []*Kind {
	return []*Kind{
		{"", "v1", "namespaces", "namespace", "Namespace", []string{"ns"}, true, false},
		{"", "v1", "pods", "pod", "Pod", []string{"po"}, false, false},
	}
}

// AddKind adds a kind, as a CustomResourceDefinition does.
func (s *Server) AddKind(k Kind) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kinds = append(s.kinds, &k)
}

// allKinds returns the kinds for discovery, core first.
func (s *Server) allKinds() []*Kind {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append(ownStores(), s.kinds...)
}

func (s *Server) kindOf(group, resource string) *Kind {
	for _, k := range s.allKinds() {
		if k.is(group, resource) {
			return k
		}
	}
	return nil
}

// serveDiscovery responds to /api, /apis, and paths below, in the aggregated
// form if it is requested. It reports whether the path was one of these.
func (s *Server) serveDiscovery(w *response) bool {
	aggregated := !s.opts.NoAggregatedDiscovery && strings.Contains(w.r.Header.Get("Accept"), "as=APIGroupDiscoveryList")
	switch path := strings.Trim(w.r.URL.Path, "/"); {
	case (path == "api" || path == "apis") && aggregated:
		s.serveAggregated(w, path == "api")
	case path == "api":
		writeJSON(w, http.StatusOK, metav1.APIVersions{
			TypeMeta: metav1.TypeMeta{Kind: "APIVersions", APIVersion: "v1"}, Versions: []string{"v1"}})
	case path == "apis":
		writeJSON(w, http.StatusOK, s.groups())
	default:
		for _, k := range s.allKinds() {
			if path == "api/"+k.apiVersion() || path == "apis/"+k.apiVersion() {
				writeJSON(w, http.StatusOK, s.resources(k.apiVersion()))
				return true
			}
		}
		return false
	}
	return true
}

var verbs = metav1.Verbs{"get", "list", "watch"}

func (s *Server) serveAggregated(w *response, core bool) {
	list := apidiscovery.APIGroupDiscoveryList{
		TypeMeta: metav1.TypeMeta{Kind: "APIGroupDiscoveryList", APIVersion: "apidiscovery.k8s.io/v2"}}
	for _, k := range s.allKinds() {
		if (k.Group == "") != core {
			continue
		}
		i := slices.IndexFunc(list.Items, func(g apidiscovery.APIGroupDiscovery) bool { return g.Name == k.Group })
		if i < 0 {
			i = len(list.Items)
			list.Items = append(list.Items, apidiscovery.APIGroupDiscovery{
				ObjectMeta: metav1.ObjectMeta{Name: k.Group},
				Versions:   []apidiscovery.APIVersionDiscovery{{Version: k.Version, Freshness: apidiscovery.DiscoveryFreshnessCurrent}},
			})
		}
		r := apidiscovery.APIResourceDiscovery{
			Resource:         k.Resource,
			ResponseKind:     &metav1.GroupVersionKind{Group: k.Group, Version: k.Version, Kind: k.Kind},
			Scope:            apidiscovery.ScopeNamespace,
			SingularResource: k.Singular,
			Verbs:            verbs,
			ShortNames:       k.ShortNames,
		}
		if k.Cluster {
			r.Scope = apidiscovery.ScopeCluster
		}
		if k.Scale {
			r.Subresources = []apidiscovery.APISubresourceDiscovery{{Subresource: "scale", Verbs: metav1.Verbs{"get"}}}
		}
		version := &list.Items[i].Versions[0]
		version.Resources = append(version.Resources, r)
	}
	writeJSON(w, http.StatusOK, list)
}

func (s *Server) groups() metav1.APIGroupList {
	list := metav1.APIGroupList{TypeMeta: metav1.TypeMeta{Kind: "APIGroupList", APIVersion: "v1"}, Groups: []metav1.APIGroup{}}
	for _, k := range s.allKinds() {
		known := func(g metav1.APIGroup) bool { return g.Name == k.Group }
		if k.Group == "" || slices.ContainsFunc(list.Groups, known) {
			continue
		}
		v := metav1.GroupVersionForDiscovery{GroupVersion: k.apiVersion(), Version: k.Version}
		list.Groups = append(list.Groups, metav1.APIGroup{
			Name: k.Group, Versions: []metav1.GroupVersionForDiscovery{v}, PreferredVersion: v})
	}
	return list
}

func (s *Server) resources(apiVersion string) metav1.APIResourceList {
	list := metav1.APIResourceList{TypeMeta: metav1.TypeMeta{Kind: "APIResourceList", APIVersion: "v1"}, GroupVersion: apiVersion}
	for _, k := range s.allKinds() {
		if k.apiVersion() != apiVersion {
			continue
		}
		r := metav1.APIResource{
			Name: k.Resource, SingularName: k.Singular, Kind: k.Kind, Namespaced: !k.Cluster, ShortNames: k.ShortNames, Verbs: verbs}
		list.APIResources = append(list.APIResources, r)
		if k.Scale {
			r.Name, r.ShortNames = k.Resource+"/scale", nil
			list.APIResources = append(list.APIResources, r)
		}
		if k.Resource == "pods" {
			r.Name, r.ShortNames = "pods/log", nil
			list.APIResources = append(list.APIResources, r)
		}
	}
	return list
}
