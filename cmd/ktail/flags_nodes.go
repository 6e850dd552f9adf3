package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/ktail/ktail/pkg/ktail"
	"github.com/ktail/ktail/pkg/kube"
)

// nodeFlags select the logs of system components that queries such as node/worker-1
// read.
type nodeFlags struct {
	units listValue
	files listValue

	queries []kube.NodeQuery // set by parsed
	only    bool             // set by parsed: the command line selects no pods
	logs    *kube.NodeLogs   // set by parsed
}

func (f *nodeFlags) addFlags(fs *pflag.FlagSet) {
	f.units.valueName, f.files.valueName = "UNITS", "FILES"
	fs.VarP(&f.units, "unit", "u",
		"Units to read with queries such as node/worker-1. Separate several with commas (default: kubelet,containerd)")
	fs.Var(&f.files, "file",
		"Log files to read with queries such as node/worker-1. Paths are below /var/log, such as syslog. Replaces --unit")
}

// parsed takes the queries for nodes out of the others, and returns the rest.
func (f nodeFlags) parsed(queries []string) (nodeFlags, []string, error) {
	var others []string
	for _, query := range queries {
		word, name, ok := strings.Cut(query, "/")
		if !ok || !kube.IsNodeKind(word) {
			others = append(others, query)
			continue
		}
		q, err := kube.ParseNodeQuery(name)
		if err != nil {
			return f, nil, err
		}
		f.queries = append(f.queries, q)
	}
	f.logs = &kube.NodeLogs{}
	f.only = len(f.queries) > 0 && len(others) == 0
	switch {
	case len(f.queries) == 0 && len(f.units.values)+len(f.files.values) > 0:
		return f, nil, errors.New("--unit and --file require a query for nodes, such as node/worker-1")
	case len(f.units.values) > 0 && len(f.files.values) > 0:
		return f, nil, errors.New("--unit cannot be combined with --file")
	}
	f.files.values = slices.Clone(f.files.values)
	for i, file := range f.files.values {
		file = strings.TrimPrefix(file, "/var/log/")
		f.files.values[i] = file
		if file == "" || strings.HasPrefix(file, "/") || strings.Contains("/"+file+"/", "/../") {
			return f, nil, fmt.Errorf("invalid --file %s: must be a path below /var/log, such as syslog", quoted(file))
		}
	}
	return f, others, nil
}

// validateNodes checks the queries for nodes together with other flags.
func (p plan) validateNodes() error {
	switch {
	case len(p.nodes.queries) == 0:
		return nil
	case p.readsFiles():
		return errors.New("queries for nodes cannot be combined with --pod-logs-dir")
	case p.history.enabled():
		return errors.New("queries for nodes cannot be combined with --history")
	case p.nodes.only && p.prompt:
		return errors.New("queries for nodes cannot be combined with --prompt")
	}
	return nil
}

// newSystemWatcher returns the watcher of the logs of nodes. It continues the one before.
func (p plan) newSystemWatcher(m *messenger) ktail.Watcher {
	return p.lastBeforeEnd(func(p plan) ktail.Watcher { return p.newNodeLogWatcher(m) })
}

func (p plan) newNodeLogWatcher(m *messenger) ktail.Watcher {
	w := &kube.NodeWatcher{
		Client: p.client, Nodes: p.nodes.queries, Units: p.nodes.units.values, Files: p.nodes.files.values, Options: p.log, Warn: m.warn,
		Logs: p.nodes.logs,
	}
	if len(w.Units) == 0 { // not every node has containerd
		w.Units, w.SkipMissing = []string{"kubelet", "containerd"}, true
	}
	if p.nodes.only {
		w.LabelSelector = p.selection.LabelSelector
	}
	return w
}
