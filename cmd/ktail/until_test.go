package main

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/ktail/ktail/pkg/ktail"
	"github.com/ktail/ktail/pkg/tail"
)

// gapSource emits gaps, each from a time to a later one.
type gapSource struct{ gaps [][2]int64 }

func (*gapSource) Stream() *ktail.Stream { return &ktail.Stream{} }

func (s *gapSource) Read(_ context.Context, _ ktail.Position, emit func([]ktail.Line) error) error {
	var lines []ktail.Line
	for _, g := range s.gaps {
		lines = append(lines, ktail.Line{Kind: ktail.Gap, Stream: s.Stream(), Since: g[0], Time: g[1]})
	}
	return emit(lines)
}

// Watch implements ktail.Watcher.
func (s *gapSource) Watch(_ context.Context, set func([]ktail.Source)) error {
	set([]ktail.Source{s})
	return nil
}

// gapSink collects gaps.
type gapSink struct{ gaps [][2]int64 }

func (s *gapSink) Write(_ context.Context, lines []ktail.Line) error {
	for _, l := range lines {
		if l.Kind == ktail.Gap {
			s.gaps = append(s.gaps, [2]int64{l.Since, l.Time})
		}
	}
	return nil
}

func (*gapSink) Close(context.Context) error { return nil }

// Lines before --since and after --until are not wanted, so it does not matter whether
// some of them are missing.
func TestPeriod_ReportsNoGapOutsideIt(t *testing.T) {
	o, queries := parse(t, "web", "--since", "2026-01-31T10:00:00Z", "--until", "2026-01-31T11:00:00Z")
	p, err := offlinePlan(o, queries)
	if err != nil {
		t.Fatal(err)
	}
	at := func(clock string) int64 {
		when, err := time.Parse(time.DateTime, "2026-01-31 "+clock)
		if err != nil {
			t.Fatal(err)
		}
		return when.UnixNano()
	}
	before, after := [2]int64{at("09:00:00"), at("09:30:00")}, [2]int64{at("11:00:00"), at("11:00:01")}
	start, inside, end := [2]int64{at("09:00:00"), at("10:00:00")}, [2]int64{at("10:10:00"), at("10:20:00")}, [2]int64{at("10:59:59"), at("12:00:00")}
	open := [2]int64{at("10:30:00"), 0} // it is not known until when
	var got gapSink
	err = (&tail.Tailer{
		Watchers:  []ktail.Watcher{&gapSource{[][2]int64{before, start, inside, open, end, after}}},
		GapFilter: p.gapFilter(), Sink: &got, Once: true, MergeWindow: -1,
	}).Run(t.Context())
	if want := [][2]int64{start, inside, open, end}; err != nil || !slices.Equal(got.gaps, want) {
		t.Errorf("gaps are %v, %v, want %v", got.gaps, err, want)
	}
}
