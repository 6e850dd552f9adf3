package kube

import (
	"context"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Kind is a kind of object that a cluster knows.
type Kind struct {
	Group      string // empty: core
	Version    string
	Resource   string // plural, as in paths: "deployments"
	Singular   string // "deployment"
	Kind       string // "Deployment"
	ShortNames []string
	Cluster    bool // its objects are cluster-scoped
	Scale      bool // its objects have the subresource scale, and therefore pods
}

// builtIn lists the kinds that have pods on any cluster. They need no
// discovery, and their names take precedence over the names of other groups, as
// in kubectl.
var builtIn = []Kind{
	{"", "v1", "pods", "pod", "Pod", []string{"po"}, false, false},
	{"apps", "v1", "deployments", "deployment", "Deployment", []string{"deploy"}, false, true},
	{"apps", "v1", "statefulsets", "statefulset", "StatefulSet", []string{"sts"}, false, true},
	{"apps", "v1", "daemonsets", "daemonset", "DaemonSet", []string{"ds"}, false, false},
	{"apps", "v1", "replicasets", "replicaset", "ReplicaSet", []string{"rs"}, false, true},
	{"", "v1", "replicationcontrollers", "replicationcontroller", "ReplicationController", []string{"rc"}, false, true},
	{"batch", "v1", "cronjobs", "cronjob", "CronJob", []string{"cj"}, false, false},
	{"batch", "v1", "jobs", "job", "Job", nil, false, false},
	{"", "v1", "services", "service", "Service", []string{"svc"}, false, false},
}

// These kinds are listed by name.
var (
	PodKind       = builtIn[0]
	NamespaceKind = Kind{"", "v1", "namespaces", "namespace", "Namespace", []string{"ns"}, true, false}
	NodeKind      = Kind{"", "v1", "nodes", "node", "Node", []string{"no"}, true, false}
)

// BuiltInKinds returns the kinds that have pods on any cluster.
func BuiltInKinds() []Kind { return slices.Clone(builtIn) }

// String names the kind in messages: "deployment", "rollout.argoproj.io".
func (k *Kind) String() string {
	if slices.ContainsFunc(builtIn, func(b Kind) bool { return b.Group == k.Group && b.Resource == k.Resource }) || k.Group == "" {
		return k.Singular
	}
	return k.Singular + "." + k.Group
}

// groupResource names the kind as RBAC rules and kubectl do: "deployments.apps".
func (k *Kind) groupResource() string {
	if k.Group == "" {
		return k.Resource
	}
	return k.Resource + "." + k.Group
}

func (k *Kind) apiVersion() string {
	if k.Group == "" {
		return k.Version
	}
	return k.Group + "/" + k.Version
}

// path returns the path of the objects, in one namespace or in all.
func (k *Kind) path(namespace string) string {
	path := "/apis/" + k.apiVersion()
	if k.Group == "" {
		path = "/api/" + k.Version
	}
	if namespace != metav1.NamespaceAll && !k.Cluster {
		path += "/namespaces/" + namespace
	}
	return path + "/" + k.Resource
}

// answersTo reports whether the word is a name of the kind: its plural,
// singular, or short name, alone or followed by .group or .version.group.
func (k *Kind) answersTo(word string) bool {
	name, group, qualified := strings.Cut(strings.ToLower(word), ".")
	if qualified && group != k.Group && group != k.Version+"."+k.Group {
		return false
	}
	return name == k.Resource || name == k.Singular || name == strings.ToLower(k.Kind) || slices.Contains(k.ShortNames, name)
}

// UnknownKindError reports that the cluster does not have a kind with that
// name.
type UnknownKindError struct {
	Word        string
	Known       []Kind   // the kinds that the cluster has
	Unavailable []string // API groups whose kinds the cluster currently cannot list
}

// Error implements error.
func (e *UnknownKindError) Error() string {
	_, group, _ := strings.Cut(strings.ToLower(e.Word), ".")
	for _, g := range e.Unavailable {
		if group == "" || g == group || strings.HasSuffix(group, "."+g) {
			return fmt.Sprintf("cannot look up kind %q: the API group %s is not available; see: kubectl get apiservices", e.Word, g)
		}
	}
	return fmt.Sprintf("the cluster does not have a kind %q", e.Word)
}

// LookUpKind returns the kind with this name; see answersTo. If the cluster
// does not have it, the error is an UnknownKindError.
func (c *Client) LookUpKind(ctx context.Context, word string) (Kind, error) {
	for _, k := range builtIn {
		if k.answersTo(word) {
			return k, nil
		}
	}
	kinds, unavailable, err := c.discover(ctx)
	if err != nil {
		return Kind{}, err
	}
	for _, k := range kinds {
		if k.answersTo(word) {
			return k, nil
		}
	}
	return Kind{}, &UnknownKindError{Word: word, Known: kinds, Unavailable: unavailable}
}

// kindOfOwner returns the kind that an ownerReference names.
func (c *Client) kindOfOwner(ctx context.Context, t metav1.TypeMeta) (Kind, error) {
	is := func(k Kind) bool { return k.apiVersion() == t.APIVersion && k.Kind == t.Kind }
	if i := slices.IndexFunc(builtIn, is); i >= 0 {
		return builtIn[i], nil
	}
	kinds, unavailable, err := c.discover(ctx)
	if err != nil {
		return Kind{}, err
	}
	group, _, _ := strings.Cut(t.APIVersion, "/")
	// The server may no longer prefer the version in the reference.
	similar := func(k Kind) bool { return k.Group == group && k.Kind == t.Kind }
	for _, match := range []func(Kind) bool{is, similar} {
		if i := slices.IndexFunc(kinds, match); i >= 0 {
			return kinds[i], nil
		}
	}
	return Kind{}, &UnknownKindError{Word: t.Kind + "." + group, Known: kinds, Unavailable: unavailable}
}

// BuiltInKind returns the kind with this name if it is one of those that have
// pods on any cluster.
func BuiltInKind(word string) (Kind, bool) {
	i := slices.IndexFunc(builtIn, func(k Kind) bool { return k.answersTo(word) })
	if i < 0 {
		return Kind{}, false
	}
	return builtIn[i], true
}

// IsNodeKind reports whether the word means nodes.
func IsNodeKind(word string) bool { return NodeKind.answersTo(word) }
