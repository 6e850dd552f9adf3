package main

import (
	"context"
	"errors"
	"slices"

	"github.com/spf13/cobra"
	_ "k8s.io/client-go/plugin/pkg/client/auth" // credential plugins

	"github.com/ktail/ktail/pkg/ktail"
	"github.com/ktail/ktail/pkg/output"
	"github.com/ktail/ktail/pkg/tail"
)

const (
	shortText = "Tail the logs of many Kubernetes pods, merged in time order"

	longText = `Tail the logs of all matching pods and merge them, in time order, into one
stream. ktail keeps following when pods, the kubelet, or the control plane
restart. Each line is printed once; missing lines are reported as a gap.

QUERY is a regular expression matched against pod names, KIND/NAME (the pods of
a Deployment, Service, CronJob, or any other object that selects or owns pods),
or @PRESET from the config file.`

	exampleText = `  # Pods whose name contains "web"
  ktail web
  # The pods of a Deployment and of a CronJob
  ktail deploy/web cj/backup
  # Two namespaces (use -A for all)
  ktail ^api- -n prod,staging
  # Select by label; only containers named nginx
  ktail -l app=web -c nginx
  # Print the last hour in order, then exit
  ktail web --since 1h --no-follow
  # All pods on a node
  ktail . --node worker-1
  # Only lines with "error", but not those with "healthz"
  ktail web -i error -e healthz
  # Start with the last ten lines of each log
  ktail web --tail 10
  # Add timestamps and highlight IDs
  ktail web -t=short -H 'id=\d+'
  # Only the messages
  ktail web -o raw >web.log
  # One JSON object per line
  ktail web -o json | jq .labels
  # Filter a file
  ktail --stdin -i error <a.log
  # A preset with an extra flag
  ktail @payments --since 5m`
)

func newCommand(s streams) *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:                   "ktail [QUERY...] [flags]",
		DisableFlagsInUseLine: true,
		Short:                 shortText,
		Long:                  longText,
		Example:               exampleText,
		Version:               versionString(),
		SilenceErrors:         true,
		SilenceUsage:          true,
		RunE: func(cmd *cobra.Command, args []string) error {
			if done, err := o.runInfoFlag(cmd, s.Out); done || err != nil {
				return err
			}
			queries, err := o.configure(cmd.Flags(), args, s.Env)
			if err != nil {
				return err
			}
			if o.kibana.file != "" {
				return o.withFlagOrigin(o.writeKibanaFile())
			}
			if o.elastic.resend != "" {
				return o.withFlagOrigin(runResend(cmd.Context(), s, o))
			}
			return o.withFlagOrigin(runTail(cmd.Context(), s, o, queries))
		},
	}
	cmd.SetOut(s.Out)
	cmd.SetErr(s.ErrOut)
	cmd.Flags().SortFlags = false
	o.addFlags(cmd.Flags())
	cmd.InitDefaultHelpFlag()
	cmd.InitDefaultVersionFlag()
	cmd.Flags().Lookup("help").Usage = "Print a summary; --help describes all flags"
	cmd.Flags().Lookup("version").Usage = "Print the version"
	cmd.SetHelpFunc(func(cmd *cobra.Command, args []string) {
		cmd.Print(helpFor(cmd, args, helpColumns(s)))
	})
	cmd.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return flagError(cmd.Flags(), err)
	})
	if err := (&completer{&o, s.Env}).register(cmd); err != nil {
		panic(err) // the flag is not declared
	}
	return cmd
}

// runTail runs ktail as the options describe.
func runTail(ctx context.Context, s streams, o options, queries []string) error {
	if err := o.setVerbosity(s.ErrOut); err != nil {
		return err
	}
	p, err := newPlan(ctx, s, o, queries)
	if err != nil {
		return err
	}
	command := p.pagerFlags.command(s)
	if command == "" || p.elastic.quiet {
		return runPrinting(ctx, s, p)
	}
	pager, err := startPager(command, s)
	if err != nil {
		return err
	}
	s = pager.streams(s)
	if err = o.setVerbosity(s.ErrOut); err == nil {
		p.pagerRuns = true
		err = runPrinting(ctx, s, p)
	}
	return pager.finish(err, s.ErrOut)
}

