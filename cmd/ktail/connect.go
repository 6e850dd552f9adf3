package main

import (
	"fmt"
	"maps"
	"slices"

	"k8s.io/client-go/tools/clientcmd"

	"github.com/ktail/ktail/pkg/kube"
)

// connect makes a client for the cluster that flags and kubeconfig name.
func (o *options) connect() (*kube.Client, error) {
	config := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(o.loading, &o.overrides)
	if name := o.overrides.CurrentContext; name != "" {
		raw, err := config.RawConfig()
		if err != nil {
			return nil, fmt.Errorf("read kubeconfig: %w", err)
		}
		if _, ok := raw.Contexts[name]; !ok {
			return nil, fmt.Errorf("the kubeconfig has no context %q%s", name,
				instead(name, slices.Collect(maps.Keys(raw.Contexts))))
		}
	}
	client, err := kube.Connect(config, o.limit)
	if err == nil && o.overrides.CurrentContext != "" {
		client.Context = o.overrides.CurrentContext
	}
	return client, err
}
