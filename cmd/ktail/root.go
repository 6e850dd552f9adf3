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
		Long: `ktail follows the logs of every pod that matches, merged by time into one stream.
It goes on through restarts of pods, kubelets and the control plane: each line is
shown once, and where lines are missing it says so.

A QUERY is a regular expression that a pod's name must match somewhere, or
kind/name: the pods of a Deployment, Service, CronJob or any other object that has some.`,
		Example: `  ktail web                    all pods whose name contains "web"
  ktail deploy/web cj/backup   the pods of a Deployment, and those of a CronJob
  ktail ^api- -n prod,staging  in two namespaces
  ktail . -l app=web -c nginx  by label, only the containers that match nginx
  ktail . -A --since 5m        of all namespaces, lines of the last five minutes and all to come
  ktail web --no-follow        what there is now, in the order of time`,
		Version:       version,
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE: func(cmd *cobra.Command, args []string) error {
			if done, err := o.aside(cmd, s.Out); done || err != nil {
				return err
			}
			queries, err := o.configure(cmd.Flags(), args, s.Env)
			if err != nil {
				return err
			}
			return o.blame(runTail(cmd.Context(), s, &o, queries))
		},
	}
	cmd.SetOut(s.Out)
	cmd.SetErr(s.ErrOut)
	cmd.Flags().SortFlags = true
	o.addFlags(cmd.Flags())
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
	watcher, talk, err := o.origin(ctx, s)
	if err != nil {
		return err
	}
	renderer, err := o.renderer(s, o.showNamespace(), o.allNamespaces, talk.unrendered)
	if err != nil {
		return err
	}
	if r, ok := renderer.(interface{ Expect(*ktail.Stream) }); ok {
		talk.expect = r.Expect
	}
	t := tail.Tailer{
		Watchers:    []ktail.Watcher{watcher},
		Filters:     o.filters(),
		Sink:        &output.Writer{Out: s.Out, Renderer: renderer, Notice: talk.notice},
		Once:        o.noFollow,
		MergeWindow: o.mergeWindow,
		MaxStreams:  max(o.maxLogRequests, 0),
		Tell:        talk.event,
	}
	return t.Run(ctx)
}

// origin returns what finds the logs: a cluster, or stdin.
func (o *options) origin(ctx context.Context, s streams) (ktail.Watcher, *talk, error) {
	if o.stdin {
		o.noFollow, o.mergeWindow = true, 0 // it has an end, and nothing to merge with
		o.namespaces("")
		return &stdin.Watcher{In: s.In}, newTalk(s, o), nil
	}
	client, err := o.connect()
	if err != nil {
		return nil, nil, err
	}
	o.namespaces(client.Namespace)
	if o.prompt {
		if err := o.choose(ctx, client, s); err != nil {
			return nil, nil, err
		}
	}
	talk := newTalk(s, o)
	return &hinter{
		Watcher: &kube.Watcher{Client: client, Selection: o.selection, Options: o.log, Warn: talk.warn},
		client:  client, o: o, say: talk.say,
	}, talk, nil
}
