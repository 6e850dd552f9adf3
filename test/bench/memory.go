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
	manyPods   = 5000             // that are quiet
	burstLines = 100_000          // lines that each of the other pods logs at once
	memoryRest = 30 * time.Second // between the last line and the measurement
)

// memory measures the memory of ktail with many logs, after bursts, and while
// its output is blocked. It uses internal/fakeapi, with which other programs
// cannot be compared.
func (b *bench) memory(ctx context.Context, out *strings.Builder) error {
	fmt.Fprintf(out, "Resident memory of ktail. %d pods are followed that log one line each; after that, %d pods that each log %d short lines once, one pod after another. "+
		"Lines of stdin are written one at a time.\n\n", manyPods, b.pods, burstLines)
	fmt.Fprintln(out, "| | MB |\n|---|---|")
	peak, rest, err := b.many(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "| %d logs: peak while they are opened | %.0f |\n| %.0f s later | %.0f |\n", manyPods, float64(peak)/1e6, memoryRest.Seconds(), float64(rest)/1e6)
	peak, rest, err = b.bursts(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "| peak during the bursts | %.0f |\n| %.0f s after the last burst | %.0f |\n", float64(peak)/1e6, memoryRest.Seconds(), float64(rest)/1e6)
	blocked, err := b.blockedStdin(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "| `--stdin`, stdout blocked: peak | %.0f |\n", float64(blocked)/1e6)
	return nil
}

// fakePods are pods of a fake API server, and the program that follows them.
type fakePods struct {
	containers []*fakeapi.Container
	lines      lineCounter // printed
	ktail      *ktailproc.Process
	server     *fakeapi.Server
	dir        string
}

// followFake starts ktail and returns when it has printed the one line of each pod.
func (b *bench) followFake(ctx context.Context, pods int) (f *fakePods, err error) {
	f = &fakePods{containers: make([]*fakeapi.Container, pods)}
	defer func() {
		if err != nil {
			f.close()
		}
	}()
	if f.server, err = fakeapi.Start(fakeapi.Options{}); err != nil {
		return f, err
	}
	if f.dir, err = os.MkdirTemp("", "bench"); err != nil {
		return f, err
	}
	kubeconfig := filepath.Join(f.dir, "config")
	if err := f.server.WriteKubeconfig(kubeconfig); err != nil {
		return f, err
	}
	for i := range f.containers {
		f.containers[i] = f.server.RunPod("default", podName(i), "c").Container("c")
		f.containers[i].Log("ready")
	}
	f.ktail, err = ktailproc.Start(ctx, ktailproc.Options{
		Path: b.ktail, Args: []string{".", "--color", "never"}, Env: append(os.Environ(), "KUBECONFIG="+kubeconfig), Stdout: &f.lines,
	})
	if err != nil {
		return f, err
	}
	return f, f.lines.wait(ctx, f.ktail, int64(pods))
}

func (f *fakePods) close() {
	if f.ktail != nil {
		f.ktail.Kill()
	}
	if f.server != nil {
		f.server.Close()
	}
	os.RemoveAll(f.dir) //nolint:errcheck // a temporary directory
}

// memory returns the peak and, after a rest, the resident memory.
func (f *fakePods) memory(ctx context.Context) (peak, rest int64, err error) {
	pause(ctx, memoryRest)
	rest, err = residentMemory(f.ktail.PID())
	return f.ktail.PeakRSS(), rest, err
}

// many returns the peak and the final resident memory of a run that follows many
// quiet pods.
func (b *bench) many(ctx context.Context) (peak, rest int64, err error) {
	f, err := b.followFake(ctx, manyPods)
	if err != nil {
		return 0, 0, err
	}
	defer f.close()
	return f.memory(ctx)
}

// bursts returns the peak and the final resident memory of a run that follows
// pods that log in turn.
func (b *bench) bursts(ctx context.Context) (peak, rest int64, err error) {
	f, err := b.followFake(ctx, b.pods)
	if err != nil {
		return 0, 0, err
	}
	defer f.close()
	for i, c := range f.containers {
		logBurst(c)
		if err := f.lines.wait(ctx, f.ktail, int64(b.pods+(i+1)*burstLines)); err != nil {
			return 0, 0, err
		}
		c.Rotate() // otherwise this process would keep all lines
	}
	return f.memory(ctx)
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
