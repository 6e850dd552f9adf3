// Bench compares ktail on the real API server of test/cluster with stern,
// kubectl, curl, and a bare client in the same run. It runs several rounds, and
// in each round one program after another. It measures whole processes and
// writes the results to a Markdown file. It also compares forwarding with
// rsyslog, without the cluster.
//
//	make bench                        set up, start, measure, write BENCHMARKS.md
//	bench -only delay,window          some of it, on a cluster that is up
//	bench -only forward               what needs no cluster
//
// Without -only, it takes about 25 minutes. For comparable figures,
// the machine must be otherwise idle.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"
)

// section is one part of the report.
type section struct {
	name    string
	title   string
	measure func(*bench, context.Context, *strings.Builder) error
	local   bool // needs no cluster
}

var sections = []section{
	{"history", "A million past lines", (*bench).history, false},
	{"forms", "The same lines in other formats", (*bench).forms, false},
	{"streams", "The same lines in few and in many logs", (*bench).streams, false},
	{"one", "One pod with one line", (*bench).one, false},
	{"follow", "A thousand pods followed", (*bench).follow, false},
	{"delay", "From the container's write to stdout", (*bench).delay, false},
	{"busy", "One busy container among a hundred quiet ones", (*bench).busy, false},
	{"blocked", "A thousand logs with a blocked output", (*bench).blocked, false},
	{"window", "Effect of the merge window", (*bench).window, false},
	{"nodes", "A watcher on each of a thousand nodes", (*bench).nodes, false},
	{"rules", "Metrics from lines", (*bench).rules, false},
	{"memory", "Memory of bursts and of a blocked output", (*bench).memory, true},
	{"forward", "Lines forwarded to a search server", (*bench).forward, true},
	{"files", "Log files of a node", (*bench).files, true},
	{"metrics", "Metrics from log files", (*bench).metrics, true},
	{"page", "The page", (*bench).page, true},
	{"soak", "Pods that come and go", (*bench).soak, true},
	{"size", "Size", (*bench).size, true},
}

// bench holds what all sections share.
type bench struct {
	*cluster
	self, ktail, stern string         // paths of programs
	rounds             int            // number of rounds of short runs
	pods               int            // number of pods that log in turn
	programs           *regexp.Regexp // names of the programs to measure
	length             time.Duration  // of the section soak
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) > 1 && args[0] == launchArg {
		return launch(args[1], args[2:])
	}
	if len(args) == 1 && args[0] == sinkArg {
		return serveSink()
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if len(args) == 1 && args[0] == watchersArg {
		return watchNodes(ctx)
	}
	b := &bench{}
	fs := flag.NewFlagSet("bench", flag.ExitOnError)
	fs.StringVar(&b.ktail, "ktail", "./ktail", "program to measure")
	fs.StringVar(&b.stern, "stern", ".bin/stern-v1.34.0", "stern to compare with")
	fs.IntVar(&b.rounds, "rounds", 3, "number of rounds, at most two for long runs; tables show the medians")
	fs.IntVar(&b.pods, "pods", 200, "pods that log in turn, in the section memory")
	fs.DurationVar(&b.length, "soak", 10*time.Minute, "length of the section soak, which is measured only if -only names it")
	only := fs.String("only", "", "sections to measure, separated by commas: "+strings.Join(names(), ", "))
	programs := fs.String("programs", "", "regular expression: names, as in the tables, of the programs to measure")
	keep := fs.Bool("keep", false, "leave the pods and their logs, for a profile or another run")
	out := fs.String("out", "", "file whose sections are replaced (default: stdout)")
	bare := fs.Bool("bare", false, "act as the bare client for comparison: follow the logs of NAMESPACE:PODS...")
	if err := fs.Parse(args); err != nil {
		return err
	}
	chosen := slices.DeleteFunc(names(), func(name string) bool { return name == "soak" })
	if *only != "" {
		chosen = strings.Split(*only, ",")
	}
	var err error
	b.cluster = &cluster{}
	if *bare || slices.ContainsFunc(sections, func(s section) bool { return !s.local && slices.Contains(chosen, s.name) }) {
		if b.cluster, err = openCluster(); err != nil {
			return err
		}
	}
	if *bare {
		return b.bare(ctx, os.Stdout, fs.Args())
	}
	if b.self, err = os.Executable(); err != nil {
		return err
	}
	if b.ktail, err = filepath.Abs(b.ktail); err != nil {
		return err
	}
	if b.programs, err = regexp.Compile(*programs); err != nil {
		return err
	}
	err = b.measure(ctx, chosen, *out)
	if *keep {
		return err
	}
	return errors.Join(err, b.clean())
}

func names() []string {
	all := make([]string, len(sections))
	for i, s := range sections {
		all[i] = s.name
	}
	return all
}

// few returns the number of rounds for long runs.
func (b *bench) few() int { return min(b.rounds, 2) }

// chosen returns the selected programs.
func (b *bench) chosen(all []program) []program {
	return slices.DeleteFunc(slices.Clone(all), func(p program) bool { return !b.programs.MatchString(p.name) })
}

// measure measures the chosen sections and reports them.
func (b *bench) measure(ctx context.Context, chosen []string, out string) error {
	r := report{}
	for _, s := range sections {
		if !slices.Contains(chosen, s.name) {
			continue
		}
		fmt.Fprintf(os.Stderr, "# %s\n", s.title)
		var text strings.Builder
		if err := s.measure(b, ctx, &text); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		r[s.title] = text.String()
		fmt.Fprint(os.Stderr, text.String())
	}
	if out == "" {
		return nil
	}
	return r.write(ctx, out, b)
}
