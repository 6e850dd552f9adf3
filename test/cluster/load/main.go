// Load creates thousands of fake pods for kwok, writes their logs, and follows
// them over plain HTTP for comparison.
//
//	load manifest -pods N [-nodes M] [-ns NS]   print a JSON list for kubectl create -f -
//	load feed -pods N -rate R [-for 30s]        append R lines a second to each log
//	load follow -pods N -for 30s [-ns NS]       follow each log and print how that went
//
// The log of pod p-0007 is DIR/p-0007/c.log. Each pod has its own directory,
// because kwok watches directories and would wake up every follower of a shared
// one for each line.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// options are the options of all commands.
type options struct {
	pods  int
	nodes int
	dir   string
	ns    string
	rate  float64
	size  int
	dur   time.Duration

	spread bool
	stamp  bool
}

// podName returns the name of the i-th pod.
func podName(i int) string { return fmt.Sprintf("p-%04d", i) }

// logFile returns the log file of the i-th pod.
func (o *options) logFile(i int) string {
	return filepath.Join(o.dir, podName(i), "c.log")
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	commands := map[string]func(*options) error{"manifest": manifest, "feed": feed, "follow": follow}
	if len(args) == 0 || commands[args[0]] == nil {
		return fmt.Errorf("usage: load manifest|feed|follow [-h]")
	}
	var o options
	fs := flag.NewFlagSet("load "+args[0], flag.ExitOnError)
	fs.IntVar(&o.pods, "pods", 200, "number of pods")
	fs.IntVar(&o.nodes, "nodes", 2, "number of nodes")
	fs.StringVar(&o.dir, "dir", filepath.Join(os.Getenv("TESTCLUSTER_WORK"), "state/kwoklogs"), "directory of the logs")
	fs.StringVar(&o.ns, "ns", "fake", "namespace")
	fs.Float64Var(&o.rate, "rate", 1, "lines per second and pod")
	fs.IntVar(&o.size, "size", 100, "bytes of padding in each line")
	fs.BoolVar(&o.spread, "spread", false, "write the logs at different times instead of all at once")
	fs.BoolVar(&o.stamp, "stamp", false, "write the time in each line, as at=NANOSECONDS")
	fs.DurationVar(&o.dur, "for", 0, "duration; 0 means until interrupted")
	if err := fs.Parse(args[1:]); err != nil {
		return err
	}
	return commands[args[0]](&o)
}
