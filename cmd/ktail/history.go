package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/ktail/ktail/pkg/elastic"
	"github.com/ktail/ktail/pkg/ktail"
	"github.com/ktail/ktail/pkg/kube"
	"github.com/ktail/ktail/pkg/tail"
)

// staleHistory is how old the newest forwarded line may be before ktail prints
// a message, because forwarders deliver within seconds.
const staleHistory = 30 * time.Second

// runHistory reads the forwarded lines of a plan into the sink, which stays
// open. The result holds the position at which each stream continues in its
// live log.
func runHistory(ctx context.Context, s streams, p plan, m *messenger, sink ktail.Sink) (*elastic.History, error) {
	selection := p.selection
	selection.Owners = p.fullKinds(ctx)
	wants, err := selection.StreamFilter()
	if err != nil {
		return nil, fmt.Errorf("--history cannot apply this selection: %w", err)
	}
	o := elastic.HistoryOptions{
		Nodes: p.history.nodes, Version: version,
		Credentials: p.elastic.readCredentials(p.history.auth, s.Env),
		Index:       p.history.index, Since: p.period.begin(), Until: p.period.until, Tail: p.log.Tail,
		Namespaces: p.selection.Namespaces, Select: wants, KeepPositions: !p.noFollow,
		LeaveRecent: !p.noFollow && !p.elastic.enabled(), // a forwarder forwards what the live logs emit
		OnWait: func(waited time.Duration) {
			m.printf("Elasticsearch at %s has not answered a search for %s; ktail waits for it", p.history.addresses.String(), waited)
		},
	}
	history, err := elastic.NewHistory(o)
	if err != nil {
		return nil, err
	}
	t := tail.Tailer{
		Watchers: []ktail.Watcher{history},
		Filters:  p.filters,
		Sink:     staysOpen{sink},
		Once:     true,
	}
	if err := t.Run(ctx); err != nil {
		return nil, err
	}
	p.reportHistoryEnd(m, history)
	return history, nil
}

// reportHistoryEnd reports that there is no history, that the live logs fill in lines
// that have not been forwarded yet, or that nothing proves that they do.
func (p plan) reportHistoryEnd(m *messenger, history *elastic.History) {
	end := history.End()
	if end.IsZero() {
		m.printf("no forwarded lines match in %s%s", p.history.where(), p.customOwnerHint())
		return
	}
	if p.noFollow {
		return
	}
	if age := time.Since(end); age > staleHistory {
		m.printf("the forwarded lines end at %s, %s ago; the logs of the nodes continue from there",
			end.Format(time.RFC3339), age.Round(time.Second))
	}
	if shipper := history.Inexact(); shipper != "" {
		m.printf("warning: documents of %s have times in milliseconds: where the live logs continue, "+
			"lines of one second may be missing or shown twice", shipper)
	}
}

// kindTimeout bounds how long history waits for a cluster that it does not need.
const kindTimeout = 5 * time.Second

// fullKinds returns the owners of the selection with the kinds that documents have. Only
// the cluster knows short names and plurals of custom resources; without it, they stay.
func (p plan) fullKinds(ctx context.Context) []kube.Owner {
	ctx, cancel := context.WithTimeout(ctx, kindTimeout)
	defer cancel()
	owners := slices.Clone(p.selection.Owners)
	for i, o := range owners {
		if _, ok := kube.BuiltInKind(o.Kind); ok || p.client == nil {
			continue
		}
		if kind, err := p.client.LookUpKind(ctx, o.Kind); err == nil {
			owners[i].Kind = kind.Kind
		}
	}
	return owners
}

// customOwnerHint explains which pods of a custom resource history finds.
func (p plan) customOwnerHint() string {
	for _, o := range p.selection.Owners {
		if _, ok := kube.BuiltInKind(o.Kind); !ok {
			return fmt.Sprintf("; %s selects pods whose owner references name it; "+
				"if the cluster does not know the kind, use the name in manifests, such as configmap instead of cm", o)
		}
	}
	return ""
}

// where describes the indices that were searched.
func (f *historyFlags) where() string {
	index := f.index
	if index == "" {
		index = elastic.DefaultHistoryIndex
	}
	return index + " of " + f.addresses.String()
}

// staysOpen is a sink that the first of two Tailers does not close.
type staysOpen struct{ ktail.Sink }

// Close implements ktail.Sink.
func (staysOpen) Close(context.Context) error { return nil }
