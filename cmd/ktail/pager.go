package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strings"
	"syscall"

	"github.com/spf13/pflag"
)

// defaultPager is the pager if neither --pager nor $PAGER names one.
const defaultPager = "less -R"

// pagerFlags show the output in a pager.
type pagerFlags struct{ pager pagerValue }

func (f *pagerFlags) addFlags(fs *pflag.FlagSet) {
	fs.Var(&f.pager, "pager",
		"Show the output in a pager if stdout is a terminal: $PAGER, or "+defaultPager+". --pager=COMMAND selects another one. "+
			"ktail exits when the pager is closed")
	fs.Lookup("pager").NoOptDefVal = "true"
}

func (f *pagerFlags) validate() error {
	if f.pager.on && runtime.GOOS == "windows" {
		return errors.New("--pager is not supported on Windows")
	}
	return nil
}

// command returns the command of the pager, or "" if lines are printed without one:
// like git, if $PAGER is empty or "cat".
func (f *pagerFlags) command(s streams) string {
	if !f.pager.on || !s.OutTTY {
		return ""
	}
	command := f.pager.command
	if command == "" {
		var set bool
		if command, set = s.Env("PAGER"); !set {
			command = defaultPager
		}
	}
	if command = strings.TrimSpace(command); command == "cat" {
		return ""
	}
	return command
}

// pager is a running program that shows what ktail writes.
type pager struct {
	command string
	in      *os.File
	process *exec.Cmd
	done    chan struct{} // closed when the program has exited
}

// startPager starts the command on the terminal. From then on, Ctrl-C is for the
// pager: ktail ignores it.
func startPager(command string, s streams) (*pager, error) {
	if !strings.ContainsAny(command, shellCharacters) {
		if _, err := exec.LookPath(strings.Fields(command)[0]); err != nil {
			return nil, fmt.Errorf("--pager: %w; install it, or select another program with --pager=COMMAND or $PAGER", err)
		}
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("--pager: %w", err)
	}
	defer r.Close() //nolint:errcheck // the pager has its own copy
	// Without a context: the pager ends when the user closes it.
	p := &pager{command: command, in: w, process: exec.Command("sh", "-c", command), done: make(chan struct{})}
	p.process.Stdin, p.process.Stdout, p.process.Stderr = r, s.Out, withoutGrace(s.ErrOut)
	p.process.Env = pagerEnv(os.Environ(), s.Env)
	if err := p.process.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("--pager: start %s: %w", quoted(command), err), w.Close())
	}
	signal.Ignore(os.Interrupt, syscall.SIGQUIT)
	go func() {
		_ = p.process.Wait() // finish looks at the status
		signal.Reset(os.Interrupt, syscall.SIGQUIT)
		close(p.done)
	}()
	return p, nil
}

// shellCharacters mark a command that only the shell can interpret.
const shellCharacters = "|&;<>()$`\\\"'*?[#~=%"

// pagerEnv returns the environment of the pager. As in git, less shows colors, exits
// if the output fits on one screen, and leaves it on the terminal.
func pagerEnv(environ []string, lookup func(string) (string, bool)) []string {
	for _, v := range [][2]string{{"LESS", "FRX"}, {"LV", "-c"}} {
		if _, set := lookup(v[0]); !set {
			environ = append(environ, v[0]+"="+v[1])
		}
	}
	return environ
}

// streams returns the outputs of a run whose lines, and whose messages if they would
// otherwise be printed over the lines, are shown by the pager.
func (p *pager) streams(s streams) streams {
	s.Out, s.AwaitOutClosed, s.AwaitEnter = p, p.awaitEnd, nil
	if s.ErrTTY {
		s.ErrOut = p
	}
	return s
}

// Write implements io.Writer. After the user has closed the pager, it discards what is
// written, and awaitEnd ends the run.
func (p *pager) Write(b []byte) (int, error) {
	n, err := p.in.Write(b)
	if isClosedPipe(err) {
		return len(b), nil
	}
	return n, err // the caller says what was written
}

// awaitEnd returns true when the pager has exited, and false when ctx ends.
func (p *pager) awaitEnd(ctx context.Context) bool {
	select {
	case <-p.done:
		return true
	case <-ctx.Done():
		return false
	}
}

// The statuses of a shell that cannot run a command.
const (
	statusNotExecutable = 126
	statusNotFound      = 127
)

// finish waits until the user closes the pager, and returns the error of the run. The
// pager shows it as well, because the user sees it there first.
func (p *pager) finish(err error, messages io.Writer) error {
	if errors.Is(err, errReaderGone) {
		err = nil
	}
	if err != nil && messages == io.Writer(p) {
		printError(p, "ktail", err)
	}
	closeErr := p.in.Close()
	<-p.done
	if status := p.process.ProcessState.ExitCode(); status == statusNotFound || status == statusNotExecutable {
		err = errors.Join(fmt.Errorf("--pager: %s cannot be run", quoted(p.command)), err)
	}
	return errors.Join(err, closeErr)
}

// pagerValue is the flag that turns on the pager, with or without a command.
type pagerValue struct {
	on      bool
	command string // empty: the default
}

// String implements pflag.Value.
func (v *pagerValue) String() string {
	if v.on {
		return cmp.Or(v.command, "true")
	}
	return ""
}

// Set implements pflag.Value.
func (v *pagerValue) Set(s string) error {
	*v = pagerValue{on: s != "" && s != "false"}
	if v.on && s != "true" {
		v.command = s
	}
	return nil
}

// Type implements pflag.Value.
func (*pagerValue) Type() string { return "COMMAND" }
