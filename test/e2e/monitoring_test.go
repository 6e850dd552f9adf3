//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/ktail/ktail/test/internal/suite"
)

// The CustomResourceDefinitions of the Prometheus Operator are files of this module.
const (
	operatorModule = "github.com/prometheus-operator/prometheus-operator@v0.85.0"
	operatorSum    = "h1:M5xLCLEoaW2IJfnuCwFzzpL+jSVQu3KGT84Pye+fW8s="
)

// operatorDefinition returns the definition of a resource of the operator.
func operatorDefinition(t *testing.T, resource string) map[string]any {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "mod", "download", "-json", operatorModule)
	cmd.Dir = t.TempDir() // outside of ktail's module, which must not require it
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%s", cmd, err, out)
	}
	var module struct{ Dir, Sum string }
	if err := json.Unmarshal(out, &module); err != nil {
		t.Fatal(err)
	}
	if module.Sum != operatorSum {
		t.Fatalf("the checksum of %s is %s, want %s", operatorModule, module.Sum, operatorSum)
	}
	b, err := os.ReadFile(filepath.Join(module.Dir, "example/prometheus-operator-crd/monitoring.coreos.com_"+resource+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var definition map[string]any
	if err := yaml.Unmarshal(b, &definition); err != nil {
		t.Fatal(err)
	}
	return definition
}

// define creates the definition until the test ends, and waits until the API server
// serves its resource.
func (n *namespace) define(definition map[string]any, resource string) {
	n.t.Helper()
	const definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
	n.must(n.create(n.t.Context(), definitions, definition))
	n.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second) // that of the test has ended
		defer cancel()
		if err := n.delete(ctx, definitions+"/"+resource+".monitoring.coreos.com"); err != nil {
			n.t.Error(err)
		}
	})
	suite.Eventually(n.t, time.Minute, resource+" to be served", func() bool {
		return n.get(n.t.Context(), n.path("/apis/monitoring.coreos.com/v1", resource), nil) == nil
	})
}

// dryRun has the API server check the object as if it were created in the namespace of
// the test. Unknown fields are errors.
func (n *namespace) dryRun(m *manifest) error {
	r, ok := resources[m.Kind]
	if !ok {
		return fmt.Errorf("unexpected kind %s", m.Kind)
	}
	metadata, path := m.raw["metadata"].(map[string]any), r.group+"/"+r.resource
	if metadata["namespace"] != nil {
		metadata["namespace"] = n.name
		path = n.path(r.group, r.resource)
	} else { // another test may have created the object itself
		metadata["name"] = fmt.Sprint(n.name, "-", m.Metadata["name"])
	}
	return n.create(n.t.Context(), path+"?dryRun=All&fieldValidation=Strict", m.raw)
}

// The API server accepts the manifests of deploy/monitoring, without unknown fields, as
// it does with the Prometheus Operator.
func TestDeployMonitoring_IsAccepted(t *testing.T) {
	n := newNamespace(t)
	for _, resource := range []string{"podmonitors", "prometheusrules"} {
		n.define(operatorDefinition(t, resource), resource)
	}
	var kinds []string
	for _, m := range kustomize(t, "../../deploy/monitoring") {
		kinds = append(kinds, m.Kind)
		if m.Metadata["namespace"] != "ktail" {
			t.Errorf("%s is in the namespace %v, want that of the pods", m.Kind, m.Metadata["namespace"])
		}
		if err := n.dryRun(&m); err != nil {
			t.Errorf("%s: %v", m.Kind, err)
		}
		if m.Kind == "PodMonitor" { // the check is strict
			m.raw["spec"].(map[string]any)["podMetricsEndpoints"].([]any)[0].(map[string]any)["honourLabels"] = true
			if err := n.dryRun(&m); err == nil || !strings.Contains(err.Error(), "honourLabels") {
				t.Errorf("a PodMonitor with an unknown field: %v", err)
			}
		}
	}
	slices.Sort(kinds)
	if want := []string{"ConfigMap", "PodMonitor", "PrometheusRule"}; !slices.Equal(kinds, want) {
		t.Errorf("kinds are %v, want %v", kinds, want)
	}
}

// The API server accepts the manifests that run ktail in a cluster.
func TestDeployKtail_IsAccepted(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	for dir, workload := range map[string]string{"ktail": "DaemonSet", "ktail-shards": "StatefulSet"} {
		var kinds []string
		for _, m := range kustomize(t, "../../deploy/"+dir) {
			kinds = append(kinds, m.Kind)
			if err := n.dryRun(&m); err != nil {
				t.Errorf("%s: %s %v: %v", dir, m.Kind, m.Metadata["name"], err)
			}
		}
		if !slices.Contains(kinds, workload) {
			t.Errorf("%s: kinds are %v, want a %s among them", dir, kinds, workload)
		}
	}
}
