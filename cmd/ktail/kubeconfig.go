package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"k8s.io/client-go/tools/clientcmd"

	"github.com/ktail/ktail/pkg/kube"
)

// connect returns a client for the cluster that the flags and the kubeconfig select.
func (o *options) connect() (*kube.Client, error) {
	config := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(o.loading, &o.overrides)
	if err := o.checkNames(config); err != nil {
		return nil, err
	}
	client, err := kube.Connect(config, kube.ClientOptions{RateLimit: o.rate})
	switch {
	case clientcmd.IsEmptyConfig(errors.Unwrap(err)):
		return nil, errors.New("no kubeconfig found: set KUBECONFIG, pass --kubeconfig, or create " + clientcmd.RecommendedHomeFile)
	case err != nil:
		return nil, err
	case o.overrides.CurrentContext != "":
		client.Context = o.overrides.CurrentContext
	}
	return client, nil
}

// checkNames returns an error, with suggestions, if a flag names an entry that the
// kubeconfig does not have.
func (o *options) checkNames(config clientcmd.ClientConfig) error {
	context, cluster, user := o.overrides.CurrentContext, o.overrides.Context.Cluster, o.overrides.Context.AuthInfo
	if context == "" && cluster == "" && user == "" {
		return nil
	}
	raw, err := config.RawConfig()
	if err != nil {
		return fmt.Errorf("read kubeconfig: %w", err)
	}
	for _, flag := range []struct {
		what, name string
		known      []string
	}{
		{"context", context, slices.Collect(maps.Keys(raw.Contexts))},
		{"cluster", cluster, slices.Collect(maps.Keys(raw.Clusters))},
		{"user", user, slices.Collect(maps.Keys(raw.AuthInfos))},
	} {
		if flag.name != "" && !slices.Contains(flag.known, flag.name) {
			return fmt.Errorf("the kubeconfig has no %s %q%s", flag.what, flag.name, didYouMean(flag.name, flag.known))
		}
	}
	return nil
}
