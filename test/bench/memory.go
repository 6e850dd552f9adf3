package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/ktail/ktail/internal/fakeapi"
	"github.com/ktail/ktail/internal/ktailproc"
)

const (
	burstLines = 100_000          // lines that each pod logs at once
	burstRest  = 30 * time.Second // between the last burst and the measurement
)

// memory measures the memory of ktail after bursts, and while its output is
// blocked. It uses internal/fakeapi, with which other programs cannot be
// compared.
func (b *bench) memory(ctx context.Context, out *strings.Builder) error {
	fmt.Fprintf(out, "Resident memory of ktail. %d pods are followed; each logs %d short lines once, one pod after another. Lines of stdin are written one at a time.\n\n", b.pods, burstLines)
	fmt.Fprintln(out, "| | MB |\n|---|---|")
	peak, rest, err := b.bursts(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "| peak during the bursts | %.0f |\n| %.0f s after the last burst | %.0f |\n", float64(peak)/1e6, burstRest.Seconds(), float64(rest)/1e6)
	blocked, err := b.blockedStdin(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "| `--stdin`, stdout blocked: peak | %.0f |\n", float64(blocked)/1e6)
	return nil
}

// bursts returns the peak and the final resident memory of a run that follows
// pods that log in turn.
func (b *bench) bursts(ctx context.Context) (peak, rest int64, err error) {
	server, err := fakeapi.Start(fakeapi.Options{})
	if err != nil {
		return 0, 0, err
	}
	defer server.Close()
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return 0, 0, err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a temporary directory
	kubeconfig := filepath.Join(dir, "config")
	if err := server.WriteKubeconfig(kubeconfig); err != nil {
		return 0, 0, err
	}
	containers := make([]*fakeapi.Container, b.pods)
	for i := range containers {
		containers[i] = server.RunPod("default", podName(i), "c").Container("c")
		containers[i].Log("ready")
	}

	var lines lineCounter
	p, err := ktailproc.Start(ctx, ktailproc.Options{
		Path: b.ktail, Args: []string{".", "--color", "never"}, Env: append(os.Environ(), "KUBECONFIG="+kubeconfig), Stdout: &lines,
	})
	if err != nil {
		return 0, 0, err
	}
	defer p.Kill()
	if err := lines.wait(ctx, p, int64(b.pods)); err != nil {
		return 0, 0, err
	}
	for i, c := range containers {
		logBurst(c)
		if err := lines.wait(ctx, p, int64(b.pods+(i+1)*burstLines)); err != nil {
			return 0, 0, err
		}
		c.Rotate() // otherwise this process would keep all lines
	}
	pause(ctx, burstRest)
	rest, err = residentMemory(p.PID())
	return p.PeakRSS(), rest, err
}

// logBurst appends the lines of one burst, a microsecond apart.
func logBurst(c *fakeapi.Container) {
	entries := make([]fakeapi.Entry, 1000)
	now := time.Now().UnixNano()
	for n := range burstLines {
		i := n % len(entries)
		entries[i] = fakeapi.Entry{Time: now + int64(n)*1000, Text: "line " + strconv.Itoa(n)}
		if i == len(entries)-1 {
			c.Append(entries...)
		}
	}
}

// lineCounter counts the lines that are written to it.
type lineCounter struct{ n atomic.Int64 }

// Write implements io.Writer.
func (c *lineCounter) Write(b []byte) (int, error) {
	c.n.Add(int64(bytes.Count(b, []byte("\n"))))
	return len(b), nil
}

// wait waits until the given number of lines was written.
func (c *lineCounter) wait(ctx context.Context, p *ktailproc.Process, lines int64) error {
	for deadline := time.Now().Add(time.Minute); c.n.Load() < lines; pause(ctx, 2*time.Millisecond) {
		if !p.Running() || ctx.Err() != nil || time.Now().After(deadline) {
			return fmt.Errorf("ktail has written %d of %d lines; stderr: %s", c.n.Load(), lines, p.Stderr.Short())
		}
	}
	return nil
}

// blockedStdin returns the peak resident memory of a run whose output is not
// read, and whose input is filled until it accepts nothing more.
func (b *bench) blockedStdin(ctx context.Context) (int64, error) {
	stdin, feed, err := os.Pipe()
	if err != nil {
		return 0, err
	}
	unread, stdout, err := os.Pipe()
	if err != nil {
		return 0, err
	}
	defer unread.Close() //nolint:errcheck // errors do not matter
	p, err := ktailproc.Start(ctx, ktailproc.Options{Path: b.ktail, Args: []string{"--stdin"}, Stdin: stdin, Stdout: stdout})
	err = errors.Join(err, stdin.Close(), stdout.Close())
	if err != nil {
		return 0, err
	}
	defer p.Kill()
	defer feed.Close() //nolint:errcheck // the process is killed
	for n := 0; ; n++ {
		if err := feed.SetWriteDeadline(time.Now().Add(5 * time.Second)); err != nil {
			return 0, err
		}
		_, err := fmt.Fprintf(feed, "line %d\n", n)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return p.PeakRSS(), nil
		}
		if err != nil {
			return 0, fmt.Errorf("feed stdin: %w; stderr: %s", err, p.Stderr.Short())
		}
	}
}

// residentMemory returns the resident memory of a process, in bytes.
func residentMemory(pid int) (int64, error) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0, err
	}
	defer f.Close() //nolint:errcheck // errors do not matter after reading
	line, err := bufio.NewReader(f).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, err
	}
	fields := strings.Fields(line)
	if len(fields) < 2 {
		return 0, fmt.Errorf("%s has no resident size", f.Name())
	}
	pages, err := strconv.ParseInt(fields[1], 10, 64)
	return pages * int64(syscall.Getpagesize()), err
}
