package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ktail/ktail/pkg/ktail"
	"github.com/ktail/ktail/pkg/kube"
	"github.com/ktail/ktail/pkg/text"
)

// noMatchDelay is how long ktail waits for a match before it reports that there are none.
const noMatchDelay = 2 * time.Second

// noMatchReporter is a watcher that reports once that nothing matches, or which
// matching containers have not started. It names the searched scope and
// suggests what the user may have meant.
type noMatchReporter struct {
	watcher *kube.Watcher
	client  *kube.Client
	o       plan
	printf  func(format string, args ...any)

	mu    sync.Mutex
	timer *time.Timer // runs from a set until the report
	done  bool        // the report was printed, or is not needed
}

// Watch implements ktail.Watcher.
func (h *noMatchReporter) Watch(ctx context.Context, set func([]ktail.Source)) error {
	err := h.watcher.Watch(ctx, func(sources []ktail.Source) {
		h.observe(ctx)
		set(sources)
	})
	if err != nil {
		return h.explain(ctx, err)
	}
	if h.o.noFollow {
		h.report(ctx)
	}
	return nil
}

// observe starts the delay of the report with the first set.
func (h *noMatchReporter) observe(ctx context.Context) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.done && h.timer == nil && !h.o.noFollow {
		h.timer = time.AfterFunc(noMatchDelay, func() { h.report(ctx) })
	}
}

// report prints that nothing matches, or what has not started. Until a list has
// succeeded, that is not known, so report then waits for the next set.
func (h *noMatchReporter) report(ctx context.Context) {
	matches := h.watcher.Matches()
	h.mu.Lock()
	h.timer = nil
	skip := h.done || h.o.onlyLogLines || !matches.Listed || ctx.Err() != nil
	h.done = h.done || matches.Listed
	h.mu.Unlock()
	if skip {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, suggestTimeout)
	defer cancel()
	yet := ""
	if !h.o.noFollow {
		yet = " yet"
	}
	waiting := matches.Waiting
	if matches.Logs > 0 {
		waiting = slices.DeleteFunc(waiting, func(w kube.WaitingContainer) bool { return w.Starting() })
	}
	switch {
	case matches.Logs > 0 && len(waiting) == 0:
	case matches.Logs > 0:
		h.printf("%s", h.notStarted(waiting))
	case matches.Pods+matches.ExcludedByName+matches.ExcludedByShard == 0:
		h.printf("no matches%s %s%s", yet, h.searchedScope(), h.suggestions(ctx))
	case len(waiting) > 0:
		h.printf("no logs%s %s: %s", yet, h.searchedScope(), h.notStarted(waiting))
	default:
		h.printf("no matches%s %s: %s", yet, h.searchedScope(), h.excluded(&matches))
	}
}

// notStarted names the containers that have not started, with the reasons.
func (h *noMatchReporter) notStarted(waiting []kube.WaitingContainer) string {
	const most, messageLen = 5, 120
	var b strings.Builder
	if len(waiting) == 1 {
		b.WriteString("1 matching container has not started: ")
	} else {
		fmt.Fprintf(&b, "%d matching containers have not started: ", len(waiting))
	}
	for i, w := range waiting {
		if i == most {
			fmt.Fprintf(&b, ", and %d more", len(waiting)-most)
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%s/%s[%s]: %s", w.Namespace, w.Pod, w.Container, w.Reason)
		if message := text.OneLine(w.Message); message != "" {
			fmt.Fprintf(&b, " (%s)", text.Shorten(message, messageLen))
		}
	}
	return b.String()
}

// excluded returns why no log is printed although pods match.
func (h *noMatchReporter) excluded(m *kube.Matches) string {
	if m.Pods == 0 {
		return allExcluded(m)
	}
	pods := pods(m.Pods, "matches", "match")
	switch s := &h.o.selection; {
	case s.Condition != nil:
		return pods + ", but --condition is not met"
	case s.States != 0 && s.States != kube.Running|kube.Waiting|kube.Terminated:
		return pods + ", but no container is in a state that --container-state selects"
	case len(m.Skipped) > 0:
		return pods + ", but your flags exclude all containers: " + join(m.Skipped, "and")
	}
	return pods + ", but there are no containers"
}

// allExcluded returns which flags exclude all pods that match.
func allExcluded(m *kube.Matches) string {
	var flags []string
	if m.ExcludedByName > 0 {
		flags = append(flags, "--exclude-pod")
	}
	if m.ExcludedByShard > 0 {
		flags = append(flags, "--shard")
	}
	n, verb, what := m.ExcludedByName+m.ExcludedByShard, " excludes ", "all of them"
	if len(flags) > 1 {
		verb = " exclude "
	}
	if n == 1 {
		what = "it"
	}
	return pods(n, "matches", "match") + ", but " + join(flags, "and") + verb + what
}

// pods returns a number of pods with the verb in its singular or plural form.
func pods(n int, singular, plural string) string {
	if n == 1 {
		return "1 pod " + singular
	}
	return fmt.Sprintf("%d pods %s", n, plural)
}

// searchedScope describes the namespaces and the context that were searched.
func (h *noMatchReporter) searchedScope() string {
	s := "in " + inNamespaces(h.o.selection.Namespaces)
	if h.client.Context != "" {
		s += " of context " + h.client.Context
	}
	return s
}

func inNamespaces(names []string) string {
	switch {
	case len(names) == 0 || len(names) == 1 && names[0] == "":
		return "all namespaces"
	case len(names) == 1:
		return "namespace " + names[0]
	}
	return "namespaces " + join(names, "and")
}

// explain adds suggestions to an error of the watcher, and names the flag that
// caused it.
func (h *noMatchReporter) explain(ctx context.Context, err error) error {
	if invalid, ok := errors.AsType[*kube.SelectorError](err); ok {
		flag := "--selector"
		if invalid.Field {
			flag = "--field-selector"
		}
		return usageError{fmt.Errorf("invalid %s %q: %w", flag, invalid.Selector, invalid.Err)}
	}
	if unknown, ok := errors.AsType[*kube.UnknownKindError](err); ok {
		var words []string
		for _, k := range slices.Concat(kube.BuiltInKinds(), unknown.Known) {
			words = append(words, k.String())
		}
		if near := text.Similar(unknown.Word, words); len(near) > 0 {
			return fmt.Errorf("%w; did you mean %s?", err, join(near, "or"))
		}
		return err
	}
	if missing, ok := errors.AsType[*kube.NotFoundError](err); ok {
		ctx, cancel := context.WithTimeout(ctx, suggestTimeout)
		defer cancel()
		if missing.Kind.Cluster {
			return fmt.Errorf("%w%s", err, h.otherName(ctx, missing.Kind, missing.Name))
		}
		what := h.otherNamespace(ctx)
		if what == "" {
			what = h.otherName(ctx, missing.Kind, missing.Name)
		}
		return fmt.Errorf("%w in %s%s", err, inNamespaces(missing.Namespaces), what)
	}
	return err
}
