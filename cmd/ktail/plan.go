package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ktail/ktail/pkg/ktail"
	"github.com/ktail/ktail/pkg/kube"
	"github.com/ktail/ktail/pkg/stdin"
)

// plan describes a run: the options and everything that follows from them, from
// the queries, and from the cluster. newPlan computes it once.
type plan struct {
	options
	queries       []string // as the user wrote them
	selection     kube.Selection
	log           kube.LogOptions
	period        period
	filters       []ktail.Filter
	mergeWindow   time.Duration     // negative: wait for all streams
	showNamespace bool              // lines can come from more than one namespace
	client        *kube.Client      // nil if not needsCluster, and possibly if onlyHistory
	pagerRuns     bool              // the output is shown in a pager
	shownEvents   *kube.ShownEvents // by all watchers of the run
}

// onlyHistory reports whether the run needs no cluster because it prints
// forwarded lines and then ends.
func (p plan) onlyHistory() bool { return p.history.enabled() && p.noFollow }

// newPlan checks the options and connects to the cluster, unless lines come from
// stdin or files.
func newPlan(ctx context.Context, s streams, o options, queries []string) (plan, error) {
	p, err := offlinePlan(o, queries)
	if err != nil {
		return p, usageError{err}
	}
	if p.readsFiles() {
		p.selection.Namespaces = o.podLogNamespaces()
		p.showNamespace = len(p.selection.Namespaces) != 1
	}
	if !p.needsCluster() {
		return p, nil
	}
	namespace := metav1.NamespaceDefault
	p.client, err = o.connect(s.Env, func(err error) {
		fmt.Fprintf(s.ErrOut, "ktail: warning: %s; waiting for it\n", sanitize(err.Error())) //nolint:errcheck // stderr is the last resort
	})
	switch {
	case err == nil:
		namespace = p.client.Namespace
	case !p.onlyHistory():
		return p, err
	}
	if p.readsFiles() {
		return p, nil
	}
	p.selection.Namespaces = o.inContext(namespace)
	p.showNamespace = len(p.selection.Namespaces) != 1
	if o.prompt && p.client != nil {
		p.selection, err = promptSelection(ctx, p.client, p.selection, s)
		return p, err
	}
	return p, nil
}

// offlinePlan returns the part of the plan that does not depend on the cluster.
func offlinePlan(o options, queries []string) (plan, error) {
	p := plan{options: o, queries: queries, shownEvents: &kube.ShownEvents{}}
	var err error
	if p.lineFlags, err = o.lineFlags.parsed(); err != nil {
		return p, err
	}
	if p.elastic, err = o.elastic.parsed(); err != nil {
		return p, err
	}
	if p.metrics, err = o.metrics.parsed(); err != nil {
		return p, err
	}
	if p.history, err = o.history.parsed(o.tail); err != nil {
		return p, err
	}
	if !o.stdin { // its lines have no timestamps
		if p.period, err = o.period(time.Now()); err != nil {
			return p, err
		}
	}
	if p.period.isOver() {
		o.noFollow, p.noFollow = true, true
	}
	if err := errors.Join(o.validate(), o.pagerFlags.validate(), o.validateWeb(queries)); err != nil {
		return p, err
	}
	p.filters = p.lineFlags.filters()
	if o.stdin { // stdin ends by itself, and there is no other log to merge
		p.noFollow = true
		return p, nil
	}
	var podQueries []string
	if p.nodes, podQueries, err = o.nodes.parsed(queries); err != nil {
		return p, err
	}
	if err := p.validateNodes(); err != nil {
		return p, err
	}
	if p.nodes.only {
		p.selection = o.base
	} else if p.selection, err = o.selectionOf(podQueries); err != nil {
		return p, err
	}
	p.selection.Shard = o.shard
	begin := p.period.since
	if o.history.enabled() { // the live logs are opened later than the history
		begin = p.period.begin()
	}
	p.log = kube.LogOptions{
		Follow: !o.noFollow, Tail: o.tail, Since: wholeSeconds(p.period.age), SinceTime: begin,
		Previous: o.previous, Rotated: o.rotated,
	}
	if !begin.IsZero() {
		oldest := begin.UnixNano()
		p.filters = append(p.filters, func(l *ktail.Line) bool { return l.Time >= oldest })
	}
	if t := p.period.until; !t.IsZero() {
		p.filters = append(p.filters, func(l *ktail.Line) bool { return l.Time < t.UnixNano() })
	}
	p.mergeWindow = time.Duration(o.mergeWindow)
	if o.noFollow {
		p.mergeWindow = -1
	}
	return p, nil
}

// wholeSeconds rounds an age up to whole seconds, as the pod log API requires.
func wholeSeconds(age time.Duration) time.Duration {
	return (age + time.Second - 1).Truncate(time.Second)
}

// newWatcher returns the watcher that finds the logs: in a cluster, on a node, or on
// stdin.
func (p plan) newWatcher(s streams, m *messenger) ktail.Watcher {
	if p.stdin {
		return &stdin.Watcher{In: s.In}
	}
	return p.lastBeforeEnd(func(p plan) ktail.Watcher { return p.newLogWatcher(m) })
}

// newLogWatcher returns the watcher that finds the logs in a cluster or on a node.
func (p plan) newLogWatcher(m *messenger) ktail.Watcher {
	if p.readsFiles() {
		return withoutOwnLog(p.newNodeWatcher(m))
	}
	if p.nodes.only {
		return p.newSystemWatcher(m)
	}
	watcher := &kube.Watcher{
		Client: p.client, Selection: p.selection, Options: p.log, Events: p.eventOptions(m), Warn: m.warn, Untimed: m.untimed,
		RotatedMissing: func(err error) { m.printf("warning: --rotated: %v", err) },
	}
	m.board.observe(watcher)
	return withoutOwnLog(&noMatchReporter{
		watcher: watcher,
		client:  p.client, o: p, printf: m.printf,
	})
}
