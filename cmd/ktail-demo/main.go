// Command ktail-demo runs ktail on a made-up cluster and checks that it prints
// each line exactly once and in order.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/mattn/go-isatty"

	"github.com/ktail/ktail/internal/demo"
)

func main() {
	ktail := flag.String("ktail", "./ktail", "path of the ktail binary")
	web := flag.Bool("web", false, "show the lines on a page in the browser instead of printing them")
	color := flag.Bool("color", false, "use colors even if stdout is not a terminal")
	flag.Usage = func() {
		_, _ = fmt.Fprintln(flag.CommandLine.Output(), "Runs ktail on a made-up cluster and checks its output, until Ctrl-C or for DEMO_FOR, such as 20s.")
		flag.PrintDefaults()
	}
	flag.Parse()

	terminal := isatty.IsTerminal(os.Stdout.Fd())
	length, err := demoFor(os.Getenv("DEMO_FOR"), terminal)
	if err == nil {
		err = run(demo.Options{Ktail: *ktail, Color: *color || terminal, Web: *web, For: length, Out: os.Stdout, ErrOut: os.Stderr})
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "error: %v\n", err)
		os.Exit(1)
	}
}

// demoFor returns how long the demo lasts; 0 means until it is interrupted.
func demoFor(env string, terminal bool) (time.Duration, error) {
	switch {
	case env != "":
		d, err := time.ParseDuration(env)
		if err != nil {
			return 0, fmt.Errorf("DEMO_FOR: %w", err)
		}
		return d, nil
	case terminal:
		return 0, nil
	default:
		return 20 * time.Second, nil
	}
}

// run runs the demo. The first signal ends it gracefully, the second immediately.
func run(o demo.Options) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	signals, stop := make(chan os.Signal, 2), make(chan struct{})
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		close(stop)
		<-signals
		cancel()
	}()
	o.Stop = stop
	report, err := demo.Run(ctx, o)
	if report.Written > 0 {
		fmt.Println(report)
	}
	for _, mismatch := range report.Mismatches {
		fmt.Fprintln(os.Stderr, mismatch)
	}
	if err == nil && !report.OK() {
		err = errors.New("ktail did not print exactly the lines that were written")
	}
	return err
}
