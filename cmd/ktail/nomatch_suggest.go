package main

import (
	"context"
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"time"

	"github.com/ktail/ktail/pkg/kube"
	"github.com/ktail/ktail/pkg/text"
)

const (
	// suggestTimeout bounds the search for suggestions.
	suggestTimeout = 3 * time.Second
	// maxNamesSearched bounds the number of names that are listed for suggestions.
	maxNamesSearched = 5000
)

// suggestions returns, as the end of a message, what the user may have meant.
// It is empty if nothing similar exists or the cluster does not permit the
// search.
func (h *noMatchReporter) suggestions(ctx context.Context) string {
	if s := h.otherNamespace(ctx); s != "" {
		return s
	}
	s := &h.o.selection
	var found strings.Builder
	for _, owner := range s.Owners {
		kind, err := h.client.LookUpKind(ctx, owner.Kind)
		if err == nil {
			found.WriteString(h.otherName(ctx, kind, owner.Name))
		}
	}
	if len(s.Owners) > 0 && len(s.Pods) == 0 {
		return found.String()
	}
	return found.String() + h.otherPods(ctx) + h.o.flagValueAsQuery()
}

// flagValueAsQuery reports a query that looks like the value of a flag. Such a flag may be
// used without a value, so it does not take the next argument.
func (p plan) flagValueAsQuery() string {
	for _, query := range p.queries {
		flag := ""
		isTimestamps := func(f timestampFormat) bool { return f.name == query }
		switch {
		case p.events.read && (query == "all" || query == "important"):
			flag = "--events"
		case p.timestamps.on && slices.ContainsFunc(timestampFormats, isTimestamps):
			flag = "--timestamps"
		case query == "true" || query == "false":
			return fmt.Sprintf("; the query %s may be meant as the value of a flag: write FLAG=%[1]s", query)
		default:
			continue
		}
		return fmt.Sprintf("; the query %s may be meant as the value of %s: write %[2]s=%[1]s", query, flag)
	}
	return ""
}

// otherNamespace reports searched namespaces that do not exist.
func (h *noMatchReporter) otherNamespace(ctx context.Context) string {
	names, err := h.client.Names(ctx, kube.NamespaceKind, "", maxNamesSearched)
	if err != nil || len(names) == maxNamesSearched {
		return ""
	}
	var all []string
	for _, n := range names {
		all = append(all, n.Name)
	}
	var s strings.Builder
	for _, asked := range h.o.selection.Namespaces {
		if !slices.Contains(all, asked) {
			fmt.Fprintf(&s, "; namespace %s does not exist%s", asked, didYouMean(asked, all))
		}
	}
	return s.String()
}

// inNamespaces lists names in all namespaces or, if that is forbidden, in the searched
// ones.
func (h *noMatchReporter) inNamespaces(list func(namespace string) ([]kube.Name, error)) []kube.Name {
	all, err := list("")
	if err != nil {
		for _, namespace := range h.o.selection.Namespaces {
			names, _ := list(namespace) // on error, suggest nothing
			all = append(all, names...)
		}
	}
	return all
}

// list lists the names of a kind in the searched namespaces and, if that is permitted,
// in the others.
func (h *noMatchReporter) list(ctx context.Context, kind kube.Kind) (here, elsewhere []kube.Name) {
	for _, n := range h.inNamespaces(func(namespace string) ([]kube.Name, error) {
		return h.client.Names(ctx, kind, namespace, maxNamesSearched)
	}) {
		if h.searches(n.Namespace) {
			here = append(here, n)
		} else {
			elsewhere = append(elsewhere, n)
		}
	}
	return here, elsewhere
}

func (h *noMatchReporter) searches(namespace string) bool {
	s := &h.o.selection
	return len(s.Namespaces) == 0 || namespace == "" || slices.Contains(s.Namespaces, namespace)
}

