package main

import (
	"context"

	"github.com/spf13/cobra"
	_ "k8s.io/client-go/plugin/pkg/client/auth" // credential plugins

	"github.com/ktail/ktail/pkg/ktail"
	"github.com/ktail/ktail/pkg/kube"
	"github.com/ktail/ktail/pkg/output"
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
			if err := o.complete(args); err != nil {
				return err
			}
			return runTail(cmd.Context(), s, &o)
		},
	}
	cmd.SetOut(s.Out)
	cmd.SetErr(s.ErrOut)
	cmd.Flags().SortFlags = true
	o.addFlags(cmd.Flags())
	if err := (&completer{&o}).register(cmd); err != nil {
		panic(err) // a flag that is not declared
	}
	return cmd
}

// runTail wires what the options say and runs it.
func runTail(ctx context.Context, s streams, o *options) error {
	client, err := o.connect()
	if err != nil {
		return err
	}
	o.namespaces(client.Namespace)
	if o.prompt {
		if err := o.choose(ctx, client, s); err != nil {
			return err
		}
	}
	talk := newTalk(s, o)
	t := tail.Tailer{
		Watchers: []ktail.Watcher{&hinter{
			Watcher: &kube.Watcher{Client: client, Selection: o.selection, Options: o.log, Warn: talk.warn},
			client:  client, o: o, say: talk.say,
		}},
		Sink: &output.Writer{
			Out:      s.Out,
			Renderer: o.output.renderer(output.Style{Color: o.color.Enabled(s.OutTTY, s.Env), Namespace: o.showNamespace()}),
			Notice:   talk.notice,
		},
		Once:        o.noFollow,
		MergeWindow: o.mergeWindow,
		MaxStreams:  max(o.maxLogRequests, 0),
		Tell:        talk.event,
	}
	return t.Run(ctx)
}
