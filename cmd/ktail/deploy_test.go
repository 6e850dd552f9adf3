package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
	"sigs.k8s.io/yaml"
)

// workload is the part of a DaemonSet or a StatefulSet that the tests look at.
type workload struct {
	Kind string
	Spec struct {
		Template struct {
			Metadata struct{ Labels map[string]string }
			Spec     struct {
				TerminationGracePeriodSeconds int

				Containers []struct {
					Args  []string
					Ports []struct {
						Name          string
						ContainerPort int
					}
				}
			}
		}
	}
}

// readDocument decodes the document of this kind in a file below deploy.
func readDocument(t *testing.T, path, kind string, into any) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", "deploy", path))
	if err != nil {
		t.Fatal(err)
	}
	for document := range bytes.SplitSeq(b, []byte("\n---\n")) {
		var is struct{ Kind string }
		if err := yaml.Unmarshal(document, &is); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		if is.Kind != kind {
			continue
		}
		if err := yaml.Unmarshal(document, into); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		return
	}
	t.Fatalf("%s has no %s", path, kind)
}

// manifestVariables has what the manifests put into arguments.
var manifestVariables = strings.NewReplacer("$(POD_INDEX)", "0", "$(SHARDS)", "3", "$(NODE_NAME)", "node-1", "$(POD_NAMESPACE)", "ktail", "$(POD_NAME)", "ktail-0")

// The pods of the manifests have the ports that their arguments listen on, the PodMonitor
// finds the one with the metrics, and pods have the time to deliver pending lines.
func TestDeploy_AgreesWithFlags(t *testing.T) {
	var monitor struct {
		Spec struct {
			Selector            struct{ MatchLabels map[string]string }
			PodMetricsEndpoints []struct {
				Port        string
				HonorLabels bool
			}
		}
	}
	readDocument(t, "monitoring/podmonitor.yaml", "PodMonitor", &monitor)
	if n := len(monitor.Spec.PodMetricsEndpoints); n != 1 || !monitor.Spec.PodMetricsEndpoints[0].HonorLabels {
		t.Fatalf("the PodMonitor has %d endpoints, want one that honors labels", n)
	}
	metricsPort := monitor.Spec.PodMetricsEndpoints[0].Port
	for path, kind := range map[string]string{"ktail/daemonset.yaml": "DaemonSet", "ktail-shards/statefulset.yaml": "StatefulSet"} {
		var w workload
		readDocument(t, path, kind, &w)
		for name, value := range monitor.Spec.Selector.MatchLabels {
			if got := w.Spec.Template.Metadata.Labels[name]; got != value {
				t.Errorf("%s: the label %s is %q, the PodMonitor selects %q", path, name, got, value)
			}
		}
		c := w.Spec.Template.Spec.Containers[0]
		args := make([]string, len(c.Args))
		for i, arg := range c.Args {
			args[i] = manifestVariables.Replace(arg)
		}
		configFile := filepath.Join("..", "..", "deploy", filepath.Dir(path), "config.yaml")
		args = append(args, "--config="+configFile) // instead of the mounted one
		var o options
		flags := pflag.NewFlagSet("ktail", pflag.ContinueOnError)
		o.addFlags(flags)
		if err := flags.Parse(args); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		queries, err := o.configure(flags, flags.Args(), noEnv)
		if err != nil {
			t.Fatal(err)
		}
		if !o.elastic.enabled() {
			t.Errorf("%s sets no destination", configFile)
		}
		if _, err := offlinePlan(o, queries); err != nil {
			t.Errorf("%s: ktail refuses the arguments: %v", path, err)
		}
		if grace := time.Duration(w.Spec.Template.Spec.TerminationGracePeriodSeconds) * time.Second; grace <= time.Duration(o.elastic.shutdownTimeout) {
			t.Errorf("%s: the kubelet kills ktail after %s, before --elasticsearch-shutdown-timeout %s", path, grace, &o.elastic.shutdownTimeout)
		}
		for name, address := range map[string]string{"http": o.listen, metricsPort: o.metrics.listen} {
			got := "nothing"
			for _, p := range c.Ports {
				if p.Name == name {
					got = fmt.Sprintf(":%d", p.ContainerPort)
				}
			}
			if got != address {
				t.Errorf("%s: the port %s is %s, ktail listens on %s", path, name, got, address)
			}
		}
	}
}
