package demo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"time"
)

// ktail is the running binary.
type ktail struct {
	cmd     *exec.Cmd
	done    chan struct{} // closed when it has ended and err is set
	err     error
	copyErr error // from copying its output
}

// startKtail starts the binary, copies its output and records the lines in it.
// The process is killed when ctx ends.
func startKtail(ctx context.Context, o Options, kubeconfig string, lines *accounting) (*ktail, error) {
	color := "never"
	if o.Color {
		color = "always"
	}
	cmd := exec.CommandContext(ctx, o.Ktail, ".", "--namespace", namespace, "--kubeconfig", kubeconfig, "--color", color)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig)
	cmd.Stderr = o.ErrOut
	cmd.SysProcAttr = ownGroup()
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start ktail: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start ktail: %w", err)
	}
	k := &ktail{cmd: cmd, done: make(chan struct{})}
	go func() {
		defer close(k.done)
		k.copyErr = copyOutput(out, o.Out, lines)
		k.err = cmd.Wait()
	}()
	return k, nil
}

func (k *ktail) running() bool {
	select {
	case <-k.done:
		return false
	default:
		return true
	}
}

// exitTimeout is how long ktail may take to exit.
const exitTimeout = 10 * time.Second

// end interrupts the binary, and kills it after exitTimeout. It returns an error
// if something else than the interrupt ended it.
func (k *ktail) end() error {
	if !k.running() {
		return fmt.Errorf("ktail exited by itself: %w", errors.Join(k.err, k.copyErr, errEnded))
	}
	if err := k.cmd.Process.Signal(os.Interrupt); err != nil {
		return fmt.Errorf("interrupt ktail: %w", err)
	}
	timer := time.NewTimer(exitTimeout)
	defer timer.Stop()
	select {
	case <-k.done:
		return k.copyErr
	case <-timer.C:
		_ = k.cmd.Process.Kill() // it may have ended just now
		<-k.done
		return fmt.Errorf("ktail was still running %s after the interrupt", exitTimeout)
	}
}

var errEnded = errors.New("it must follow until it is interrupted")

// copyOutput copies the output and records its lines.
func copyOutput(from io.Reader, to io.Writer, lines *accounting) error {
	var (
		buf  = make([]byte, 64<<10)
		rest []byte // the start of an incomplete line
	)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			if _, err := to.Write(buf[:n]); err != nil {
				return fmt.Errorf("write output: %w", err)
			}
			rest = recordLines(append(rest, buf[:n]...), lines)
		}
		if err != nil {
			if len(rest) > 0 {
				lines.showedUnknown() // ktail terminates each line
			}
			if errors.Is(err, io.EOF) || errors.Is(err, os.ErrClosed) {
				return nil
			}
			return fmt.Errorf("read output of ktail: %w", err)
		}
	}
}

// recordLines records the complete lines of the text and returns the rest.
func recordLines(text []byte, lines *accounting) []byte {
	for {
		line, rest, whole := bytes.Cut(text, []byte("\n"))
		if !whole {
			return append(text[:0:0], text...)
		}
		text = rest
		line = colors.ReplaceAll(line, nil)
		if isMessage(line) {
			continue
		}
		if log, message, ok := parseLine(line); ok {
			lines.showed(log, message)
		} else {
			lines.showedUnknown()
		}
	}
}

var colors = regexp.MustCompile("\x1b\\[[0-9;]*m")

// isMessage reports whether ktail itself wrote the line: on a terminal, its
// messages appear among the lines.
func isMessage(line []byte) bool {
	for _, prefix := range []string{"+ ", "- ", "ktail: "} {
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
