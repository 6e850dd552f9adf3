package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ktail/ktail/pkg/ktail"
	"github.com/ktail/ktail/pkg/kube"
)

const (
	// hintAfter is how long nothing has to match before that is said.
	hintAfter = 2 * time.Second
	// hintTakes bounds what looking for what was meant may take.
	hintTakes = 3 * time.Second
	// hintLooksAt bounds how many names are looked at.
	hintLooksAt = 5000
)

// hinter is a watcher that says once, if nothing matches, what was searched and
// what may have been meant.
type hinter struct {
	ktail.Watcher
	client *kube.Client
	o      *options
	say    func(format string, args ...any)

	mu    sync.Mutex
	timer *time.Timer // runs since nothing matched
	done  bool        // something matched, or the hint was given
}

// Watch implements ktail.Watcher.
func (h *hinter) Watch(ctx context.Context, set func([]ktail.Source)) error {
	err := h.Watcher.Watch(ctx, func(sources []ktail.Source) {
		h.see(ctx, len(sources))
		set(sources)
	})
	if err != nil {
		return h.explain(ctx, err)
	}
	if h.o.noFollow {
		h.hint(ctx)
	}
	return nil
}

// see takes note of a set.
func (h *hinter) see(ctx context.Context, sources int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.done:
	case sources > 0:
		h.done = true
		if h.timer != nil {
			h.timer.Stop()
		}
	case h.timer == nil && !h.o.noFollow:
		h.timer = time.AfterFunc(hintAfter, func() { h.hint(ctx) })
	}
}

// hint gives the hint, if nothing has matched.
func (h *hinter) hint(ctx context.Context) {
	h.mu.Lock()
	done := h.done || h.o.onlyLogLines
	h.done = true
	h.mu.Unlock()
	if done || ctx.Err() != nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, hintTakes)
	defer cancel()
	yet := ""
	if !h.o.noFollow {
		yet = " yet"
	}
	h.say("nothing matches%s %s%s", yet, h.where(), h.meant(ctx))
}

// where says what was searched.
func (h *hinter) where() string {
	s := "in " + inNamespaces(h.o.selection.Namespaces)
	if h.client.Context != "" {
		s += " of context " + h.client.Context
	}
	return s
}

func inNamespaces(names []string) string {
	switch {
	case len(names) == 0 || len(names) == 1 && names[0] == "":
		return "any namespace"
	case len(names) == 1:
		return "namespace " + names[0]
	}
	return "namespaces " + join(names, "and")
}

// meant says, for the end of a sentence, what there is instead. It is empty if
// nothing was found, or may not be asked.
func (h *hinter) meant(ctx context.Context) string {
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
	return found.String() + h.otherPods(ctx)
}

// otherNamespace tells of namespaces that do not exist.
func (h *hinter) otherNamespace(ctx context.Context) string {
	names, err := h.client.Names(ctx, kube.NamespaceKind, "", hintLooksAt)
	if err != nil || len(names) == hintLooksAt {
		return ""
	}
	var all []string
	for _, n := range names {
		all = append(all, n.Name)
	}
	var s strings.Builder
	for _, asked := range h.o.selection.Namespaces {
		if !slices.Contains(all, asked) {
			fmt.Fprintf(&s, "; there is no namespace %s%s", asked, instead(asked, all))
		}
	}
	return s.String()
}

// list lists the names of a kind in all namespaces, or if that is forbidden in
// those that are searched.
func (h *hinter) list(ctx context.Context, kind kube.Kind) (here, elsewhere []kube.Name) {
	all, err := h.client.Names(ctx, kind, "", hintLooksAt)
	if err != nil {
		for _, namespace := range h.o.selection.Namespaces {
			names, _ := h.client.Names(ctx, kind, namespace, hintLooksAt) // the hint goes without
			all = append(all, names...)
		}
	}
	for _, n := range all {
		if h.searches(n.Namespace) {
			here = append(here, n)
		} else {
			elsewhere = append(elsewhere, n)
		}
	}
	return here, elsewhere
}

func (h *hinter) searches(namespace string) bool {
	s := &h.o.selection
	return len(s.Namespaces) == 0 || namespace == "" || slices.Contains(s.Namespaces, namespace)
}

// otherName says where the owner is instead, or what is called like it.
func (h *hinter) otherName(ctx context.Context, kind kube.Kind, name string) string {
	here, elsewhere := h.list(ctx, kind)
	is := func(n kube.Name) bool { return n.Name == name }
	if slices.ContainsFunc(here, is) {
		return fmt.Sprintf("; %s %s has no pods with a log that the flags select", &kind, name)
	}
	if in := namespacesOf(elsewhere, is); len(in) > 0 {
		return fmt.Sprintf("; there is a %s %s in %s", &kind, name, inNamespaces(in))
	}
	var names []string
	for _, n := range here {
		names = append(names, n.Name)
	}
	return instead(name, names)
}

// otherPods says where the query does match, or which pods are called alike.
func (h *hinter) otherPods(ctx context.Context) string {
	here, elsewhere := h.list(ctx, kube.PodKind)
	s := &h.o.selection
	if slices.ContainsFunc(here, s.Matches) {
		return "; there are pods that match, but no container of theirs with a log that the flags select"
	}
	if in := namespacesOf(elsewhere, s.Matches); len(in) > 0 {
		return fmt.Sprintf("; it matches in %s", inNamespaces(in))
	}
	if len(here) == 0 {
		return "; there are no pods"
	}
	if len(s.Pods) == 0 {
		return ""
	}
	var names []string
	for _, n := range here {
		names = append(names, n.Workload)
	}
	slices.Sort(names)
	names = slices.Compact(names)
	var near []string
	for _, re := range s.Pods {
		near = append(near, nearest(literal(re), names)...)
	}
	if len(near) > 0 {
		return "; did you mean " + join(near, "or") + "?"
	}
	return instead("", names)
}

// namespacesOf returns the namespaces that have one of the kind, a few of them.
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

// literal returns what of a regular expression stands for itself.
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

// explain adds to an error of the watcher what may have been meant.
func (h *hinter) explain(ctx context.Context, err error) error {
	if unknown, ok := errors.AsType[*kube.UnknownKindError](err); ok {
		var words []string
		for _, k := range slices.Concat(kube.BuiltInKinds(), unknown.Known) {
			words = append(words, k.String())
		}
		if near := nearest(unknown.Word, words); len(near) > 0 {
			return fmt.Errorf("%w; did you mean %s?", err, join(near, "or"))
		}
		return err
	}
	if missing, ok := errors.AsType[*kube.NotFoundError](err); ok {
		ctx, cancel := context.WithTimeout(ctx, hintTakes)
		defer cancel()
		what := h.otherNamespace(ctx)
		if what == "" {
			what = h.otherName(ctx, missing.Kind, missing.Name)
		}
		return fmt.Errorf("%w in %s%s", err, inNamespaces(missing.Namespaces), what)
	}
	return err
}
