package demo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"time"

	"github.com/ktail/ktail/internal/ktailproc"
)

// ktail is the running binary.
type ktail struct {
	*ktailproc.Process
	output *recorder
}

// startKtail starts the binary, copies its output, and records the lines in it.
// The process is killed when ctx ends.
func startKtail(ctx context.Context, o Options, kubeconfig string, lines *accounting) (*ktail, error) {
	color := "never"
	if o.Color {
		color = "always"
	}
	output := &recorder{to: o.Out, lines: lines}
	args := []string{".", "node/" + node, "--unit", "kubelet", "--namespace", namespace, "--previous", "--events", "--kubeconfig", kubeconfig, "--color", color}
	if o.Web {
		args = append(args, "--web")
		output.to = io.Discard // the page shows the lines; the accounting still reads them
	}
	process, err := ktailproc.Start(ctx, ktailproc.Options{
		Path: o.Ktail,
		Args: args,
		Env:  append(os.Environ(), "KUBECONFIG="+kubeconfig), Stdout: output, Stderr: o.ErrOut,
		OwnGroup: true, // the demo interrupts it after it has printed everything
	})
	if err != nil {
		return nil, err
	}
	return &ktail{process, output}, nil
}

// exitTimeout is how long ktail may take to exit.
const exitTimeout = 10 * time.Second

// end interrupts the binary, and kills it after exitTimeout. It returns an
// error if anything other than the interrupt ended the binary.
func (k *ktail) end() error {
	if !k.Running() {
		return fmt.Errorf("ktail exited by itself: %w", errors.Join(k.Err(), errEnded))
	}
	if err := k.Signal(os.Interrupt); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), exitTimeout)
	defer cancel()
	if _, err := k.Wait(ctx); err != nil {
		k.Kill()
		return fmt.Errorf("%s after the interrupt: %w", exitTimeout, err)
	}
	k.output.end()
	return k.output.err
}

var errEnded = errors.New("it must follow until it is interrupted")

// recorder copies the output of ktail and records its lines.
type recorder struct {
	to    io.Writer
	lines *accounting
	rest  []byte // the start of an incomplete line
	err   error
}

// Write implements io.Writer.
func (r *recorder) Write(p []byte) (int, error) {
	if _, r.err = r.to.Write(p); r.err != nil {
		return 0, fmt.Errorf("write output: %w", r.err)
	}
	r.rest = append(r.rest, p...)
	for {
		line, rest, complete := bytes.Cut(r.rest, []byte("\n"))
		if !complete {
			return len(p), nil
		}
		r.record(colors.ReplaceAll(line, nil))
		r.rest = rest
	}
}

// end records the end of the output. ktail terminates every line.
func (r *recorder) end() {
	if len(r.rest) > 0 {
		r.lines.showedUnknown()
	}
}

func (r *recorder) record(line []byte) {
	if isMessage(line) {
		return
	}
	if log, message, ok := parseLine(line); ok {
		r.lines.showed(log, message)
	} else {
		r.lines.showedUnknown()
	}
}

var colors = regexp.MustCompile("\x1b\\[[0-9;]*m")

// isMessage reports whether the line is a message of ktail, because on a
// terminal messages appear among the lines.
func isMessage(line []byte) bool {
	for _, prefix := range []string{"+ ", "- ", "! ", "ktail: "} {
		if bytes.HasPrefix(line, []byte(prefix)) {
			return true
		}
	}
	return false
}

// parseLine splits a line of ktail's default output without its colors.
func parseLine(line []byte) (logName, []byte, bool) {
	fields := bytes.SplitN(line, []byte(" "), 3)
	if len(fields) != 3 {
		return logName{}, nil, false
	}
	return logName{string(fields[0]), string(fields[1])}, fields[2], true
}
