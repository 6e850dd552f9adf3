//go:build e2e

package e2e

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"sigs.k8s.io/yaml"
)

// The API server takes every manifest under deploy, with no field that it does
// not know.
func TestDeploy_ExampleManifestsWork(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../deploy/search/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no manifests: %v", err)
	}
	n := newNamespace(t)
	paths := map[string]string{
		"PersistentVolumeClaim": n.path("/api/v1", "persistentvolumeclaims"),
		"Deployment":            n.path("/apis/apps/v1", "deployments"),
		"Service":               n.path("/api/v1", "services"),
		"NetworkPolicy":         n.path("/apis/networking.k8s.io/v1", "networkpolicies"),
	}
	for _, file := range files {
		if filepath.Base(file) == "kustomization.yaml" {
			continue // read by kustomize, not by the API server
		}
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for document := range bytes.SplitSeq(content, []byte("\n---\n")) {
			object, err := yaml.YAMLToJSONStrict(document)
			if err != nil {
				t.Errorf("%s: %v", file, err)
				continue
			}
			var meta struct{ Kind string }
			if err := json.Unmarshal(object, &meta); err != nil || paths[meta.Kind] == "" {
				t.Errorf("%s: an unexpected %q: %v", file, meta.Kind, err)
				continue
			}
			if err := n.create(t.Context(), paths[meta.Kind]+"?dryRun=All&fieldValidation=Strict", json.RawMessage(object)); err != nil {
				t.Errorf("%s: %v", file, err)
			}
		}
	}
}
