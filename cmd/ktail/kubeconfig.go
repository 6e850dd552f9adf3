package main

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/ktail/ktail/pkg/kube"
)

// noReadCoalescing is the environment variable that disables read coalescing.
// It is not a flag, because it only serves to find out whether coalescing
// causes a problem with a connection.
const noReadCoalescing = "KTAIL_NO_READ_COALESCING"

// connect returns a client for the cluster that the flags and the kubeconfig select.
// slowPlugin is called if a credential plugin takes long at the start.
func (o *options) connect(env func(string) (string, bool), slowPlugin func(error)) (*kube.Client, error) {
	config := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(o.loading, &o.overrides)
	if err := o.checkKubeconfig(config, env); err != nil {
		return nil, err
	}
	clientOptions := kube.ClientOptions{RateLimit: o.rate, SlowPlugin: slowPlugin}
	if value, _ := env(noReadCoalescing); value != "" {
		var err error
		if clientOptions.NoReadCoalescing, err = strconv.ParseBool(value); err != nil {
			return nil, fmt.Errorf("invalid %s %q: must be true or false", noReadCoalescing, value)
		}
	}
	client, err := kube.Connect(config, clientOptions)
	switch {
	case clientcmd.IsEmptyConfig(errors.Unwrap(err)):
		return nil, o.errNoKubeconfig(env)
	case err != nil:
		return nil, err
	case o.overrides.CurrentContext != "":
		client.Context = o.overrides.CurrentContext
	}
	return client, nil
}

// checkKubeconfig returns an error, with suggestions, if the flags or the
// kubeconfig refer to an entry that does not exist. If there is no kubeconfig,
// it returns an error if a flag needs one; otherwise ktail may be running in a
// pod.
func (o *options) checkKubeconfig(config clientcmd.ClientConfig, env func(string) (string, bool)) error {
	raw, err := config.RawConfig()
	if err != nil {
		return fmt.Errorf("read kubeconfig: %w", err)
	}
	flags := o.overrides
	if clientcmdapi.IsConfigEmpty(&raw) {
		if flags.CurrentContext+flags.Context.Cluster+flags.Context.AuthInfo != "" {
			return o.errNoKubeconfig(env)
		}
		return nil
	}
	for _, flag := range []struct {
		what, name string
		known      []string
	}{
		{"context", flags.CurrentContext, slices.Collect(maps.Keys(raw.Contexts))},
		{"cluster", flags.Context.Cluster, slices.Collect(maps.Keys(raw.Clusters))},
		{"user", flags.Context.AuthInfo, slices.Collect(maps.Keys(raw.AuthInfos))},
	} {
		if flag.name != "" && !slices.Contains(flag.known, flag.name) {
			return fmt.Errorf("the kubeconfig has no %s %q%s", flag.what, flag.name, didYouMean(flag.name, flag.known))
		}
	}
	if flags.Context.Cluster != "" {
		return nil // --server replaces the context's cluster, which need not exist
	}
	return checkContext(&raw, flags.CurrentContext)
}

// checkContext returns an error if the context, or the current one if name is
// empty, does not name an existing cluster.
func checkContext(raw *clientcmdapi.Config, name string) error {
	contexts := slices.Sorted(maps.Keys(raw.Contexts))
	if name == "" {
		name = raw.CurrentContext
		switch {
		case name == "" && len(contexts) == 0:
			return errors.New("the kubeconfig has no contexts")
		case name == "":
			return fmt.Errorf("the kubeconfig has no current context: pass --context, or run kubectl config use-context%s", didYouMean("", contexts))
		case raw.Contexts[name] == nil:
			return fmt.Errorf("the current context %q of the kubeconfig does not exist%s", name, didYouMean(name, contexts))
		}
	}
	context := raw.Contexts[name]
	switch {
	case context.Cluster == "":
		return fmt.Errorf("context %q of the kubeconfig does not name a cluster", name)
	case raw.Clusters[context.Cluster] == nil:
		return fmt.Errorf("context %q refers to cluster %q, which the kubeconfig does not have%s",
			name, context.Cluster, didYouMean(context.Cluster, slices.Sorted(maps.Keys(raw.Clusters))))
	case raw.Clusters[context.Cluster].Server == "":
		return fmt.Errorf("cluster %q of the kubeconfig has no server address", context.Cluster)
	case context.AuthInfo != "" && raw.AuthInfos[context.AuthInfo] == nil:
		return fmt.Errorf("context %q refers to user %q, which the kubeconfig does not have%s",
			name, context.AuthInfo, didYouMean(context.AuthInfo, slices.Sorted(maps.Keys(raw.AuthInfos))))
	}
	return nil
}

// errNoKubeconfig reports that there is no kubeconfig, and where ktail
// searched.
func (o *options) errNoKubeconfig(env func(string) (string, bool)) error {
	var problems []string
	files, _ := env(clientcmd.RecommendedConfigPathEnvVar)
	if o.loading.ExplicitPath == "" {
		for _, file := range filepath.SplitList(files) {
			switch info, err := os.Stat(file); {
			case file == "":
			case strings.HasPrefix(file, "~"):
				problems = append(problems, fmt.Sprintf("KUBECONFIG names %s, in which the shell did not expand ~", file))
			case err != nil:
				problems = append(problems, fmt.Sprintf("KUBECONFIG names %s, which does not exist", file))
			case info.IsDir():
				problems = append(problems, fmt.Sprintf("KUBECONFIG names %s, which is a directory", file))
			default:
				problems = append(problems, fmt.Sprintf("KUBECONFIG names %s, which is empty", file))
			}
		}
	}
	switch {
	case len(problems) > 0:
		return fmt.Errorf("no kubeconfig found: %s", strings.Join(problems, "; "))
	case o.loading.ExplicitPath != "":
		return fmt.Errorf("no kubeconfig found: %s is empty", o.loading.ExplicitPath)
	}
	return errors.New("no kubeconfig found: set KUBECONFIG, pass --kubeconfig, or create " + clientcmd.RecommendedHomeFile)
}
