package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/pflag"

	"github.com/ktail/ktail/pkg/ktail"
	"github.com/ktail/ktail/pkg/kube"
	"github.com/ktail/ktail/pkg/node"
)

// podLogsFlags make ktail read the log files of a node.
type podLogsFlags struct {
	podLogsDir string
}

func (f *podLogsFlags) addFlags(fs *pflag.FlagSet) {
	fs.StringVar(&f.podLogsDir, "pod-logs-dir", "",
		"Read the log files of a node in this directory, such as /var/log/pods. "+
			"Searches all namespaces and shows all lines by default. "+
			"Queries the API only with --node or for what the paths do not show `DIR`")
}

func (f podLogsFlags) readsFiles() bool { return f.podLogsDir != "" }

// validatePodLogs checks --pod-logs-dir together with other flags.
func (o options) validatePodLogs() error {
	switch {
	case !o.readsFiles():
		return nil
	case o.prompt:
		return errors.New("--pod-logs-dir cannot be combined with --prompt")
	case o.events.read:
		return errors.New("--pod-logs-dir cannot be combined with --events, which need the API")
	case o.rotated:
		return errors.New("--rotated cannot be combined with --pod-logs-dir, which always reads rotated files")
	case o.history.enabled():
		return errors.New("--pod-logs-dir cannot be combined with --history")
	}
	return nil
}

// podLogNamespaces returns the namespaces to search in the files of a node: all of
// them, unless --namespace names some.
func (o options) podLogNamespaces() []string {
	if len(o.namespaces.values) == 0 {
		return nil
	}
	return o.inContext("")
}

// needsStreams reports whether the selection depends on metadata that the paths of
// the log files do not contain.
func (p plan) needsStreams() bool {
	s := &p.selection
	fields := s.FieldSelector
	if node := strings.TrimSpace(p.node); node != "" {
		fields = strings.TrimPrefix(fields, "spec.nodeName="+node)
	}
	return s.LabelSelector != "" || fields != "" || len(s.Owners) > 0 || s.States != 0 || s.Condition != nil ||
		s.NoInitContainers || s.NoEphemeralContainers
}

// needsCluster reports whether the run connects to a cluster.
func (p plan) needsCluster() bool {
	return !p.stdin && (!p.readsFiles() || p.node != "" || p.needsStreams())
}

// newNodeWatcher returns the watcher of --pod-logs-dir.
func (p plan) newNodeWatcher(m *messenger) ktail.Watcher {
	w := &node.Watcher{
		Dir: p.podLogsDir, Node: p.node,
		Options: node.Options{Follow: p.log.Follow, Since: p.log.Since, SinceTime: p.log.SinceTime, Tail: p.log.Tail},
		Select:  p.selection.MatchesPath,
		Warn:    m.warn,
	}
	if p.client != nil {
		w.Streams = &kube.Watcher{Client: p.client, Selection: p.selection, Options: p.log, Warn: m.warn}
		w.OnlyStreams = p.needsStreams()
	}
	return &emptyDirReporter{w, p, m.printf}
}

// emptyDirReporter is a watcher that reports, once, that no log files match.
type emptyDirReporter struct {
	*node.Watcher
	plan   plan
	printf func(format string, args ...any)
}

// Watch implements ktail.Watcher.
func (r *emptyDirReporter) Watch(ctx context.Context, set func([]ktail.Source)) error {
	// The first set may lack containers that are waiting for their metadata.
	reported := r.plan.onlyLogLines || r.Streams != nil && !r.plan.noFollow
	err := r.Watcher.Watch(ctx, func(sources []ktail.Source) {
		if len(sources) == 0 && !reported {
			r.printf("no log files match in %s%s", r.Dir, r.hint())
		}
		reported = true
		set(sources)
	})
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%w: --pod-logs-dir must be the directory of a node's pod logs, such as /var/log/pods, or a copy of it", err)
	}
	return err
}

// hint describes what the directory should contain, if it does not contain it.
func (r *emptyDirReporter) hint() string {
	if node.HasPods(r.Dir) {
		return ""
	}
	return ": expected directories NAMESPACE_POD_UID with a directory for each container"
}
