package elastic

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/ktail/ktail/pkg/ktail"
)

// mergedHistory merges the lines of several sources into one order. As in live logs, the
// key of a line is the latest time in its source so far, so each source keeps its order.
type mergedHistory struct {
	parts []*historySource
}

// Stream implements ktail.Source. The stream names no log: lines have their own.
func (m *mergedHistory) Stream() *ktail.Stream { return m.parts[0].Stream() }

// Read implements ktail.Source.
func (m *mergedHistory) Read(ctx context.Context, from ktail.Position, emit func([]ktail.Line) error) error {
	if err := emit(nil); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var reading sync.WaitGroup
	defer reading.Wait()
	defer cancel() // before waiting
	inputs := make([]*mergeInput, len(m.parts))
	for i, part := range m.parts {
		in := &mergeInput{batches: make(chan []ktail.Line)}
		inputs[i] = in
		reading.Go(func() { in.read(ctx, part, from) })
	}
	return merge(inputs, emit)
}

// mergeInput is one of the sources being merged.
type mergeInput struct {
	batches chan []ktail.Line // closed by read
	err     error             // why it was closed; valid afterwards

	lines  []ktail.Line // not yet emitted
	latest int64        // merge key of the first of them
}

// read sends batches of lines until the source ends.
func (in *mergeInput) read(ctx context.Context, source ktail.Source, from ktail.Position) {
	defer close(in.batches)
	in.err = source.Read(ctx, from, func(lines []ktail.Line) error {
		if len(lines) == 0 {
			return nil
		}
		select {
		case in.batches <- slices.Clone(lines):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
}

// fill waits until the input has a line. It returns false at its end.
func (in *mergeInput) fill() bool {
	for len(in.lines) == 0 {
		var ok bool
		if in.lines, ok = <-in.batches; !ok {
			return false
		}
		in.latest = max(in.latest, in.lines[0].Time)
	}
	return true
}

// run returns the lines that come before the limit: at least one.
func (in *mergeInput) run(limit int64) []ktail.Line {
	n := 1
	for n < len(in.lines) && max(in.latest, in.lines[n].Time) <= limit {
		in.latest = max(in.latest, in.lines[n].Time)
		n++
	}
	run := in.lines[:n]
	in.lines = in.lines[n:]
	if len(in.lines) > 0 {
		in.latest = max(in.latest, in.lines[0].Time)
	}
	return run
}

func merge(inputs []*mergeInput, emit func([]ktail.Line) error) error {
	var errs []error
	for {
		inputs = slices.DeleteFunc(inputs, func(in *mergeInput) bool {
			if in.fill() {
				return false
			}
			errs = append(errs, in.err)
			return true
		})
		if err := errors.Join(errs...); err != nil || len(inputs) == 0 {
			return err
		}
		slices.SortStableFunc(inputs, func(a, b *mergeInput) int { return cmp.Compare(a.latest, b.latest) })
		limit := int64(1<<63 - 1)
		if len(inputs) > 1 {
			limit = inputs[1].latest
		}
		if err := emit(inputs[0].run(limit)); err != nil {
			return err
		}
	}
}
