package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"
)

// pipe starts the program with a reader of its output. pods is the number of
// pods that it should print lines of.
func (p program) pipe(ctx context.Context, pods int) (*running, *reader, error) {
	in, out, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	r, err := p.start(ctx, out)
	if err := out.Close(); err != nil {
		return nil, nil, err
	}
	if err != nil {
		return nil, nil, err
	}
	seen := newReader(pods)
	go func() {
		defer in.Close() //nolint:errcheck // errors do not matter after reading
		seen.read(in)
	}()
	return r, seen, nil
}

// feed writes lines to the logs of the namespace until the returned function is
// called, which may be called repeatedly. The logs start empty.
func (n *namespace) feed(ctx context.Context, args ...string) (end func() error, err error) {
	for i := range n.pods {
		if err := os.Truncate(n.logFile(i), 0); err != nil {
			return nil, err
		}
	}
	cmd := n.load(ctx, "feed", args...)
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return sync.OnceValue(func() error {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			return err
		}
		err := cmd.Wait()
		// The signal may arrive before load handles signals, because stern with
		// its default flags ends soon.
		if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() && status.Signal() == syscall.SIGTERM {
			return nil
		}
		return err
	}), nil
}

// live describes how a program printed lines while they were written.
type live struct {
	usage
	seen  *reader
	allIn time.Duration // time until lines of every pod were printed; 0 if never
	heard int
}

// watch follows for the given time. Delay and order are measured after warmUp.
func (p program) watch(ctx context.Context, pods int, warmUp, length time.Duration) (live, error) {
	r, seen, err := p.pipe(ctx, pods)
	if err != nil {
		return live{}, err
	}
	seen.count(r.began.Add(warmUp))
	select {
	case <-time.After(length):
	case <-seen.ended: // the program has exited
	case <-ctx.Done():
	}
	l := live{seen: seen}
	l.usage, err = r.interrupt()
	<-seen.ended
	l.heard = len(seen.heard)
	if l.heard == pods {
		l.allIn = seen.allAt.Sub(r.began)
	}
	return l, errors.Join(err, ctx.Err())
}

// follow measures a thousand quiet pods with the flags that users start with.
func (b *bench) follow(ctx context.Context, out *strings.Builder) error {
	const pods, length = 1000, 40 * time.Second
	n, err := b.namespace(ctx, "bench-1000", pods)
	if err != nil {
		return err
	}
	programs := []program{
		{"ktail", b.ktail, []string{".", "-n", n.name}},
		{"stern --qps -1 --max-log-requests 2000", b.stern, []string{".", "-n", n.name, "--qps", "-1", "--max-log-requests", "2000"}},
		{"stern", b.stern, []string{".", "-n", n.name}},
	}
	programs, rounds, base := b.chosen(programs), b.few(), programs[1].name
	table := newTable(programs)
	notes := map[string][]string{}
	for range rounds {
		for _, p := range programs {
			end, err := n.feed(ctx, "-rate", "1", "-spread", "-stamp")
			if err != nil {
				return err
			}
			l, err := p.watch(ctx, pods, 10*time.Second, length)
			if err := end(); err != nil {
				return err
			}
			if err != nil && p.name != "stern" { // stern exits at its limit
				return err
			}
			table.add(p.name, l.usage)
			note := fmt.Sprintf("%d only", l.heard)
			if l.allIn > 0 {
				note = fmt.Sprintf("%.1f s", l.allIn.Seconds())
			}
			notes[p.name] = append(notes[p.name], note)
		}
	}
	fmt.Fprintf(out, "%d pods that write a line a second, at different moments; %.0f s from the start. Medians of %d rounds.\n\n", pods, length.Seconds(), rounds)
	table.print(out, base)
	fmt.Fprintln(out, "\nAll pods shown after:")
	for _, p := range programs {
		fmt.Fprintf(out, "%s %s;\n", p.name, strings.Join(notes[p.name], ", "))
	}
	return nil
}
