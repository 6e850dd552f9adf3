// Command ktail tails the logs of many Kubernetes pods at once.
package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	"github.com/mattn/go-isatty"
	"golang.org/x/term"
	"k8s.io/klog/v2"
)

// streams are the program's input and outputs, and what is known about them.
type streams struct {
	In     io.Reader // log lines, with --stdin; otherwise answers to a prompt
	Out    io.Writer // log lines
	ErrOut io.Writer // everything else
	OutTTY bool
	ErrTTY bool
	Width  func() int // columns of the terminal if Out is one; 0: unknown
	Env    func(string) (string, bool)
	// AwaitOutClosed returns true when the reader of Out has exited, and false
	// when ctx ends. It is nil if that cannot be detected.
	AwaitOutClosed func(ctx context.Context) bool
	// AwaitEnter calls pressed each time the user presses Enter, until ctx ends.
	// It is nil if In or Out is not a terminal.
	AwaitEnter func(ctx context.Context, pressed func())
}

// Exit statuses; for a signal, the status that a shell reports.
const (
	exitError     = 1
	exitHangup    = 128 + int(syscall.SIGHUP)
	exitInterrupt = 128 + int(syscall.SIGINT)
	exitPipe      = 128 + int(syscall.SIGPIPE)
	exitTerminate = 128 + int(syscall.SIGTERM)
)

func main() {
	// A write to a closed pipe returns an error instead of ending the program,
	// so that the other outputs are still flushed. Child processes, such as a
	// pager, would inherit an ignored signal.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	// Lines arrive in small pieces, and waking another processor for each piece
	// costs more than the work itself. One processor handles half a million
	// lines per second.
	if _, set := os.LookupEnv("GOMAXPROCS"); !set {
		runtime.GOMAXPROCS(1)
	}
	if _, set := os.LookupEnv("GOGC"); !set {
		go releaseMemory(context.Background()) // ends with the program
	}
	afterEachGC(new(heapLimiter).afterGC)
	klog.SetLogger(logr.Discard()) // client-go's log; --verbosity enables it
	env, err := takeSecretsFromEnv()
	if err != nil {
		printError(os.Stderr, "ktail", err)
		os.Exit(exitError)
	}
	name, args := asPlugin(os.Args)
	s := streams{
		In: os.Stdin, Out: os.Stdout, ErrOut: os.Stderr,
		OutTTY: isatty.IsTerminal(os.Stdout.Fd()),
		ErrTTY: isatty.IsTerminal(os.Stderr.Fd()),
		Width: func() int {
			width, _, _ := term.GetSize(int(os.Stdout.Fd()))
			return width
		},
		Env:            env,
		AwaitOutClosed: awaitClosed(os.Stdout),
	}
	if s.OutTTY && isatty.IsTerminal(os.Stdin.Fd()) {
		s.AwaitEnter = awaitEnter(os.Stdin)
	}
	os.Exit(run(name, args, s))
}

// run is main without access to the process. It returns the exit status.
func run(name string, args []string, s streams) int {
	ctx, caught := untilSignal(context.Background(), os.Exit)
	s.ErrOut = startMessageWriter(ctx, s.ErrOut)
	cmd := newCommand(s)
	setDisplayName(cmd, name)
	cmd.SetArgs(args)
	err := cmd.ExecuteContext(ctx)
	if status := exitStatus(err, nil); status != 0 && status != exitPipe {
		printError(s.ErrOut, name, err)
	}
	return exitStatus(err, caught())
}

func exitStatus(err error, caught os.Signal) int {
	switch {
	case isClosedPipe(err), errors.Is(err, errReaderGone):
		return exitPipe // not an error: in `ktail … | head`, head has read enough
	case errors.Is(err, errAllSafe):
		return 0
	case err != nil:
		return exitError
	case caught == syscall.SIGTERM:
		return exitTerminate
	case caught == syscall.SIGHUP:
		return exitHangup
	case caught != nil:
		return exitInterrupt
	default:
		return 0
	}
}

// untilSignal returns a context that ends with the first SIGINT, SIGTERM or SIGHUP,
// and a function that returns this signal. Another signal exits at once. A SIGHUP
// that was ignored at the start, as under nohup, stays ignored.
func untilSignal(ctx context.Context, exit func(int)) (context.Context, func() os.Signal) {
	ctx, cancel := context.WithCancelCause(ctx)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) {
		signal.Notify(signals, syscall.SIGHUP)
	}
	go handleSignals(signals, cancel, exit)
	return ctx, func() os.Signal {
		if cause, ok := errors.AsType[signaled](context.Cause(ctx)); ok {
			return cause.Signal
		}
		return nil
	}
}

// repeatWindow is how long after the first signal the same signal does not
// count as the second one. timeout(1), for example, sends its signal both to
// the program and to its process group.
const repeatWindow = 250 * time.Millisecond

// handleSignals calls cancel at the first signal, and exit at the second one.
func handleSignals(signals <-chan os.Signal, cancel context.CancelCauseFunc, exit func(int)) {
	first := <-signals
	since := time.Now()
	cancel(signaled{first})
	for {
		next := <-signals
		if next != first || time.Since(since) >= repeatWindow {
			exit(exitStatus(nil, next))
			return
		}
	}
}

// signaled is the cause of a context that a signal canceled.
type signaled struct{ os.Signal }

// Error implements error.
func (s signaled) Error() string { return s.String() }
