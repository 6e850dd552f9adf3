//go:build unix

package main

import (
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/ktail/ktail/internal/fakeapi"
)

// parseObjects reads manifests.
func parseObjects(manifests string) ([]fakeapi.Object, error) {
	var objects []fakeapi.Object
	for document := range strings.SplitSeq(manifests, "\n---\n") {
		o := fakeapi.Object{}
		if err := yaml.Unmarshal([]byte(document), &o); err != nil {
			return nil, err
		}
		objects = append(objects, o)
	}
	return objects, nil
}

func cmdObjects(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, false, len(args) == 1, "[!] objects FILE")
	server := worldOf(ts).server
	objects, err := parseObjects(ts.ReadFile(args[0]))
	ts.Check(err)
	for _, o := range objects {
		switch {
		case neg:
			ts.Check(server.DeleteObject(o))
		case o["kind"] == "CustomResourceDefinition":
			server.AddKind(kindOf(o))
		default:
			ts.Check(server.PutObject(o))
		}
	}
}

// kindOf returns the kind that a CustomResourceDefinition defines.
func kindOf(crd fakeapi.Object) fakeapi.Kind {
	text := func(fields ...string) string {
		s, _, _ := unstructured.NestedString(crd, fields...) // empty if it is missing
		return s
	}
	k := fakeapi.Kind{
		Group:    text("spec", "group"),
		Version:  "v1",
		Resource: text("spec", "names", "plural"),
		Singular: text("spec", "names", "singular"),
		Kind:     text("spec", "names", "kind"),
		Cluster:  text("spec", "scope") == "Cluster",
	}
	k.ShortNames, _, _ = unstructured.NestedStringSlice(crd, "spec", "names", "shortNames")
	versions, _, _ := unstructured.NestedSlice(crd, "spec", "versions")
	for _, v := range versions {
		if v, ok := v.(map[string]any); ok {
			k.Version, _, _ = unstructured.NestedString(v, "name")
			_, k.Scale, _ = unstructured.NestedMap(v, "subresources", "scale")
		}
	}
	return k
}
