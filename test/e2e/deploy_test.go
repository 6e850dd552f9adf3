//go:build e2e

package e2e

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// manifest is one object of the output of kustomize.
type manifest struct {
	APIVersion string         `json:"apiVersion"`
	Kind       string         `json:"kind"`
	Metadata   map[string]any `json:"metadata"`
	Spec       json.RawMessage
	raw        map[string]any
}

// kustomize returns the objects that `kubectl apply -k` would create.
func kustomize(t *testing.T, dir string) []manifest {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "kubectl", "kustomize", dir)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("kubectl kustomize %s: %v\n%s", dir, err, stderr.String())
	}
	var all []manifest
	for document := range bytes.SplitSeq(out, []byte("\n---\n")) {
		var m manifest
		if err := yaml.UnmarshalStrict(document, &m.raw); err != nil {
			t.Fatalf("%s: %v", dir, err)
		}
		if err := yaml.Unmarshal(document, &m); err != nil {
			t.Fatalf("%s: %v", dir, err)
		}
		all = append(all, m)
	}
	return all
}

// resources maps the kinds under deploy to their API paths.
var resources = map[string]struct{ group, resource string }{
	"PersistentVolumeClaim": {"/api/v1", "persistentvolumeclaims"},
	"Deployment":            {"/apis/apps/v1", "deployments"},
	"Service":               {"/api/v1", "services"},
	"NetworkPolicy":         {"/apis/networking.k8s.io/v1", "networkpolicies"},
	"Namespace":             {"/api/v1", "namespaces"},
	"ConfigMap":             {"/api/v1", "configmaps"},
	"ServiceAccount":        {"/api/v1", "serviceaccounts"},
	"DaemonSet":             {"/apis/apps/v1", "daemonsets"},
	"StatefulSet":           {"/apis/apps/v1", "statefulsets"},
	"ClusterRole":           {"/apis/rbac.authorization.k8s.io/v1", "clusterroles"},
	"ClusterRoleBinding":    {"/apis/rbac.authorization.k8s.io/v1", "clusterrolebindings"},
	"Role":                  {"/apis/rbac.authorization.k8s.io/v1", "roles"},
	"RoleBinding":           {"/apis/rbac.authorization.k8s.io/v1", "rolebindings"},
	"PodMonitor":            {"/apis/monitoring.coreos.com/v1", "podmonitors"},
	"PrometheusRule":        {"/apis/monitoring.coreos.com/v1", "prometheusrules"},
}

// The API server accepts the manifests of deploy/search and of its overlay, without
// unknown fields. Only the overlay opens a port of the nodes.
func TestDeploySearch_IsAccepted(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	for dir, nodePort := range map[string]bool{"search": false, "search-nodeport": true} {
		all := kustomize(t, "../../deploy/"+dir)
		var kinds []string
		for _, m := range all {
			kinds = append(kinds, m.Kind)
			r, ok := resources[m.Kind]
			if !ok {
				t.Errorf("%s: unexpected kind %s", dir, m.Kind)
				continue
			}
			if err := n.create(t.Context(), n.path(r.group, r.resource)+"?dryRun=All&fieldValidation=Strict", m.raw); err != nil {
				t.Errorf("%s: %s %v: %v", dir, m.Kind, m.Metadata["name"], err)
			}
			open := m.Kind == "Service" && strings.Contains(string(m.Spec), `"nodePort":30920`)
			reachable := m.Kind == "NetworkPolicy" && strings.Contains(string(m.Spec), `"0.0.0.0/0"`)
			if (open || reachable) && !nodePort {
				t.Errorf("%s: %s %v is reachable from outside the cluster", dir, m.Kind, m.Metadata["name"])
			}
		}
		slices.Sort(kinds)
		want := []string{"Deployment", "Deployment", "NetworkPolicy", "NetworkPolicy", "PersistentVolumeClaim", "Service", "Service"}
		if !slices.Equal(kinds, want) {
			t.Errorf("%s: kinds are %v, want %v", dir, kinds, want)
		}
		spec := func(kind string) string {
			i := slices.IndexFunc(all, func(m manifest) bool { return m.Kind == kind && m.Metadata["name"] == "elasticsearch" })
			if i < 0 {
				t.Fatalf("%s: no %s elasticsearch", dir, kind)
			}
			return string(all[i].Spec)
		}
		if nodePort && (!strings.Contains(spec("Service"), `"nodePort":30920`) || !strings.Contains(spec("NetworkPolicy"), `"0.0.0.0/0"`)) {
			t.Errorf("%s: Elasticsearch is not reachable at port 30920 of the nodes", dir)
		}
	}
}
