package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

type object = map[string]any

// manifest prints the namespace, the nodes, and each pod with the Logs object
// that gives kwok the path of its log. It creates the log files and empties
// existing ones, because kwok does not follow a file that does not exist.
func manifest(o *options) error {
	items := []object{{"apiVersion": "v1", "kind": "Namespace", "metadata": object{"name": o.ns}}}
	for i := range o.nodes {
		items = append(items, node(i))
	}
	for i := range o.pods {
		if err := empty(o.logFile(i)); err != nil {
			return err
		}
		items = append(items, logs(o, i), pod(o, i))
	}
	return json.NewEncoder(os.Stdout).Encode(object{"apiVersion": "v1", "kind": "List", "items": items})
}

func nodeName(i int) string { return fmt.Sprintf("fake-%d", i) }

func node(i int) object {
	return object{
		"apiVersion": "v1",
		"kind":       "Node",
		"metadata": object{
			"name":        nodeName(i),
			"annotations": object{"kwok.x-k8s.io/node": "fake"},
			"labels":      object{"type": "kwok"},
		},
		"spec": object{"taints": []object{{"key": "kwok", "value": "fake", "effect": "NoSchedule"}}},
	}
}

func logs(o *options, i int) object {
	file := o.logFile(i)
	return object{
		"apiVersion": "kwok.x-k8s.io/v1alpha1",
		"kind":       "Logs",
		"metadata":   object{"name": podName(i), "namespace": o.ns},
		"spec": object{"logs": []object{
			{"logsFile": file, "previousLogsFile": file + ".prev", "follow": true},
		}},
	}
}

func pod(o *options, i int) object {
	return object{
		"apiVersion": "v1",
		"kind":       "Pod",
		"metadata": object{
			"name":      podName(i),
			"namespace": o.ns,
			"labels":    object{"app": "fake", "shard": fmt.Sprint(i % 10)},
		},
		"spec": object{
			"nodeName":                      nodeName(i % o.nodes),
			"automountServiceAccountToken":  false,
			"terminationGracePeriodSeconds": 0,
			"containers":                    []object{{"name": "c", "image": "fake"}},
		},
	}
}

func empty(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	return f.Close()
}
