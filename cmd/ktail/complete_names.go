package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/cobra"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/ktail/ktail/pkg/ktail"
	"github.com/ktail/ktail/pkg/kube"
)

// queries completes kind/, kind/name, and names of pods.
func (c *completer) queries(ctx context.Context, client *kube.Client, _ []string, prefix string) []cobra.Completion {
	if word, _, ok := strings.Cut(prefix, "/"); ok {
		kind, err := client.LookUpKind(ctx, word)
		if err != nil {
			return nil
		}
		return c.named(ctx, client, kind, word+"/")
	}
	var found []cobra.Completion
	var pods []cobra.Completion
	var asking sync.WaitGroup
	asking.Go(func() { pods = c.pods(ctx, client, nil, prefix) })
	for _, k := range c.kinds(ctx, client) {
		description := k.Kind
		if k.Group != "" {
			description += " of " + k.Group
		}
		found = append(found, cobra.CompletionWithDesc(k.String()+"/", description))
	}
	asking.Wait()
	return append(found, pods...)
}

// kinds returns the kinds that have pods: those of any cluster, and those of this
// one that can be scaled.
func (c *completer) kinds(ctx context.Context, client *kube.Client) []kube.Kind {
	kinds := kube.BuiltInKinds()
	known, _ := client.Kinds(ctx) // completion goes without
	for _, k := range known {
		isBuiltIn := func(b kube.Kind) bool { return b.Group == k.Group && b.Resource == k.Resource }
		if k.Scale && !slices.ContainsFunc(kinds, isBuiltIn) {
			kinds = append(kinds, k)
		}
	}
	return kinds
}

// pods completes names of pods.
func (c *completer) pods(ctx context.Context, client *kube.Client, _ []string, _ string) []cobra.Completion {
	return c.named(ctx, client, kube.PodKind, "")
}

// named completes names of one kind in the namespaces that are searched.
func (c *completer) named(ctx context.Context, client *kube.Client, kind kube.Kind, before string) []cobra.Completion {
	in := map[string][]string{}
	for _, n := range c.names(ctx, client, kind) {
		in[n.Name] = append(in[n.Name], n.Namespace)
	}
	var found []cobra.Completion
	for _, name := range slices.Sorted(maps.Keys(in)) {
		description := kind.String()
		if c.o.showNamespace() && !kind.Cluster {
			description += " in " + strings.Join(in[name], ", ")
		}
		found = append(found, cobra.CompletionWithDesc(before+name, description))
	}
	return found
}

// names lists the objects of a kind in the namespaces that are searched.
func (c *completer) names(ctx context.Context, client *kube.Client, kind kube.Kind) []kube.Name {
	namespaces := c.o.selection.Namespaces
	if len(namespaces) == 0 || kind.Cluster {
		namespaces = []string{""}
	}
	var all []kube.Name
	for _, namespace := range namespaces {
		names, _ := client.Names(ctx, kind, namespace, maxCompletionObjects) // completion goes without
		all = append(all, names...)
	}
	return all
}

func (c *completer) namespaces(ctx context.Context, client *kube.Client, _ []string, _ string) []cobra.Completion {
	return c.named(ctx, client, kube.NamespaceKind, "")
}

func (c *completer) nodes(ctx context.Context, client *kube.Client, _ []string, _ string) []cobra.Completion {
	return c.named(ctx, client, kube.NodeKind, "")
}

// contexts completes the contexts of the kubeconfig; the cluster is not asked.
func (c *completer) contexts(cmd *cobra.Command, args []string, prefix string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if _, err := c.o.configure(cmd.Flags(), args, c.env); err != nil {
		return nil, noFiles
	}
	raw, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(c.o.loading, &c.o.overrides).RawConfig()
	if err != nil {
		return nil, noFiles
	}
	var found []cobra.Completion
	for _, name := range slices.Sorted(maps.Keys(raw.Contexts)) {
		found = append(found, cobra.CompletionWithDesc(name, "cluster "+raw.Contexts[name].Cluster))
	}
	return startingWith(prefix, found), noFiles
}

// containers completes names of containers of the pods that the queries name.
func (c *completer) containers(ctx context.Context, client *kube.Client, args []string, _ string) []cobra.Completion {
	for _, query := range args {
		_ = c.o.addQuery(query) // what is no query chooses nothing
	}
	names := c.containersOfPods
	if len(c.o.selection.Owners) > 0 {
		names = c.containersOfOwners
	}
	described := names(ctx, client)
	var found []cobra.Completion
	for _, name := range slices.Sorted(maps.Keys(described)) {
		found = append(found, cobra.CompletionWithDesc(name, described[name]))
	}
	return found
}

// containersOfPods returns containers of pods by their names, with their images.
func (c *completer) containersOfPods(ctx context.Context, client *kube.Client) map[string]string {
	s := &c.o.selection
	namespaces := s.Namespaces
	if len(namespaces) == 0 {
		namespaces = []string{""}
	}
	images := map[string]string{}
	for _, namespace := range namespaces {
		pods, _ := client.Containers(ctx, s, namespace, maxCompletionObjects) // completion goes without
		for _, pod := range pods {
			for _, container := range pod.Containers {
				images[container.Name] = cmp.Or(images[container.Name], container.Image)
			}
		}
	}
	return images
}

// containersOfOwners returns containers of the pods that belong to the owners of
// the selection, with one of the pods each.
func (c *completer) containersOfOwners(ctx context.Context, client *kube.Client) map[string]string {
	s := c.o.selection
	s.Containers = nil // what is being typed
	pods := map[string]string{}
	w := kube.Watcher{Client: client, Selection: s}
	_ = w.Watch(ctx, func(sources []ktail.Source) { // completion goes without
		for _, source := range sources {
			stream := source.Stream()
			pods[stream.Container] = max(pods[stream.Container], stream.Pod)
		}
	})
	for container, pod := range pods {
		pods[container] = "in " + pod
	}
	return pods
}

// labels completes one requirement of a label selector: KEY=, then KEY=VALUE.
func (c *completer) labels(ctx context.Context, client *kube.Client, _ []string, prefix string) []cobra.Completion {
	key, _, hasKey := strings.Cut(prefix, "=")
	operator := "="
	if hasKey && strings.HasPrefix(prefix, key+"==") {
		operator = "=="
	}
	if negated, ok := strings.CutSuffix(key, "!"); ok && hasKey {
		key, operator = negated, "!="
	}
	pods := map[string]int{}
	for _, pod := range c.names(ctx, client, kube.PodKind) {
		for k, v := range pod.Labels {
			switch {
			case !hasKey:
				pods[k+"="]++
			case k == key:
				pods[k+operator+v]++
			}
		}
	}
	var found []cobra.Completion
	for _, text := range slices.Sorted(maps.Keys(pods)) {
		description := "1 pod"
		if n := pods[text]; n > 1 {
			description = fmt.Sprintf("%d pods", n)
		}
		found = append(found, cobra.CompletionWithDesc(text, description))
	}
	return found
}