// runPrinting runs the plan until its end or until the reader of the output has
// exited.
func runPrinting(ctx context.Context, s streams, p plan) error {
	if !p.elastic.quiet {
		var stop context.CancelFunc
		ctx, stop = untilReaderGone(ctx, s)
		defer stop()
	}
	out := startInterruptibleWriter(ctx, s.Out, shutdownGrace)
	defer out.close()
	s.Out = out
	if s.AwaitEnter != nil && !p.stdin && !p.elastic.quiet {
		screen := newScreen(out, p.separator)
		defer screen.close()
		s.Out = screen
		go screen.separateOnEnter(ctx, s.AwaitEnter)
	}
	err := runPlan(ctx, s, p)
	if err == nil && errors.Is(context.Cause(ctx), errReaderGone) {
		return errReaderGone
	}
	return err
}

// runPlan connects the parts of a run according to the plan, and runs it.
func runPlan(ctx context.Context, s streams, p plan) error {
	messages := newMessenger(s, p)
	renderer, err := p.renderer(s, p.showNamespace, p.allNamespaces, messages.unrendered)
	if err != nil {
		return err
	}
	if r, ok := renderer.(interface{ Expect(*ktail.Stream) }); ok {
		messages.expect = r.Expect
	}
	page, err := p.startPage(ctx, s, messages)
	if err != nil {
		return err
	}
	defer page.close()
	sink := page.with(p.terminalSink(s, renderer, messages))
	t := tail.Tailer{
		Filters:     p.filters,
		GapFilter:   p.gapFilter(),
		Sink:        sink,
		Once:        p.noFollow,
		MergeWindow: p.mergeWindow,
		MaxStreams:  max(p.maxLogRequests, 0),
		OnEvent:     messages.event,
	}
	if t.MaxStreams > 0 && p.events.read {
		t.MaxStreams++ // events take the place of a log
	}
	if p.kibana.url != "" {
		setUpKibana(ctx, s, p, messages)
	}
	continued := func(live ktail.Watcher) ktail.Watcher { return live }
	if p.history.enabled() {
		history, err := runHistory(ctx, s, p, messages, sink)
		if err != nil || p.noFollow || ctx.Err() != nil {
			if err = errors.Join(err, sink.Close(context.WithoutCancel(ctx))); err == nil {
				err = page.stay(ctx)
			}
			return err
		}
		t.Start = history.Position
		t.Filters = append(slices.Clip(t.Filters), history.IsNew)
		continued = history.Continue
	}
	metering, err := newMetering(s, p, messages)
	if err != nil {
		return err
	}
	probes, err := p.startProbes(ctx, metering, messages)
	if err != nil {
		return errors.Join(err, metering.close())
	}
	defer probes.close()
	t.Watchers = []ktail.Watcher{probes.observe(continued(p.limitRate(p.newWatcher(s, messages), messages)))}
	if len(p.nodes.queries) > 0 && !p.nodes.only {
		t.Watchers = append(t.Watchers, p.newSystemWatcher(messages))
	}
	metering.meter(&t)
	err = metering.run(ctx, func(ctx context.Context) error {
		return p.holdingLease(ctx, messages, func(ctx context.Context) error {
			if p.elastic.enabled() {
				return runForwarding(ctx, s, p, messages, &t, probes)
			}
			return p.run(ctx, s, messages, &t)
		})
	})
	if err != nil {
		return err
	}
	return page.stay(ctx)
}

// terminalSink returns the sink that prints lines, or with --quiet only what is not a
// line.
func (p plan) terminalSink(s streams, renderer ktail.Renderer, messages *messenger) ktail.Sink {
	if p.elastic.quiet {
		return &notices{report: messages.notice}
	}
	return &output.Writer{Out: s.Out, Renderer: renderer, Notice: messages.notice}
}