// otherName returns where else the owner exists, or similar names.
func (h *noMatchReporter) otherName(ctx context.Context, kind kube.Kind, name string) string {
	here, elsewhere := h.list(ctx, kind)
	is := func(n kube.Name) bool { return n.Name == name }
	if slices.ContainsFunc(here, is) {
		return fmt.Sprintf("; %s %s has no pods", &kind, name)
	}
	if in := namespacesOf(elsewhere, is); len(in) > 0 {
		return fmt.Sprintf("; %s %s exists in %s", &kind, name, inNamespaces(in))
	}
	var names []string
	for _, n := range here {
		names = append(names, n.Name)
	}
	return didYouMean(name, names)
}

// otherPods returns where else the query matches, which flag excludes the pods that it
// matches, or similar pod names.
func (h *noMatchReporter) otherPods(ctx context.Context) string {
	here, elsewhere := h.list(ctx, kube.PodKind)
	s := &h.o.selection
	flags, selected := h.selectors(ctx)
	matches := func(n kube.Name) bool { return s.MatchesName(n) && selected(n) }
	// The names do not say which shard has the pods.
	if in := namespacesOf(elsewhere, matches); len(in) > 0 && s.Shard.Count <= 1 {
		return fmt.Sprintf("; the query matches in %s", inNamespaces(in))
	}
	if len(here) == 0 {
		return "; there are no pods"
	}
	if len(s.Pods) == 0 {
		return ""
	}
	named := 0
	var names []string
	for _, n := range here {
		if s.MatchesName(n) {
			named++
		}
		if selected(n) {
			names = append(names, n.Workload)
		}
	}
	switch {
	case flags != "" && named > 0:
		return "; " + pods(named, "matches", "match") + " the query, but not " + flags
	case len(names) == 0 && flags != "":
		return "; no pods match " + flags
	}
	slices.Sort(names)
	names = slices.Compact(names)
	var near []string
	for _, re := range s.Pods {
		for _, name := range text.Similar(literal(re), names) {
			if !slices.Contains(near, name) {
				near = append(near, name)
			}
		}
	}
	if len(near) > 0 {
		return "; did you mean " + join(near, "or") + "?"
	}
	return didYouMean("", names)
}

// selectors names the flags that select pods by labels and fields, "" if there are none,
// and returns a function that reports whether they select a pod.
func (h *noMatchReporter) selectors(ctx context.Context) (flags string, selected func(kube.Name) bool) {
	s := &h.o.selection
	var set []string
	for _, flag := range []struct{ name, value string }{
		{"--selector", s.LabelSelector}, {"--node", h.o.node}, {"--field-selector", h.o.base.FieldSelector},
	} {
		if value := strings.TrimSpace(flag.value); value != "" {
			set = append(set, flag.name+" "+value)
		}
	}
	flags = join(set, "and")
	if s.FieldSelector == "" {
		return flags, s.MatchesLabels
	}
	type key struct{ namespace, name string }
	found := map[key]bool{}
	for _, n := range h.inNamespaces(func(namespace string) ([]kube.Name, error) {
		return h.client.NamesWithFields(ctx, s.FieldSelector, namespace, maxNamesSearched)
	}) {
		found[key{n.Namespace, n.Name}] = true
	}
	return flags, func(n kube.Name) bool { return s.MatchesLabels(n) && found[key{n.Namespace, n.Name}] }
}

// namespacesOf returns the namespaces of the matching names, up to a small
// number.
func namespacesOf(names []kube.Name, is func(kube.Name) bool) []string {
	const most = 5
	var in []string
	for _, n := range names {
		if is(n) && !slices.Contains(in, n.Namespace) && len(in) < most {
			in = append(in, n.Namespace)
		}
	}
	return in
}

// literal returns the literal text in a regular expression.
func literal(re *regexp.Regexp) string {
	parsed, err := syntax.Parse(re.String(), syntax.Perl)
	if err != nil {
		return re.String()
	}
	var b strings.Builder
	var walk func(*syntax.Regexp)
	walk = func(r *syntax.Regexp) {
		if r.Op == syntax.OpLiteral {
			b.WriteString(string(r.Rune))
		}
		for _, sub := range r.Sub {
			walk(sub)
		}
	}
	walk(parsed)
	return strings.Trim(b.String(), "-")
}
