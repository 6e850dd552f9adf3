package tail

import (
	"bytes"
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ktail/ktail/pkg/ktail"
)

// chattySource emits batches of 1000 bytes until ctx ends, then nothing more.
type chattySource struct{ stream *ktail.Stream }

func (s chattySource) Stream() *ktail.Stream { return s.stream }

func (s chattySource) Read(ctx context.Context, _ ktail.Position, emit func([]ktail.Line) error) error {
	text := bytes.Repeat([]byte("x"), 1000)
	for ctx.Err() == nil {
		if err := emit([]ktail.Line{{Stream: s.stream, Time: 1, Text: text}}); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// setsOf is a watcher that gives the sets, one after the other.
type setsOf [][]ktail.Source

func (w setsOf) Watch(_ context.Context, set func([]ktail.Source)) error {
	for _, sources := range w {
		set(sources)
	}
	return nil
}

func TestRateLimit_DelaysLinesAndDropsNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream := &ktail.Stream{PodUID: "uid", Container: "c"}
		delays := 0
		r := &RateLimit{Watcher: setsOf{{chattySource{stream}}}, BytesPerSecond: 10_000, OnDelay: func(s *ktail.Stream) {
			if s != stream {
				t.Errorf("reported %v", s)
			}
			delays++
		}}
		var source ktail.Source
		if err := r.Watch(t.Context(), func(sources []ktail.Source) { source = sources[0] }); err != nil {
			t.Fatal(err)
		}
		const seconds = 60
		ctx, cancel := context.WithTimeout(t.Context(), seconds*time.Second)
		defer cancel()
		lines := 0
		for range 2 { // a resumed read continues at the same rate
			reading, stop := context.WithTimeout(ctx, seconds*time.Second/2)
			_ = source.Read(reading, ktail.Position{}, func([]ktail.Line) error { // it ends with its context
				lines++
				return nil
			})
			stop()
		}
		if want := 10 * (seconds + 1); lines < want-2 || lines > want {
			t.Errorf("%d lines of 1000 bytes in %d s, want %d", lines, seconds, want)
		}
		if delays != 1 {
			t.Errorf("the delay was reported %d times, want once", delays)
		}
	})
}

func TestRateLimit_QuietStreamsAreNotDelayed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &RateLimit{BytesPerSecond: 1000, OnDelay: func(*ktail.Stream) { t.Error("a delay is reported") }}
		rate := &streamRate{limit: r}
		for range 100 {
			began := time.Now()
			if err := rate.wait(t.Context(), 1000, nil); err != nil || time.Since(began) > 0 {
				t.Fatalf("waited %v, %v", time.Since(began), err)
			}
			time.Sleep(time.Second)
		}
	})
}

func TestRateLimit_KeepsTheIdentityOfSources(t *testing.T) {
	a, b := chattySource{&ktail.Stream{PodUID: "a"}}, chattySource{&ktail.Stream{PodUID: "b"}}
	r := &RateLimit{Watcher: setsOf{{a}, {a, b}, {chattySource{&ktail.Stream{PodUID: "a"}}}}, BytesPerSecond: 1}
	var sets [][]ktail.Source
	if err := r.Watch(t.Context(), func(sources []ktail.Source) { sets = append(sets, sources) }); err != nil {
		t.Fatal(err)
	}
	if sets[0][0] != sets[1][0] {
		t.Error("the same source is replaced, which restarts its stream")
	}
	if sets[2][0] == sets[1][0] {
		t.Error("a new source is not passed on")
	}
	if sets[2][0].(*limitedSource).rate != sets[1][0].(*limitedSource).rate {
		t.Error("a new source of a stream has a new rate")
	}
}
