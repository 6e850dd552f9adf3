package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/pflag"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/ktail/ktail/pkg/kube"
)

// options are the values of all flags. They are set by the command line,
// presets, the environment, and the config file, and do not change afterwards.
// A plan holds what follows from them.
type options struct {
	selectFlags
	logFlags
	lineFlags
	elastic elasticOptions
	history historyFlags
	kibana  kibanaFlags
	webFlags
	pagerFlags
	limitFlags
	shareFlags
	connectionFlags
	podLogsFlags
	nodes nodeFlags
	listenFlags
	metrics metricsFlags
	configFlags
	programFlags
	kubectlFlags
}

// addFlags declares all flags, in the order of the help. Names, shorthands, and
// meanings are those of stern.
func (o *options) addFlags(fs *pflag.FlagSet) {
	inSection(sectionSelection, fs, o.selectFlags.addFlags)
	inSection(sectionSelection, fs, o.nodes.addFlags)
	inSection(sectionFiltering, fs, o.logFlags.addFlags)
	inSection(sectionFiltering, fs, o.addFilterFlags)
	inSection(sectionOutput, fs, o.addOutputFlags)
	inSection(sectionForwarding, fs, o.elastic.addFlags)
	inSection(sectionHistory, fs, o.history.addFlags)
	inSection(sectionHistory, fs, o.kibana.addFlags)
	inSection(sectionOutput, fs, o.pagerFlags.addFlags)
	inSection(sectionOutput, fs, o.webFlags.addFlags)
	inSection(sectionMetrics, fs, o.metrics.addFlags)
	inSection(sectionLimits, fs, o.limitFlags.addFlags)
	inSection(sectionLimits, fs, o.shareFlags.addFlags)
	inSection(sectionCluster, fs, o.connectionFlags.addFlags)
	inSection(sectionCluster, fs, o.podLogsFlags.addFlags)
	inSection(sectionGeneral, fs, o.configFlags.addFlags)
	inSection(sectionGeneral, fs, o.listenFlags.addFlags)
	inSection(sectionGeneral, fs, o.programFlags.addFlags)
	inSection(sectionKubectl, fs, o.kubectlFlags.addFlags)
}

// validate checks the flags that depend on each other, without the cluster.
func (o options) validate() error {
	switch {
	case o.follow && o.noFollow:
		return errors.New("--follow cannot be combined with --no-follow")
	case o.elastic.resume && !o.elastic.enabled() && !o.metrics.enabled():
		return errors.New("--resume requires --elasticsearch or metrics (--metrics-listen, --metrics-push, --metrics-file)")
	case o.metrics.state != "" && !o.elastic.resume:
		return errors.New("--metrics-state requires --resume")
	case o.stdin && o.elastic.resume:
		return errors.New("--resume cannot be combined with --stdin, which cannot be read again")
	case o.until.isSet() && o.elastic.resume:
		return errors.New("--until cannot be combined with --resume, which would never deliver the later lines")
	case o.history.enabled() && o.noFollow && o.metrics.enabled():
		return errors.New("metrics cannot be combined with --history --no-follow: forwarded lines are not counted")
	case o.stdin && o.history.enabled():
		return errors.New("--history cannot be combined with --stdin")
	case o.stdin: // all other flags about Kubernetes are ignored
		return nil
	case o.base.Condition != nil && o.tail != 0 && !o.noFollow:
		return errors.New("--condition requires --no-follow or --tail=0, because a pod that meets the condition again would be shown twice")
	}
	return errors.Join(o.logFlags.validate(), o.kibana.validate(), o.limitFlags.validate(), o.shareFlags.validate(o.readsFiles()), o.validatePodLogs())
}

// logFlags select the part of each log to read.
type logFlags struct {
	tail         int64
	since        moment
	sinceTime    moment
	until        moment
	noFollow     bool
	previous     bool
	rotated      bool
	events       eventsValue
	onlyLogLines bool
}

