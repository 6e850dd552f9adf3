package sourcetest

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/ktail/ktail/pkg/ktail"
)

// Log is a log in memory and a Source that reads it, for tests of code that
// reads sources. Like the pod log API, it serves everything since the start of
// the position.
type Log struct {
	stream *ktail.Stream

	mu      sync.Mutex
	lines   []ktail.Line
	ended   bool
	cuts    int           // number of cuts so far
	changed chan struct{} // closed at the next change
}

// NewLog returns an empty log of the stream.
func NewLog(stream *ktail.Stream) *Log {
	return &Log{stream: stream, changed: make(chan struct{})}
}

func (l *Log) change(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f()
	close(l.changed)
	l.changed = make(chan struct{})
}

// Write appends lines with the current time.
func (l *Log) Write(texts ...string) {
	l.change(func() {
		for _, text := range texts {
			l.lines = append(l.lines, ktail.Line{Stream: l.stream, Time: time.Now().UnixNano(), Text: []byte(text)})
		}
	})
}

// Cut interrupts the current read.
func (l *Log) Cut() { l.change(func() { l.cuts++ }) }

// End marks the end of the log.
func (l *Log) End() { l.change(func() { l.ended = true }) }

// Stream implements ktail.Source.
func (l *Log) Stream() *ktail.Stream { return l.stream }

// Read implements ktail.Source.
func (l *Log) Read(ctx context.Context, from ktail.Position, emit func([]ktail.Line) error) error {
	if err := emit(nil); err != nil {
		return err
	}
	replay := from.Replay()
	l.mu.Lock()
	cuts, next := l.cuts, 0
	l.mu.Unlock()
	for {
		l.mu.Lock()
		batch, changed := slices.Clone(l.lines[next:]), l.changed
		next = len(l.lines)
		ended, cut := l.ended, l.cuts != cuts
		l.mu.Unlock()
		batch = slices.DeleteFunc(batch, func(line ktail.Line) bool {
			return !from.IsZero() && line.Time < from.Start().UnixNano() || replay.Seen(&line)
		})
		if len(batch) > 0 {
			if err := emit(batch); err != nil {
				return err
			}
		}
		switch {
		case ended:
			return nil
		case cut:
			return ktail.ErrInterrupted
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
