package kube

import (
	"encoding/json"
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/labels"
)

func TestKind_AnswersToItsNames(t *testing.T) {
	rollout := Kind{Group: "argoproj.io", Version: "v1alpha1", Resource: "rollouts", Singular: "rollout", Kind: "Rollout", ShortNames: []string{"ro"}}
	deployment := builtIn[1]
	tests := []struct {
		kind Kind
		word string
		want bool
	}{
		{deployment, "deploy", true},
		{deployment, "deployment", true},
		{deployment, "deployments", true},
		{deployment, "Deployment", true},
		{deployment, "deployments.apps", true},
		{deployment, "deploy.v1.apps", true},
		{deployment, "deployments.v1", false},
		{deployment, "deployments.extensions", false},
		{deployment, "deploymentses", false},
		{deployment, "", false},
		{PodKind, "po", true},
		{PodKind, "pods.apps", false},
		{rollout, "ro", true},
		{rollout, "rollout.argoproj.io", true},
		{rollout, "rollouts.v1alpha1.argoproj.io", true},
		{rollout, "rollouts.v1.argoproj.io", false},
	}
	for _, tt := range tests {
		if got := tt.kind.answersTo(tt.word); got != tt.want {
			t.Errorf("%s answers to %q: %t, want %t", &tt.kind, tt.word, got, tt.want)
		}
	}
}

var selectors = []struct {
	raw     string
	want    string // empty: none
	matches bool   // a pod with app=web and tier=1
}{
	{`{"matchLabels":{"app":"web"}}`, "app=web", true},
	{`{"matchLabels":{"app":"api"}}`, "app=api", false},
	{`{"matchExpressions":[{"key":"tier","operator":"In","values":["1","2"]}]}`, "tier in (1,2)", true},
	{`{"matchLabels":{"app":"web"},"matchExpressions":[{"key":"tier","operator":"DoesNotExist"}]}`, "app=web,!tier", false},
	{`{"app":"web"}`, "app=web", true},
	{`{"app":"web","tier":"2"}`, "app=web,tier=2", false},
	{`{}`, "", false},
	{`null`, "", false},
	{``, "", false},
	{`"app=web"`, "", false},
	{`{"strategy":"newest","count":3}`, "", false},
	{`{"matchLabels":{}}`, "", false},
	{`{"matchExpressions":[{"key":"tier","operator":"Like","values":["1"]}]}`, "", false},
	{`{"matchLabels":{"app":"no label value!"}}`, "", false},
	{`{"app":"no label value!"}`, "", false},
	{`[1]`, "", false},
}

func TestSelectorOf_ReadsBothForms(t *testing.T) {
	for _, tt := range selectors {
		s := selectorOf(json.RawMessage(tt.raw))
		if s == nil {
			if tt.want != "" {
				t.Errorf("%s has no selector, want %s", tt.raw, tt.want)
			}
			continue
		}
		if s.String() != tt.want {
			t.Errorf("%s is %q, want %q", tt.raw, s, tt.want)
		}
		if got := s.Matches(labels.Set{"app": "web", "tier": "1"}); got != tt.matches {
			t.Errorf("%s matches: %t, want %t", tt.raw, got, tt.matches)
		}
	}
}

// FuzzSelectorOf checks that a selector read from any spec never selects
// everything.
func FuzzSelectorOf(f *testing.F) {
	for _, s := range selectors {
		f.Add([]byte(s.raw))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if s := selectorOf(raw); s != nil && s.Empty() {
			t.Errorf("%s selects everything", raw)
		}
	})
}

func TestDiscovered_ReadsEveryForm(t *testing.T) {
	const aggregated = `{"kind":"APIGroupDiscoveryList","items":[{"metadata":{"name":"apps"},"versions":[
		{"version":"v1","resources":[
			{"resource":"deployments","responseKind":{"kind":"Deployment"},"scope":"Namespaced","singularResource":"deployment",
			 "shortNames":["deploy"],"verbs":["get","list","watch"],"subresources":[{"subresource":"scale"}]},
			{"resource":"reviews","responseKind":{"kind":"Review"},"scope":"Cluster","verbs":["create"]}]},
		{"version":"v1beta1","resources":[
			{"resource":"deployments","responseKind":{"kind":"Deployment"},"verbs":["list"]},
			{"resource":"olds","responseKind":{"kind":"Old"},"scope":"Cluster","verbs":["list"]}]}]}]}`
	var d discovered
	if err := json.Unmarshal([]byte(aggregated), &d); err != nil {
		t.Fatal(err)
	}
	checkKinds(t, d.kinds(), []Kind{
		{"apps", "v1", "deployments", "deployment", "Deployment", []string{"deploy"}, false, true},
		{"apps", "v1beta1", "olds", "old", "Old", nil, true, false},
	})

	const list = `{"resources":[
		{"name":"deployments/scale","kind":"Scale","namespaced":true,"verbs":["get"]},
		{"name":"deployments","singularName":"deployment","namespaced":true,"kind":"Deployment","shortNames":["deploy"],"verbs":["list"]},
		{"name":"reviews","namespaced":false,"kind":"Review","verbs":["create"]}]}`
	var l resourceList
	if err := json.Unmarshal([]byte(list), &l); err != nil {
		t.Fatal(err)
	}
	checkKinds(t, l.kinds("apps/v1"), []Kind{{"apps", "v1", "deployments", "deployment", "Deployment", []string{"deploy"}, false, true}})
	if got := l.kinds("v1"); got[0].Group != "" || got[0].Version != "v1" {
		t.Errorf("group of v1 is %q, version %q", got[0].Group, got[0].Version)
	}
}

func checkKinds(t *testing.T, got, want []Kind) {
	t.Helper()
	if !slices.EqualFunc(got, want, func(a, b Kind) bool {
		short := slices.Equal(a.ShortNames, b.ShortNames)
		return short && a.groupResource() == b.groupResource() && a.Version == b.Version && a.Singular == b.Singular &&
			a.Kind == b.Kind && a.Cluster == b.Cluster && a.Scale == b.Scale
	}) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestKind_PathFollowsScope(t *testing.T) {
	for _, tt := range []struct {
		kind            Kind
		namespace, want string
	}{
		{PodKind, "shop", "/api/v1/namespaces/shop/pods"},
		{PodKind, "", "/api/v1/pods"},
		{builtIn[1], "shop", "/apis/apps/v1/namespaces/shop/deployments"},
		{NodeKind, "shop", "/api/v1/nodes"},
	} {
		if got := tt.kind.path(tt.namespace); got != tt.want {
			t.Errorf("path is %s, want %s", got, tt.want)
		}
	}
}

func TestParse_AcceptsStatesAndConditions(t *testing.T) {
	set, err := ParseStates([]string{"running", "waiting"})
	if err != nil || !set.has(Running) || !set.has(Waiting) || set.has(Terminated) {
		t.Errorf("states are %b, %v", set, err)
	}
	if _, err := ParseStates([]string{"running", "Running"}); err == nil {
		t.Error("no error for an unknown state")
	}
	c, err := ParseCondition("Ready=FALSE")
	if err != nil || c.Type != "Ready" || c.Status != "False" {
		t.Errorf("condition is %+v, %v", c, err)
	}
	for _, bad := range []string{"", "=true", "ready=", "ready=yes", "ready=true=false"} {
		if c, err := ParseCondition(bad); err == nil {
			t.Errorf("no error for %q, but %+v", bad, c)
		}
	}
}
