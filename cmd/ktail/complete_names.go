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
func (c *completer) queries(ctx context.Context, in scope, prefix string) []cobra.Completion {
	if word, _, ok := strings.Cut(prefix, "/"); ok {
		kind, err := in.LookUpKind(ctx, word)
		if err != nil {
			return nil
		}
		return c.named(ctx, in, kind, word+"/")
	}
	var found []cobra.Completion
	var pods []cobra.Completion
	var asking sync.WaitGroup
	asking.Go(func() { pods = c.pods(ctx, in, prefix) })
	for _, k := range c.kinds(ctx, in) {
		description := k.Kind
		if k.Group != "" {
			description += " of " + k.Group
		}
		found = append(found, cobra.CompletionWithDesc(k.String()+"/", description))
	}
	asking.Wait()
	return append(found, pods...)
}

// kinds returns the kinds that have pods: the built-in ones, and those of this cluster
// that can be scaled.
func (c *completer) kinds(ctx context.Context, in scope) []kube.Kind {
	kinds := kube.BuiltInKinds()
	known, _ := in.Kinds(ctx) // on error, complete without it
	for _, k := range known {
		isBuiltIn := func(b kube.Kind) bool { return b.Group == k.Group && b.Resource == k.Resource }
		if k.Scale && !slices.ContainsFunc(kinds, isBuiltIn) {
			kinds = append(kinds, k)
		}
	}
	return kinds
}

// pods completes names of pods.
func (c *completer) pods(ctx context.Context, in scope, _ string) []cobra.Completion {
	return c.named(ctx, in, kube.PodKind, "")
}

// named completes names of one kind in the searched namespaces.
func (c *completer) named(ctx context.Context, in scope, kind kube.Kind, before string) []cobra.Completion {
	namespaces := map[string][]string{}
	for _, n := range c.names(ctx, in, kind) {
		namespaces[n.Name] = append(namespaces[n.Name], n.Namespace)
	}
	var found []cobra.Completion
	for _, name := range slices.Sorted(maps.Keys(namespaces)) {
		description := kind.String()
		if in.showNamespace && !kind.Cluster {
			description += " in " + strings.Join(namespaces[name], ", ")
		}
		found = append(found, cobra.CompletionWithDesc(before+name, description))
	}
	return found
}

// names lists the objects of a kind in the searched namespaces.
func (c *completer) names(ctx context.Context, in scope, kind kube.Kind) []kube.Name {
	namespaces := in.namespaces()
	if kind.Cluster {
		namespaces = []string{""}
	}
	var all []kube.Name
	for _, namespace := range namespaces {
		names, _ := in.Names(ctx, kind, namespace, maxCompletionObjects) // on error, complete without it
		all = append(all, names...)
	}
	return all
}

func (c *completer) namespaces(ctx context.Context, in scope, _ string) []cobra.Completion {
	return c.named(ctx, in, kube.NamespaceKind, "")
}

func (c *completer) nodes(ctx context.Context, in scope, _ string) []cobra.Completion {
	return c.named(ctx, in, kube.NodeKind, "")
}

// contexts completes the contexts of the kubeconfig without a request to the
// cluster.
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

// containers completes container names of the pods that the queries select.
func (c *completer) containers(ctx context.Context, in scope, _ string) []cobra.Completion {
	names := c.containersOfPods
	if len(in.selection.Owners) > 0 {
		names = c.containersOfOwners
	}
	described := names(ctx, in)
	var found []cobra.Completion
	for _, name := range slices.Sorted(maps.Keys(described)) {
		found = append(found, cobra.CompletionWithDesc(name, described[name]))
	}
	return found
}

// containersOfPods returns the images of containers by container name.
func (c *completer) containersOfPods(ctx context.Context, in scope) map[string]string {
	images := map[string]string{}
	for _, namespace := range in.namespaces() {
		pods, _ := in.Containers(ctx, &in.selection, namespace, maxCompletionObjects) // on error, complete without it
		for _, pod := range pods {
			for _, container := range pod.Containers {
				images[container.Name] = cmp.Or(images[container.Name], container.Image)
			}
		}
	}
	return images
}

// containersOfOwners returns the containers of the pods that belong to the
// selected owners, by name, each with the name of one pod.
func (c *completer) containersOfOwners(ctx context.Context, in scope) map[string]string {
	s := in.selection
	s.Containers = nil // the user is still typing the container
	pods := map[string]string{}
	w := kube.Watcher{Client: in.Client, Selection: s}
	_ = w.Watch(ctx, func(sources []ktail.Source) { // on error, complete without it
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
func (c *completer) labels(ctx context.Context, in scope, prefix string) []cobra.Completion {
	key, _, hasKey := strings.Cut(prefix, "=")
	operator := "="
	if hasKey && strings.HasPrefix(prefix, key+"==") {
		operator = "=="
	}
	if negated, ok := strings.CutSuffix(key, "!"); ok && hasKey {
		key, operator = negated, "!="
	}
	pods := map[string]int{}
	for _, pod := range c.names(ctx, in, kube.PodKind) {
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