func (f *logFlags) addFlags(fs *pflag.FlagSet) {
	fs.Int64Var(&f.tail, "tail", -1,
		"Number of recent lines to show from each log, or -1 for all. Containers that start later are shown from the beginning `NUMBER`")
	f.since = moment{text: "48h", isDefault: true}
	fs.VarP(&f.since, "since", "s",
		"Only show lines newer than this, such as 5m, 1d, or 22:50. Also accepts today, \"yesterday 10:00\", \"2026-01-31 22:50\", and "+
			"2026-01-31T22:50:00Z (0: no limit). Containers that start later are shown from the beginning")
	fs.Var(&f.sinceTime, "since-time",
		"Same as --since, for users of kubectl. Overrides --since")
	fs.Var(&f.until, "until",
		"Only show lines older than this, in the form of --since. A time in the past implies --no-follow; "+
			"at a time in the future, such as 23:30 or +10m, ktail exits")
	fs.BoolVar(&f.noFollow, "no-follow", false,
		"Print the lines that exist, then exit")
	fs.BoolVarP(&f.previous, "previous", "P", false,
		"Start with the previous instance of each container that was restarted. --since and --tail apply to both instances")
	fs.BoolVar(&f.rotated, "rotated", false,
		"Also read the log files that the node has rotated. Gaps are filled from them. --since and --tail apply to all files together. "+
			"--previous includes the files of all earlier instances. Requires permission to get nodes/proxy, which also allows running commands in pods")
	fs.Var(&f.events, "events",
		"Show Kubernetes events of the selected pods and owners. By default, only warnings and events that explain why a container ended; --events=all shows all, and those of the nodes on which the pods run. "+
			"They are printed to stderr or, with -o json, to stdout as objects with the key event")
	fs.Lookup("events").NoOptDefVal = "important"
	fs.BoolVar(&f.onlyLogLines, "only-log-lines", false,
		"Do not report containers that start or stop")
}

func (f logFlags) validate() error {
	switch {
	case f.noFollow && f.tail == 0:
		return errors.New("--no-follow cannot be combined with --tail=0: there would be nothing to show")
	case f.tail < -1:
		return fmt.Errorf("invalid --tail %d: must be a number of lines, or -1 for all", f.tail)
	}
	return nil
}

// limitFlags bound what ktail reads at once and how long it waits to sort lines.
type limitFlags struct {
	maxLogRequests int
	mergeWindow    durationValue
	rate           kube.RateLimit
}

// noLimit is the default of --max-log-requests.
const noLimit = -1

func (f *limitFlags) addFlags(fs *pflag.FlagSet) {
	fs.IntVar(&f.maxLogRequests, "max-log-requests", noLimit,
		"Maximum number of logs to read at once; the others wait (-1: no limit) `NUMBER`")
	f.mergeWindow = durationValue(50 * time.Millisecond)
	fs.Var(&f.mergeWindow, "merge-window",
		"Time to wait for earlier lines of other containers. 0 prints lines as they arrive; with --no-follow, the order is exact")
	fs.Float32Var(&f.rate.QPS, "qps", 0,
		"Maximum number of API requests per second (0 or -1: no limit; the server applies its own) `NUMBER`")
	fs.IntVar(&f.rate.Burst, "burst", 0,
		"Number of API requests allowed at once above --qps (0: 10) `NUMBER`")
}

func (f limitFlags) validate() error {
	switch {
	case f.maxLogRequests == 0 || f.maxLogRequests < noLimit:
		return fmt.Errorf("invalid --max-log-requests %d: must be at least 1, or -1 for no limit", f.maxLogRequests)
	case f.mergeWindow < 0:
		return fmt.Errorf("invalid --merge-window %s: must not be negative", &f.mergeWindow)
	}
	return nil
}

// connectionFlags select the cluster, as in kubectl.
type connectionFlags struct {
	loading   *clientcmd.ClientConfigLoadingRules
	overrides clientcmd.ConfigOverrides
}

// addFlags declares kubectl's flags for the connection. Most are hidden.
func (f *connectionFlags) addFlags(fs *pflag.FlagSet) {
	f.loading = clientcmd.NewDefaultClientConfigLoadingRules()
	fs.StringVar(&f.loading.ExplicitPath, "kubeconfig", "",
		"Kubeconfig file to use (default: $KUBECONFIG or ~/.kube/config) `FILE`")
	connection := pflag.NewFlagSet("connection", pflag.ContinueOnError)
	names := clientcmd.RecommendedConfigOverrideFlags("")
	names.ContextOverrideFlags.Namespace = clientcmd.FlagInfo{} // ktail's own flag accepts several
	clientcmd.BindOverrideFlags(&f.overrides, connection, names)
	connection.Var(&userExtraValue{&f.overrides.AuthInfo}, "as-user-extra",
		"Extra attribute of the user to impersonate (can be repeated)")
	connection.VisitAll(func(f *pflag.Flag) {
		f.Shorthand = "" // -s is --since
		if f.Name == "context" {
			f.Usage = "Context of the kubeconfig to use `CONTEXT`"
			return
		}
		f.Hidden = true
		excludeSources([]string{environment}, connection, f.Name)
	})
	connection.String("cache-dir", "", "Has no effect, because ktail caches nothing")
	connection.Lookup("cache-dir").Hidden = true
	fs.AddFlagSet(connection)
}
