package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/pflag"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/ktail/ktail/pkg/kube"
)

// options are the flags, in the types that the rest of the program takes.
type options struct {
	selectFlags
	programFlags
	configFlags

	log      kube.LogOptions
	noFollow bool

	lineOptions
	onlyLogLines bool

	maxLogRequests int
	mergeWindow    time.Duration
	limit          kube.RateLimit

	elastic elasticOptions

	loading   *clientcmd.ClientConfigLoadingRules
	overrides clientcmd.ConfigOverrides
}

// noLimit is the --max-log-requests of who does not give it.
const noLimit = -1

// addFlags declares each flag, next to what it sets, in the order of the help.
// Names, shorthands and meanings are stern's.
func (o *options) addFlags(fs *pflag.FlagSet) {
	inSection(sectionSelection, fs, o.selectFlags.addFlags)
	inSection(sectionFiltering, fs, o.addLogFlags)
	inSection(sectionFiltering, fs, o.addFilterFlags)
	inSection(sectionOutput, fs, o.addLookFlags)
	inSection(sectionForwarding, fs, o.elastic.addFlags)
	inSection(sectionLimits, fs, o.addSpeedFlags)
	inSection(sectionCluster, fs, o.addConnectionFlags)
	inSection(sectionGeneral, fs, o.configFlags.addFlags)
	inSection(sectionGeneral, fs, o.programFlags.addFlags)
}

func (o *options) addLogFlags(fs *pflag.FlagSet) {
	fs.Int64Var(&o.log.Tail, "tail", -1,
		"Last lines to show of each log; -1 is all. A container born later is shown from its first line.")
	fs.DurationVarP(&o.log.Since, "since", "s", 48*time.Hour,
		"Age of the oldest lines to show, like 5s, 2m or 3h; 0 is any. A container born later is shown from its first line.")
	fs.BoolVar(&o.noFollow, "no-follow", false,
		"Exit when all logs have been shown.")
	fs.BoolVar(&o.onlyLogLines, "only-log-lines", false,
		"Say nothing of containers that come and go.")
}

func (o *options) addSpeedFlags(fs *pflag.FlagSet) {
	fs.IntVar(&o.maxLogRequests, "max-log-requests", noLimit,
		"Logs to read at a time; others wait until one ends. -1 is no limit.")
	fs.DurationVar(&o.mergeWindow, "merge-window", 50*time.Millisecond,
		"Time that a line may wait for an earlier one of another container. 0 shows lines as they arrive. With --no-follow the order is exact.")
	fs.Float32Var(&o.limit.QPS, "qps", 0,
		"Requests to the API server a second. 0 and -1 are as many as it takes: it protects itself.")
	fs.IntVar(&o.limit.Burst, "burst", 0,
		"Requests at once in spite of --qps; 0 is 10.")
}

// addConnectionFlags declares kubectl's flags that say how to reach a cluster.
func (o *options) addConnectionFlags(fs *pflag.FlagSet) {
	o.loading = clientcmd.NewDefaultClientConfigLoadingRules()
	fs.StringVar(&o.loading.ExplicitPath, "kubeconfig", "", "Kubeconfig file to use. Default: $KUBECONFIG, or ~/.kube/config.")
	connection := pflag.NewFlagSet("connection", pflag.ContinueOnError)
	names := clientcmd.RecommendedConfigOverrideFlags("")
	names.ContextOverrideFlags.Namespace = clientcmd.FlagInfo{} // ours takes several
	clientcmd.BindOverrideFlags(&o.overrides, connection, names)
	connection.Var(&userExtraValue{&o.overrides.AuthInfo}, "as-user-extra",
		"What else is to be known of the user of --as, key=value; may be repeated.")
	connection.VisitAll(func(f *pflag.Flag) {
		f.Shorthand = "" // -s is --since
		if f.Name == "context" {
			f.Usage = "Context of the kubeconfig to use."
			return
		}
		f.Hidden = true
		excludeSources([]string{environment}, connection, f.Name)
	})
	connection.String("cache-dir", "", "Of no effect: nothing is cached. Accepted since kubectl has it.")
	connection.Lookup("cache-dir").Hidden = true
	fs.AddFlagSet(connection)
}

// complete checks what flags and arguments say together.
func (o *options) complete(queries []string) error {
	if err := o.lineOptions.complete(); err != nil {
		return err
	}
	if err := o.elastic.complete(); err != nil {
		return err
	}
	if o.stdin && o.elastic.resume {
		return errors.New("--resume and --stdin do not go together: stdin cannot be read again")
	}
	if o.stdin { // the rest is about clusters
		return nil
	}
	if err := o.selectFlags.complete(queries); err != nil {
		return err
	}
	if o.selection.Condition != nil && o.log.Tail != 0 && !o.noFollow {
		return errors.New("--condition needs --no-follow, or --tail=0: a pod that gets into the condition again would be shown again")
	}
	if o.noFollow && o.log.Tail == 0 {
		return errors.New("--no-follow with --tail=0 would show nothing")
	}
	if o.maxLogRequests == 0 || o.maxLogRequests < noLimit {
		return fmt.Errorf("--max-log-requests is %d: give a number of logs, or -1 for no limit", o.maxLogRequests)
	}
	if o.log.Tail < -1 {
		return fmt.Errorf("--tail is %d: give a number of lines, or -1 for all", o.log.Tail)
	}
	if o.log.Since < 0 {
		return fmt.Errorf("--since is %s: give an age, like 5m", o.log.Since)
	}
	if o.mergeWindow < 0 {
		return fmt.Errorf("--merge-window is %s: give a time to wait, like 50ms, or 0", o.mergeWindow)
	}
	if o.noFollow {
		o.mergeWindow = -1 // as long as it takes
	}
	o.log.Follow = !o.noFollow
	return nil
}
