package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// table holds the usage of programs in several rounds.
type table struct {
	names []string
	rows  map[string]*row
}

// row is the usage of one program.
type row struct{ rounds []usage }

func newTable(programs []program) *table {
	t := &table{rows: map[string]*row{}}
	for _, p := range programs {
		t.names = append(t.names, p.name)
		t.rows[p.name] = &row{}
	}
	return t
}

// interleaved runs all programs one after another in each round.
func (b *bench) interleaved(ctx context.Context, programs []program, rounds int) (*table, error) {
	programs = b.chosen(programs)
	t := newTable(programs)
	for range rounds {
		for _, p := range programs {
			u, err := p.run(ctx)
			if err != nil {
				return nil, err
			}
			t.add(p.name, u)
		}
	}
	return t, nil
}

func (t *table) add(name string, u usage) { t.rows[name].rounds = append(t.rows[name].rounds, u) }

// of returns the row of a program, or nil if it did not run.
func (t *table) of(name string) *row { return t.rows[name] }

func (r *row) cpu() time.Duration {
	return median(each(r, func(u usage) time.Duration { return u.CPU }))
}
func (r *row) wall() time.Duration {
	return median(each(r, func(u usage) time.Duration { return u.Wall }))
}

// peak returns the median of the peaks in megabytes.
func (r *row) peak() float64 {
	return float64(median(each(r, func(u usage) int64 { return u.Peak }))) / 1e6
}

func each[T any](r *row, of func(usage) T) []T {
	values := make([]T, len(r.rounds))
	for i, u := range r.rounds {
		values[i] = of(u)
	}
	return values
}

// print prints the medians, and the CPU time as a multiple of base's.
func (t *table) print(out *strings.Builder, base string) {
	var unit time.Duration
	if r := t.of(base); r != nil {
		unit = r.cpu()
	}
	fmt.Fprintf(out, "| program | CPU s | ÷ %s | wall s | peak MB |\n|---|---|---|---|---|\n", base)
	for _, name := range t.names {
		r := t.rows[name]
		fmt.Fprintf(out, "| %s | %.3g | %.2f | %.3g | %.0f |\n", name, r.cpu().Seconds(), r.cpu().Seconds()/unit.Seconds(), r.wall().Seconds(), r.peak())
	}
}

// median returns the middle value, or the lower one of two.
func median[T int64 | float64 | time.Duration](values []T) T {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[(len(sorted)-1)/2]
}
