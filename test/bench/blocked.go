package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"
)

// blocked measures the memory of programs that follow a thousand logs while no
// one reads their output.
func (b *bench) blocked(ctx context.Context, out *strings.Builder) error {
	const pods, length = 1000, 15 * time.Second
	n, err := b.namespace(ctx, "bench-1000", pods)
	if err != nil {
		return err
	}
	if err := n.writeHistory(pods, 2*million, appLine); err != nil {
		return err
	}
	programs := b.chosen([]program{
		{"ktail", b.ktail, []string{".", "-n", n.name}},
		{"stern --qps -1 --max-log-requests 2000", b.stern, []string{".", "-n", n.name, "--qps", "-1", "--max-log-requests", "2000"}},
	})
	table := newTable(programs)
	for range b.few() {
		for _, p := range programs {
			u, err := p.unread(ctx, length)
			if err != nil {
				return err
			}
			table.add(p.name, u)
		}
	}
	fmt.Fprintf(out, "%d logs of %d lines, followed for %.0f s by a program whose output is not read. Medians of %d rounds.\n\n", pods, 2*million/pods, length.Seconds(), b.few())
	fmt.Fprintln(out, "| program | peak MB |\n|---|---|")
	for _, p := range programs {
		fmt.Fprintf(out, "| %s | %.0f |\n", p.name, table.of(p.name).peak())
	}
	return nil
}

// unread runs the program for the given time without reading its output.
func (p program) unread(ctx context.Context, length time.Duration) (usage, error) {
	in, out, err := os.Pipe()
	if err != nil {
		return usage{}, err
	}
	r, err := p.start(ctx, out)
	if closeErr := out.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return usage{}, err
	}
	pause(ctx, length)
	if err := in.Close(); err != nil {
		return usage{}, err
	}
	u, err := r.interrupt()
	if u.Peak > 0 {
		err = nil // how the program ends when its output is closed does not matter
	}
	return u, err
}
