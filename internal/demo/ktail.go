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
	cmd      *exec.Cmd
	done     chan struct{} // closed when it has ended, and err is set
	err      error
	shownErr error // of passing on what it showed
}

// startKtail starts the binary. What it shows goes to the output and into the
// books. It is killed when ctx ends.
func startKtail(ctx context.Context, o Options, kubeconfig string, books *ledger) (*ktail, error) {
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
		k.shownErr = passOn(out, o.Out, books)
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

// lastMoment is how long ktail may take to end.
const lastMoment = 10 * time.Second

// end interrupts the binary, and kills it if it is still there after a while.
// It returns an error if it was not the interrupt that ended it.
func (k *ktail) end() error {
	if !k.running() {
		return fmt.Errorf("ktail ended by itself: %w", errors.Join(k.err, k.shownErr, errEnded))
	}
	if err := k.cmd.Process.Signal(os.Interrupt); err != nil {
		return fmt.Errorf("interrupt ktail: %w", err)
	}
	timer := time.NewTimer(lastMoment)
	defer timer.Stop()
	select {
	case <-k.done:
		return k.shownErr
	case <-timer.C:
		_ = k.cmd.Process.Kill() // it may have ended just now
		<-k.done
		return fmt.Errorf("ktail was still there %s after the interrupt", lastMoment)
	}
}

var errEnded = errors.New("it has to follow until it is interrupted")

// passOn copies what is shown, and enters its lines into the books.
func passOn(from io.Reader, to io.Writer, books *ledger) error {
	var (
		buf  = make([]byte, 64<<10)
		rest []byte // a line of which the end is yet to come
	)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			if _, err := to.Write(buf[:n]); err != nil {
				return fmt.Errorf("write output: %w", err)
			}
			rest = enter(append(rest, buf[:n]...), books)
		}
		if err != nil {
			if len(rest) > 0 {
				books.showedStrange() // ktail ends each line
			}
			if errors.Is(err, io.EOF) || errors.Is(err, os.ErrClosed) {
				return nil
			}
			return fmt.Errorf("read what ktail shows: %w", err)
		}
	}
}

// enter takes the whole lines off the text and returns the rest of it.
func enter(text []byte, books *ledger) []byte {
	for {
		line, rest, whole := bytes.Cut(text, []byte("\n"))
		if !whole {
			return append(text[:0:0], text...)
		}
		text = rest
		if a, message, ok := parseLine(line); ok {
			books.showed(a, message)
		} else {
			books.showedStrange()
		}
	}
}

var colors = regexp.MustCompile("\x1b\\[[0-9;]*m")

// parseLine takes a line of ktail's default output apart.
func parseLine(line []byte) (account, []byte, bool) {
	fields := bytes.SplitN(colors.ReplaceAll(line, nil), []byte(" "), 3)
	if len(fields) != 3 {
		return account{}, nil, false
	}
	return account{string(fields[0]), string(fields[1])}, fields[2], true
}
