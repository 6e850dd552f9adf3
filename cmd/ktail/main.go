// Command ktail follows the logs of many pods at once.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"syscall"

	"github.com/go-logr/logr"
	"github.com/mattn/go-isatty"
	"golang.org/x/term"
	"k8s.io/klog/v2"
)

// streams are where the program reads and writes, and what it knows of them.
type streams struct {
	In     io.Reader // log lines, with --stdin; otherwise who answers a prompt
	Out    io.Writer // log lines
	ErrOut io.Writer // everything else
	OutTTY bool
	ErrTTY bool
	Width  func() int // columns of the terminal that Out is; 0 is unknown
	Env    func(string) (string, bool)
}

// Exit statuses as the shell gives them to a program that died of the signal.
const (
	exitError     = 1
	exitInterrupt = 128 + int(syscall.SIGINT)
	exitPipe      = 128 + int(syscall.SIGPIPE)
	exitTerminate = 128 + int(syscall.SIGTERM)
)

func main() {
	// A closed pipe is an error of the write, so that everything else still
	// comes to its end.
	signal.Ignore(syscall.SIGPIPE)
	// Lines come in small pieces, and to wake another processor for each costs
	// more than the work. One takes half a million lines a second.
	if _, set := os.LookupEnv("GOMAXPROCS"); !set {
		runtime.GOMAXPROCS(1)
	}
	// A thousand quiet logs are 17 MB of live memory, which the collector would let
	// double. It has little to do, so that this costs next to nothing.
	if _, set := os.LookupEnv("GOGC"); !set {
		debug.SetGCPercent(60)
	}
	klog.SetLogger(logr.Discard()) // client-go's own log; --verbosity turns it on
	env, err := takeSecretsFromEnv()
	if err != nil {
		fmt.Fprintf(os.Stderr, "error: %v\n", err)
		os.Exit(exitError)
	}
	name, args := asPlugin(os.Args)
	os.Exit(run(name, args, streams{
		In: os.Stdin, Out: os.Stdout, ErrOut: os.Stderr,
		OutTTY: isatty.IsTerminal(os.Stdout.Fd()),
		ErrTTY: isatty.IsTerminal(os.Stderr.Fd()),
		Width: func() int {
			width, _, _ := term.GetSize(int(os.Stdout.Fd()))
			return width
		},
		Env: env,
	}))
}

// run is main without the process: it returns the exit status.
func run(name string, args []string, s streams) int {
	ctx, caught := untilSignal(context.Background(), os.Exit)
	cmd := newCommand(s)
	setDisplayName(cmd, name)
	cmd.SetArgs(args)
	err := cmd.ExecuteContext(ctx)
	if err != nil && !isClosedPipe(err) {
		fmt.Fprintf(s.ErrOut, "error: %v\n", err) //nolint:errcheck // there is nowhere else to tell it
	}
	return exitStatus(err, caught())
}

func exitStatus(err error, caught os.Signal) int {
	switch {
	case isClosedPipe(err):
		return exitPipe // as usual: `ktail … | head` has what it wanted
	case err != nil:
		return exitError
	case caught == syscall.SIGTERM:
		return exitTerminate
	case caught != nil:
		return exitInterrupt
	default:
		return 0
	}
}

// untilSignal returns a context that ends with the first SIGINT or SIGTERM, and
// what returns that signal. The second one exits at once.
func untilSignal(ctx context.Context, exit func(int)) (context.Context, func() os.Signal) {
	ctx, cancel := context.WithCancelCause(ctx)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	go func() {
		cancel(signaled{<-signals})
		exit(exitStatus(nil, <-signals))
	}()
	return ctx, func() os.Signal {
		if cause, ok := errors.AsType[signaled](context.Cause(ctx)); ok {
			return cause.Signal
		}
		return nil
	}
}

// signaled is the cause of a context that a signal has ended.
type signaled struct{ os.Signal }

// Error implements error.
func (s signaled) Error() string { return s.String() }
