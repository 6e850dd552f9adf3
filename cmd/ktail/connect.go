package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"k8s.io/client-go/tools/clientcmd"

	"github.com/ktail/ktail/pkg/kube"
)

// connect makes a client for the cluster that flags and kubeconfig name.
func (o *options) connect() (*kube.Client, error) {
	config := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(o.loading, &o.overrides)
	if err := o.checkNames(config); err != nil {
		return nil, err
	}
	client, err := kube.Connect(config, o.limit)
	switch {
	case clientcmd.IsEmptyConfig(errors.Unwrap(err)):
		return nil, errors.New("there is no kubeconfig, which says how to reach a cluster: " +
			"set KUBECONFIG, give --kubeconfig, or put it where kubectl looks, " + clientcmd.RecommendedHomeFile)
	case err != nil:
		return nil, err
	case o.overrides.CurrentContext != "":
		client.Context = o.overrides.CurrentContext
	}
	return client, nil
}

// checkNames fails if a flag names what is not in the kubeconfig, with what may
// have been meant.
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
			return fmt.Errorf("the kubeconfig has no %s %q%s", flag.what, flag.name, instead(flag.name, flag.known))
		}
	}
	return nil
}
