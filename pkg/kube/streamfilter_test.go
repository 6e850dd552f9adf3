package kube_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/ktail/ktail/pkg/ktail"
	"github.com/ktail/ktail/pkg/kube"
)

func TestSelection_StreamFilterUsesNamesAndLabels(t *testing.T) {
	re := regexp.MustCompile
	web := ktail.Stream{
		Namespace: "shop", Pod: "web-7d9f8-abcde", Container: "nginx", Node: "worker-1",
		Labels: map[string]string{"app": "web", "app.kubernetes.io/name": "web"}, Owner: ktail.Owner{Kind: "Deployment", Name: "web"},
	}
	backup := ktail.Stream{Namespace: "shop", Pod: "backup-28-x7x7x", Container: "job", Owner: ktail.Owner{Kind: "Job", Name: "backup-28"}}
	database := ktail.Stream{Namespace: "shop", Pod: "pg-0", Container: "db", Owner: ktail.Owner{Kind: "Database", Name: "pg"}}
	old := ktail.Stream{Namespace: "shop", Pod: "old-x7x7x", Container: "app", Owner: ktail.Owner{Kind: "ReplicationController", Name: "old"}}
	tests := []struct {
		name      string
		selection kube.Selection
		stream    ktail.Stream
		want      bool
	}{
		{"everything", kube.Selection{}, web, true},
		{"the namespace", kube.Selection{Namespaces: []string{"a", "shop"}}, web, true},
		{"another namespace", kube.Selection{Namespaces: []string{"a"}}, web, false},
		{"the pod's name", kube.Selection{Pods: []*regexp.Regexp{re("^web")}}, web, true},
		{"another pod's name", kube.Selection{Pods: []*regexp.Regexp{re("^api")}}, web, false},
		{"an excluded pod", kube.Selection{ExcludePods: []*regexp.Regexp{re("7d9")}}, web, false},
		{"the container", kube.Selection{Containers: re("ngi")}, web, true},
		{"an excluded container", kube.Selection{ExcludeContainers: []*regexp.Regexp{re("ngi")}}, web, false},
		{"a label", kube.Selection{LabelSelector: "app in (web, api)"}, web, true},
		{"a label with a prefix", kube.Selection{LabelSelector: "app.kubernetes.io/name=web"}, web, true},
		{"a label that is absent", kube.Selection{LabelSelector: "!tier"}, web, true},
		{"another label", kube.Selection{LabelSelector: "app=api"}, web, false},
		{"the node", kube.Selection{FieldSelector: "spec.nodeName=worker-1"}, web, true},
		{"another node", kube.Selection{FieldSelector: "spec.nodeName!=worker-1"}, web, false},
		{"the deployment", kube.Selection{Owners: []kube.Owner{{Kind: "deploy", Name: "web"}}}, web, true},
		{"another deployment", kube.Selection{Owners: []kube.Owner{{Kind: "deploy", Name: "we"}}}, web, false},
		{"its replica set", kube.Selection{Owners: []kube.Owner{{Kind: "rs", Name: "web-7d9f8"}}}, web, true},
		{"another replica set", kube.Selection{Owners: []kube.Owner{{Kind: "rs", Name: "web"}}}, web, false},
		{"the pod as an owner", kube.Selection{Owners: []kube.Owner{{Kind: "po", Name: "web-7d9f8-abcde"}}}, web, true},
		{"one owner of two, or a name", kube.Selection{Owners: []kube.Owner{{Kind: "sts", Name: "db"}}, Pods: []*regexp.Regexp{re("web")}}, web, true},
		{"the job", kube.Selection{Owners: []kube.Owner{{Kind: "job", Name: "backup-28"}}}, backup, true},
		{"its cron job", kube.Selection{Owners: []kube.Owner{{Kind: "cj", Name: "backup"}}}, backup, true},
		{"another cron job", kube.Selection{Owners: []kube.Owner{{Kind: "cj", Name: "back"}}}, backup, false},
		{"a custom resource", kube.Selection{Owners: []kube.Owner{{Kind: "database", Name: "pg"}}}, database, true},
		{"a custom resource by its plural and group", kube.Selection{Owners: []kube.Owner{{Kind: "Databases.example.com", Name: "pg"}}}, database, true},
		{"another custom resource", kube.Selection{Owners: []kube.Owner{{Kind: "database", Name: "p"}}}, database, false},
		{"a resource of another kind", kube.Selection{Owners: []kube.Owner{{Kind: "data", Name: "pg"}}}, database, false},
		{"the replication controller", kube.Selection{Owners: []kube.Owner{{Kind: "rc", Name: "old"}}}, old, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			wants, err := tt.selection.StreamFilter()
			if err != nil {
				t.Fatal(err)
			}
			if got := wants(&tt.stream); got != tt.want {
				t.Errorf("wanted: %t, want %t", got, tt.want)
			}
		})
	}
}

// Documents that ktail reads back must be selected by the same label selectors as pods,
// although they do not have the dots of all label keys.
func TestSelection_StreamFilterSelectsLabelsOfDocuments(t *testing.T) {
	labels := map[string]string{ // of the stream of a document, by label of the pod
		"app": "app", "p.q": "p_q", "p_q": "p_q", "x.y/p.q": "x.y/p_q", "x.y/p-q": "x.y/p-q", "x.y/p_q": "x.y/p_q",
	}
	for key, inDocument := range labels {
		stream := ktail.Stream{Pod: "web", Labels: map[string]string{inDocument: "1"}}
		for selector, want := range map[string]bool{
			key + "=1": true, key + " in (1)": true, key: true, key + "=2": false,
			key + "!=1": false, "!" + key: false, key + "!=2": true, "z" + key: false,
		} {
			wants, err := (&kube.Selection{LabelSelector: selector}).StreamFilter()
			if err != nil {
				t.Fatal(err)
			}
			if got := wants(&stream); got != want {
				t.Errorf("-l %q with %v: wanted: %t, want %t", selector, stream.Labels, got, want)
			}
		}
	}
	// A pod with both labels has the dotted one with one more underscore in its documents.
	both := ktail.Stream{Pod: "web", Labels: map[string]string{"p_q": "plain", "p_q_": "dotted"}}
	wants, err := (&kube.Selection{LabelSelector: "p_q=plain,p.q=dotted"}).StreamFilter()
	if err != nil || !wants(&both) {
		t.Errorf("labels that differ only in a dot are mistaken for each other; error: %v", err)
	}
}

// A criterion that a stream cannot answer must not be ignored, because that
// would widen the selection.
func TestSelection_StreamFilterRejectsUnknownCriteria(t *testing.T) {
	condition, err := kube.ParseCondition("ready")
	if err != nil {
		t.Fatal(err)
	}
	states, err := kube.ParseStates([]string{"running"})
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]kube.Selection{
		"condition":           {Condition: condition},
		"state":               {States: states},
		"status.phase":        {FieldSelector: "status.phase=Running"},
		"init container":      {NoInitContainers: true},
		"ephemeral container": {NoEphemeralContainers: true},
		"svc/web":             {Owners: []kube.Owner{{Kind: "svc", Name: "web"}}},
		"invalid label sel":   {LabelSelector: "a=b=c"},
	}
	for want, selection := range tests {
		if _, err := selection.StreamFilter(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %v, want one with %q", err, want)
		}
	}
}
