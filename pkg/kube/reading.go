package kube

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/ktail/ktail/pkg/ktail"
)

// reading is one response of the pod log API being read. It emits what was not
// delivered before.
//
// What was delivered of a log, and comes again, is one contiguous piece: lines
// that were never wanted may come before it, and everything after it is new.
type reading struct {
	source *source
	from   ktail.Position
	emit   func([]ktail.Line) error

	// join is called when the log begins with a line that does not follow what
	// was delivered, and reports whether the line is wanted. If it is, all that
	// come after it are.
	join func(context.Context, *ktail.Line) (bool, error)

	scanner  *scanner
	replay   *ktail.Replay
	phase    phase
	partial  bool // lines that were never wanted may come first
	progress bool // something was emitted
	pace     pace
}

type phase uint8

const (
	searching phase = iota // for the first line that was delivered before
	replaying              // lines that were delivered before
	fresh                  // all that come are new
)

// newReading reads what is new since the position.
func newReading(s *source, from ktail.Position, emit func([]ktail.Line) error) *reading {
	r := &reading{source: s, from: from, emit: emit, replay: from.Replay(), partial: s.partial(&from)}
	if from.IsZero() {
		r.phase = fresh
	}
	return r
}

// lost reports whether nothing has come yet of what was delivered, nor anything
// that would follow it: maybe the container was restarted, and the instance that
// runs now says nothing. Then the last words of the one before are not in this log.
func (r *reading) lost() bool { return r.phase == searching && !r.from.IsZero() }

// copy emits the new lines of the body until it ends, and returns why it did:
// io.EOF, or the error of the connection, of emit or of join.
func (r *reading) copy(ctx context.Context, body io.Reader) error {
	r.scanner = newScanner(body, r.source.stream)
	for {
		lines, err := r.scanner.next()
		r.pace.note(lines)
		if emitErr := r.forward(ctx, lines); emitErr != nil {
			return emitErr
		}
		if err != nil {
			switch {
			case ctx.Err() != nil:
				return ctx.Err()
			case errors.Is(err, io.EOF):
				return io.EOF
			}
			return fmt.Errorf("read log of %s: %w", r.source.stream, err)
		}
	}
}

// forward emits those of the lines that are new.
func (r *reading) forward(ctx context.Context, lines []ktail.Line) error {
	kept := lines[:0]
	for i := range lines {
		keep, err := r.wants(ctx, &lines[i]) // of a copy, the pointer would cost an allocation
		if err != nil {
			return err
		}
		if keep {
			kept = append(kept, lines[i])
		}
	}
	if len(kept) == 0 {
		return nil
	}
	r.progress = r.progress || kept[len(kept)-1].Kind == ktail.Log
	return r.emit(kept)
}

func (r *reading) wants(ctx context.Context, l *ktail.Line) (bool, error) {
	switch {
	case l.Kind != ktail.Log:
		return r.source.kept.news(l.Text), nil
	case r.phase == fresh:
		return true, nil
	case r.replay.Seen(l):
		r.phase = replaying
		return false, nil
	case r.phase == replaying:
		r.phase = fresh
		return true, nil
	case r.partial && l.Time <= r.from.Time:
		return false, nil
	}
	keep, err := r.join(ctx, l)
	if keep {
		r.phase = fresh
	}
	return keep, err
}

// emitTail emits what follows the last newline: the last words of a container
// that did not end its line.
func (r *reading) emitTail(ctx context.Context) error {
	l := r.scanner.tail()
	if len(l.Text) == 0 || l.Kind != ktail.Log && looksLikeTime(l.Text) {
		return nil
	}
	return r.forward(ctx, []ktail.Line{l})
}

// looksLikeTime tells the beginning of a line that broke off in its timestamp
// from a message of the kubelet.
func looksLikeTime(text []byte) bool {
	const date = "0000-00-00T"
	for i := range min(len(text), len(date)) {
		if date[i] == '0' && ('0' > text[i] || text[i] > '9') || date[i] != '0' && text[i] != date[i] {
			return false
		}
	}
	return true
}

// gap marks, at the time of the line that comes next, that lines are missing.
func (r *reading) gap(at int64, why string) error {
	return r.emit([]ktail.Line{{
		Stream: r.source.stream, Kind: ktail.Gap, Since: r.from.Time, Time: at, Text: []byte(why),
	}})
}

// sameTail reports whether the response ended as the one before it.
func (r *reading) sameTail(before []byte) bool { return bytes.Equal(r.scanner.rest(), before) }
