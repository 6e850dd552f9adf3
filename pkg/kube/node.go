package kube

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/flowcontrol"

	"github.com/ktail/ktail/pkg/ktail"
	"github.com/ktail/ktail/pkg/kube/internal/sleep"
)

// NodeQuery selects nodes: by the exact name, or if no node has it, by a regular
// expression. An empty Name selects all nodes.
type NodeQuery struct {
	Name string
	re   *regexp.Regexp // nil if ParseNodeQuery has not made the query
}

// ParseNodeQuery returns the query for a name or a regular expression.
func ParseNodeQuery(name string) (NodeQuery, error) {
	re, err := regexp.Compile(name)
	if err != nil {
		return NodeQuery{}, fmt.Errorf("invalid query node/%s: %w", name, err)
	}
	return NodeQuery{Name: name, re: re}, nil
}

// matches reports whether the expression matches the name.
func (q NodeQuery) matches(name string) bool {
	if q.re == nil {
		return q.Name == ""
	}
	return q.re.MatchString(name)
}

// NodeWatcher finds the logs of system components on nodes: the journals of units, or
// log files. It reads them through the kubelet's log endpoint.
type NodeWatcher struct {
	Client        *Client
	Nodes         []NodeQuery
	LabelSelector string
	Units         []string // systemd units, such as kubelet
	Files         []string // instead of units: files below /var/log, such as syslog
	SkipMissing   bool     // a unit that a node does not have is no error, but reported in its place
	Options       LogOptions
	Warn          func(error) // gets what keeps the watcher from finding nodes; may be nil

	// Logs, if set, has how far another watcher, whose sources are no longer read, has
	// read the logs. This watcher continues there.
	Logs *NodeLogs

	limiter flowcontrol.RateLimiter // of requests to kubelets
	working chan struct{}           // limits the requests at a time
	states  map[ktail.Key]*nodeLog
	earlier map[ktail.Key]*nodeLog // of another watcher
}

// NodeLogs records how far the logs of nodes were read. The place in a file is known only
// while ktail runs, because most lines have no time that identifies them.
type NodeLogs struct{ logs map[ktail.Key]*nodeLog }

const (
	// relistNodes is how often the nodes are listed again while following.
	relistNodes = 30 * time.Second
	// nodeRequests bounds the requests to kubelets per second: each runs journalctl
	// twice on the node.
	nodeRequests = 8
	// nodesAtOnce bounds the requests to kubelets at a time.
	nodesAtOnce = 4
)

// Watch implements ktail.Watcher. It fails if the user may not read logs of nodes, or,
// without Options.Follow, if no node matches.
func (w *NodeWatcher) Watch(ctx context.Context, set func([]ktail.Source)) error {
	w.limiter = flowcontrol.NewTokenBucketRateLimiter(nodeRequests, nodesAtOnce)
	w.working = make(chan struct{}, nodesAtOnce)
	w.states = map[ktail.Key]*nodeLog{}
	if w.Logs != nil {
		w.earlier, w.Logs.logs = w.Logs.logs, w.states
	}
	if ok, err := w.Client.mayProxy(ctx, ""); err == nil && !ok && !w.mayProxyNamed(ctx) {
		set(nil)
		return fmt.Errorf("cannot read logs of nodes: you need permission to get nodes/proxy (%s); see: kubectl auth can-i get nodes/proxy", proxyImplies)
	}
	reported := false
	for first := true; ; first = false {
		nodes, err := w.list(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err == nil && len(nodes) > 0:
			reported = false
			set(w.sources(nodes))
		case err == nil && first:
			err = errors.New("no node matches")
			set(nil)
		}
		if !w.Options.Follow || apierrors.IsBadRequest(err) {
			return err
		}
		if err != nil && !reported && w.Warn != nil {
			reported = true
			w.Warn(err)
		}
		sleep.For(ctx, relistNodes)
		if ctx.Err() != nil {
			return nil
		}
	}
}

// mayProxyNamed reports whether the permission is limited to the nodes that are
// queried by name.
func (w *NodeWatcher) mayProxyNamed(ctx context.Context) bool {
	return len(w.Nodes) > 0 && !slices.ContainsFunc(w.Nodes, func(q NodeQuery) bool {
		ok, err := w.Client.mayProxy(ctx, q.Name)
		return q.Name == "" || err != nil || !ok
	})
}

// list returns the names of the selected nodes, in order. Users who may not list nodes
// can name them.
func (w *NodeWatcher) list(ctx context.Context) ([]string, error) {
	o := objects{client: w.Client, kind: NodeKind}
	list, err := o.list(ctx, metav1.ListOptions{LabelSelector: w.LabelSelector})
	if apierrors.IsForbidden(err) && w.LabelSelector == "" {
		return w.named(), nil
	}
	if err != nil {
		return nil, wrapListError(err, "list", NodeKind.Resource, metav1.NamespaceAll)
	}
	all := make([]string, len(list.Items))
	for i := range list.Items {
		all[i] = list.Items[i].Name
	}
	slices.Sort(all)
	return slices.DeleteFunc(slices.Clone(all), func(name string) bool {
		return !slices.ContainsFunc(w.Nodes, func(q NodeQuery) bool {
			return name == q.Name || !slices.Contains(all, q.Name) && q.matches(name)
		})
	}), nil
}

// named returns the queries as names.
func (w *NodeWatcher) named() []string {
	var names []string
	for _, q := range w.Nodes {
		if q.Name != "" {
			names = append(names, q.Name)
		}
	}
	return slices.Compact(slices.Sorted(slices.Values(names)))
}

// sources returns the sources of the nodes, the same for each call.
func (w *NodeWatcher) sources(nodes []string) []ktail.Source {
	names, file := w.Units, false
	if len(w.Files) > 0 {
		names, file = w.Files, true
	}
	var all []ktail.Source
	for _, node := range nodes {
		for _, name := range names {
			stream := ktail.NodeStream(w.Client.Context, node, name)
			log := w.states[stream.Key()]
			if log == nil {
				log = &nodeLog{w: w, node: node, name: name, stream: stream, isFile: file}
				if earlier := w.earlier[stream.Key()]; earlier != nil {
					log.continueFrom(earlier)
				}
				w.states[stream.Key()] = log
			}
			all = append(all, log)
		}
	}
	return all
}
