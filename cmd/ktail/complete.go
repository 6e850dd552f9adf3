package main

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ktail/ktail/pkg/kube"
)

const (
	// completionTimeout bounds what a completion may take: somebody waits with a
	// finger on the key.
	completionTimeout = 900 * time.Millisecond
	// maxCompletionObjects bounds how many objects a completion looks at.
	maxCompletionObjects = 1000

	noFiles = cobra.ShellCompDirectiveNoFileComp
	noSpace = cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
)

// completer completes what is typed. What the cluster does not answer in time, or
// does not want to, is left out without a word.
type completer struct {
	o   *options
	env func(string) (string, bool)
}

// fromCluster is a completion that asks the cluster. prefix is what is typed so far.
type fromCluster func(ctx context.Context, client *kube.Client, args []string, prefix string) []cobra.Completion

// register has the command complete its arguments and flags.
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
		"container-state":         fixed(kube.StateNames(), noFiles),
		"condition":               fixed(kube.ConditionNames(), noFiles),
		"output":                  c.outputs,
		"timestamps":              fixed([]string{"default\tdate, nanoseconds, time zone", "short\tmonth, day, seconds"}, noFiles),
		"color":                   fixed([]string{"auto\ton a terminal", "always\tinto files and pipes, too", "never\tnowhere"}, noFiles),
		"completion":              fixed(shellNames(), noFiles),
		"elasticsearch-when-full": fixed([]string{"block", "drop-oldest"}, noFiles),
	} {
		if err := cmd.RegisterFlagCompletionFunc(flag, f); err != nil {
			return err
		}
	}
	return nil
}

// ask makes a completion of one that asks the cluster.
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
			client, err := c.o.connect()
			if err != nil {
				answer <- nil
				return
			}
			c.o.namespaces(client.Namespace)
			answer <- f(ctx, client, queries, prefix)
		}()
		select {
		case found := <-answer:
			return startingWith(prefix, found), directive
		case <-ctx.Done():
			return nil, directive
		}
	}
}

// startingWith keeps what begins as it was typed.
func startingWith(prefix string, all []cobra.Completion) []cobra.Completion {
	var kept []cobra.Completion
	for _, c := range all {
		if strings.HasPrefix(c, prefix) {
			kept = append(kept, c)
		}
	}
	return kept
}

// inList completes the last element of a list with commas.
func inList(f fromCluster) fromCluster {
	return func(ctx context.Context, client *kube.Client, args []string, prefix string) []cobra.Completion {
		before, last := "", prefix
		if i := strings.LastIndexByte(prefix, ','); i >= 0 {
			before, last = prefix[:i+1], prefix[i+1:]
		}
		found := f(ctx, client, args, last)
		for i := range found {
			found[i] = before + found[i]
		}
		return found
	}
}
