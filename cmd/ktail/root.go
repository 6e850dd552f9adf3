package main

import (
	"context"

	"github.com/spf13/cobra"
	_ "k8s.io/client-go/plugin/pkg/client/auth" // credential plugins

	"github.com/ktail/ktail/pkg/ktail"
	"github.com/ktail/ktail/pkg/kube"
	"github.com/ktail/ktail/pkg/output"
	"github.com/ktail/ktail/pkg/stdin"
	"github.com/ktail/ktail/pkg/tail"
)

func newCommand(s streams) *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:   "ktail QUERY...",
		Short: "Follow the logs of many pods at once",
		Long: `ktail follows the logs of all pods that match, merged by time into one stream.
It goes on through restarts of pods, kubelets and the control plane: each line
is shown once, and where lines are missing it says so.

A QUERY is a regular expression that is found in a pod's name; or kind/name, the
pods of a Deployment, Service, CronJob or any other object that has some; or
@name, a preset of the config file.`,
		Example: `  ktail web                       pods with "web" in their name
  ktail deploy/web cj/backup      those of a Deployment and of a CronJob
  ktail ^api- -n prod,staging     in two namespaces; -A is all of them
  ktail -l app=web -c nginx       by label, and only containers called so
  ktail . --node worker-1         all that run on a node
  ktail web -i error -e healthz   only lines with "error", and not "healthz"
  ktail web --tail 10             begin with the last ten lines of each log
  ktail web --since 1h --no-follow
                                  the lines of an hour in their order, then end
  ktail web -t=short -H 'id=\d+'  with times, and something highlighted
  ktail web -o raw >web.log       the lines alone
  ktail web -o json | jq .labels  one JSON object a line
  ktail --stdin -i error <a.log   lines of a file
  ktail @payments --since 5m      a preset, and more`,
		Version:       build(),
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE: func(cmd *cobra.Command, args []string) error {
			if done, err := o.runInfoFlag(cmd, s.Out); done || err != nil {
				return err
			}
			queries, err := o.configure(cmd.Flags(), args, s.Env)
			if err != nil {
				return err
			}
			if o.elastic.resend != "" {
				return o.withFlagOrigin(runResend(cmd.Context(), s, &o))
			}
			return o.withFlagOrigin(runTail(cmd.Context(), s, &o, queries))
		},
	}
	cmd.SetOut(s.Out)
	cmd.SetErr(s.ErrOut)
	cmd.Flags().SortFlags = false
	o.addFlags(cmd.Flags())
	cmd.SetHelpFunc(func(cmd *cobra.Command, _ []string) {
		cmd.Print(help(cmd, helpColumns(s)))
	})
	if err := (&completer{&o, s.Env}).register(cmd); err != nil {
		panic(err) // a flag that is not declared
	}
	return cmd
}

// runTail wires what the options say and runs it.
func runTail(ctx context.Context, s streams, o *options, queries []string) error {
	if err := o.complete(queries); err != nil {
		return err
	}
	if err := o.setVerbosity(s.ErrOut); err != nil {
		return err
	}
	watcher, messages, err := o.newWatcher(ctx, s)
	if err != nil {
		return err
	}
	renderer, err := o.renderer(s, o.showNamespace(), o.allNamespaces, messages.unrendered)
	if err != nil {
		return err
	}
	if r, ok := renderer.(interface{ Expect(*ktail.Stream) }); ok {
		messages.expect = r.Expect
	}
	t := tail.Tailer{
		Watchers:    []ktail.Watcher{watcher},
		Filters:     o.filters(),
		Sink:        &output.Writer{Out: s.Out, Renderer: renderer, Notice: messages.notice},
		Once:        o.noFollow,
		MergeWindow: o.mergeWindow,
		MaxStreams:  max(o.maxLogRequests, 0),
		OnEvent:     messages.event,
	}
	if o.elastic.enabled() {
		return runForwarding(ctx, s, o, messages, &t)
	}
	return t.Run(ctx)
}

// newWatcher returns the watcher that finds the logs: in a cluster, or on stdin.
func (o *options) newWatcher(ctx context.Context, s streams) (ktail.Watcher, *messenger, error) {
	if o.stdin {
		o.noFollow, o.mergeWindow = true, 0 // it has an end, and nothing to merge with
		o.namespaces("")
		return &stdin.Watcher{In: s.In}, newMessenger(s, o), nil
	}
	client, err := o.connect()
	if err != nil {
		return nil, nil, err
	}
	o.namespaces(client.Namespace)
	if o.prompt {
		if err := o.promptSelection(ctx, client, s); err != nil {
			return nil, nil, err
		}
	}
	messages := newMessenger(s, o)
	return &noMatchReporter{
		Watcher: &kube.Watcher{Client: client, Selection: o.selection, Options: o.log, Warn: messages.warn},
		client:  client, o: o, printf: messages.printf,
	}, messages, nil
}
