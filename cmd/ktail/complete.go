package main

import (
	"context"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/ktail/ktail/pkg/kube"
)

const (
	// completionTimeout bounds a completion, because the user is waiting at the
	// prompt.
	completionTimeout = 900 * time.Millisecond
	// maxCompletionObjects bounds the number of objects that a completion lists.
	maxCompletionObjects = 1000

	noFiles = cobra.ShellCompDirectiveNoFileComp
	noSpace = cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
)

// completer completes arguments and flags. It silently omits what the cluster
// does not return in time or does not permit.
type completer struct {
	o   *options
	env func(string) (string, bool)
}

// scope is where a completion searches: the cluster, and the selection that the
// command line describes so far.
type scope struct {
	*kube.Client
	selection     kube.Selection
	showNamespace bool
}

// newScope connects to the cluster.
func newScope(o options, queries []string, env func(string) (string, bool)) (scope, error) {
	client, err := o.connect(env, nil)
	if err != nil {
		return scope{}, err
	}
	s := scope{Client: client, selection: o.base}
	s.selection.Namespaces = o.inContext(client.Namespace)
	s.showNamespace = len(s.selection.Namespaces) != 1
	for _, query := range queries {
		_ = addQuery(&s.selection, query) // an incomplete query selects nothing
	}
	return s, nil
}

// namespaces returns the namespaces to list, one by one.
func (s *scope) namespaces() []string {
	if len(s.selection.Namespaces) == 0 {
		return []string{""}
	}
	return s.selection.Namespaces
}

// fromCluster is a completion that queries the cluster. prefix is what the user
// has typed so far.
type fromCluster func(ctx context.Context, in scope, prefix string) []cobra.Completion

// register sets the completions of the command.
func (c *completer) register(cmd *cobra.Command) error {
	cmd.ValidArgsFunction = c.arguments
	fixed := cobra.FixedCompletions
	for flag, f := range map[string]cobra.CompletionFunc{
		"namespace":               c.ask(inList(c.namespaces), noFiles),
		"node":                    c.ask(c.nodes, noFiles),
		"context":                 c.contexts,
		"config":                  cobra.FixedCompletions([]cobra.Completion{"yaml", "yml"}, cobra.ShellCompDirectiveFilterFileExt),
		"container":               c.ask(c.containers, noFiles),
		"exclude-container":       c.ask(c.containers, noFiles),
		"exclude-pod":             c.ask(c.pods, noFiles),
		"selector":                c.ask(inList(c.labels), noSpace),
		"events":                  fixed([]string{"important\twarnings and reasons for an end", "all"}, noFiles),
		"unit":                    fixed([]string{"kubelet", "containerd", "crio", "docker"}, noFiles),
		"file":                    fixed([]string{"syslog", "messages", "kern.log"}, noFiles),
		"container-state":         fixed(kube.StateNames(), noFiles),
		"condition":               fixed(kube.ConditionNames(), noFiles),
		"output":                  c.outputs,
		"timestamps":              fixed(timestampNames(), noFiles),
		"color":                   fixed([]string{"auto\ton a terminal", "always\tin files and pipes, too", "never\tnot even on a terminal"}, noFiles),
		"completion":              fixed(shellNames(), noFiles),
		"elasticsearch-when-full": fixed([]string{"block", "drop-oldest"}, noFiles),
	} {
		if err := cmd.RegisterFlagCompletionFunc(flag, f); err != nil {
			return err
		}
	}
	return nil
}

// ask returns a completion that queries the cluster.
func (c *completer) ask(f fromCluster, directive cobra.ShellCompDirective) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, prefix string) ([]cobra.Completion, cobra.ShellCompDirective) {
		queries, err := c.o.configure(cmd.Flags(), args, c.env)
		if err != nil {
			return nil, directive
		}
		ctx, cancel := context.WithTimeout(cmd.Context(), completionTimeout)
		defer cancel()
		answer := make(chan []cobra.Completion, 1)
		go func() { // a credential plugin does not stop with ctx
			in, err := newScope(*c.o, queries, c.env)
			if err != nil {
				answer <- nil
				return
			}
			answer <- f(ctx, in, prefix)
		}()
		select {
		case found := <-answer:
			return startingWith(prefix, found), directive
		case <-ctx.Done():
			return nil, directive
		}
	}
}

// startingWith returns the completions with the prefix, without those that
// contain control characters, which the shell would print.
func startingWith(prefix string, all []cobra.Completion) []cobra.Completion {
	var kept []cobra.Completion
	for _, c := range all {
		if strings.HasPrefix(c, prefix) && !strings.ContainsFunc(strings.ReplaceAll(c, "\t", ""), unicode.IsControl) {
			kept = append(kept, c)
		}
	}
	return kept
}

// inList completes the last value of a comma-separated list.
func inList(f fromCluster) fromCluster {
	return func(ctx context.Context, in scope, prefix string) []cobra.Completion {
		before, last := "", prefix
		if i := strings.LastIndexByte(prefix, ','); i >= 0 {
			before, last = prefix[:i+1], prefix[i+1:]
		}
		found := f(ctx, in, last)
		for i := range found {
			found[i] = before + found[i]
		}
		return found
	}
}

// timestampNames returns the completions of --timestamps.
func timestampNames() []string {
	names := make([]string, len(timestampFormats))
	for i, f := range timestampFormats {
		names[i] = f.name + "\t" + f.meaning
	}
	return names
}
