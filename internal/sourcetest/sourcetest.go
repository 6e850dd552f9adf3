// Package sourcetest tests the contract of ktail.Source. Run is the suite for sources
// that emit lines as soon as they are written and that can be resumed, RunOnce the part
// of it for sources that can be read only once. Log is a log in memory that keeps the
// contract.
package sourcetest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ktail/ktail/pkg/ktail"
)

// Subject is a source under test, and the log that it reads.
type Subject struct {
	Source ktail.Source
	Write  func(texts ...string) // appends lines to the log
	Cut    func()                // breaks the connection of the current read
	End    func()                // marks the end of the log
}

// Run tests that a source keeps the contract. open is called in a
// testing/synctest bubble, once for each test, and returns a source of an empty
// log.
func Run(t *testing.T, open func(t *testing.T) Subject) {
	RunOnce(t, open)
	run(t, open, map[string]func(*testing.T, Subject){
		"an interruption is not the end":     interrupted,
		"resumes after the last line":        resumes,
		"the same line twice is two lines":   sameTwice,
		"can be read again after it stopped": readAgain,
	})
}

// RunOnce is like Run, but reads each source only once and does not call Cut.
func RunOnce(t *testing.T, open func(t *testing.T) Subject) {
	run(t, open, map[string]func(*testing.T, Subject){
		"connects before there are lines": connects,
		"emits the lines in order":        emitsInOrder,
		"ends with the log":               ends,
		"stops when emit fails":           emitFails,
		"stops when the context ends":     contextEnds,
		"the texts of lines stay valid":   textsStay,
	})
}

func run(t *testing.T, open func(t *testing.T) Subject, tests map[string]func(*testing.T, Subject)) {
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { test(t, open(t)) })
		})
	}
}

// read is a running Read and the lines that it has emitted.
type read struct {
	done chan struct{} // closed when it has returned
	err  error         // the error that Read returned

	mu        sync.Mutex
	connected bool // emit was called with an empty batch before any line
	lines     []ktail.Line
}

// start starts a Read at the position, and records emitted lines in the
// position.
func start(ctx context.Context, s ktail.Source, pos *ktail.Position) *read {
	r := &read{done: make(chan struct{})}
	from := pos.Clone()
	go func() {
		defer close(r.done)
		r.err = s.Read(ctx, from, func(lines []ktail.Line) error {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.connected = r.connected || len(lines) == 0 && len(r.lines) == 0
			r.lines = append(r.lines, lines...)
			pos.Advance(lines)
			return nil
		})
	}()
	synctest.Wait()
	return r
}

func (r *read) wants(t *testing.T, texts ...string) {
	t.Helper()
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	var got []string
	for _, l := range r.lines {
		got = append(got, string(l.Text))
	}
	if !slices.Equal(got, texts) {
		t.Errorf("emitted %q, want %q", got, texts)
	}
}

// end waits for the read to return.
func (r *read) end(t *testing.T) error {
	t.Helper()
	select {
	case <-r.done:
	case <-time.After(10 * time.Minute):
		t.Fatal("Read does not return")
	}
	return r.err
}

// pass advances the bubble's clock.
func pass(d time.Duration) {
	time.Sleep(d) //nolint:forbidigo // advances the fake clock
}

func connects(t *testing.T, s Subject) {
	r := start(t.Context(), s.Source, &ktail.Position{})
	if !r.connected {
		t.Error("emit was not called when connected")
	}
	s.End()
}

func emitsInOrder(t *testing.T, s Subject) {
	s.Write("1", "2")
	r := start(t.Context(), s.Source, &ktail.Position{})
	s.Write("3")
	synctest.Wait()
	s.Write("4", "", "6")
	r.wants(t, "1", "2", "3", "4", "", "6")
	for _, l := range r.lines {
		if l.Kind != ktail.Log || l.Stream.Key() != s.Source.Stream().Key() || l.Time != time.Now().UnixNano() {
			t.Errorf("line %q is of kind %d, stream %v, time %d", l.Text, l.Kind, l.Stream, l.Time)
		}
	}
	s.End()
}

func ends(t *testing.T, s Subject) {
	var pos ktail.Position
	s.Write("1")
	var all []string
	r := start(t.Context(), s.Source, &pos)
	s.Write("2")
	s.End()
	// The source may have to confirm the end with another read.
	for range 10 {
		err := r.end(t)
		for _, l := range r.lines {
			if l.Kind == ktail.Log {
				all = append(all, string(l.Text))
			}
		}
		if err == nil {
			break
		}
		r = start(t.Context(), s.Source, &pos)
	}
	if got := strings.Join(all, " "); got != "1 2" || r.err != nil {
		t.Errorf("emitted %q, then %v; want 1 2, and nil", got, r.err)
	}
}

func interrupted(t *testing.T, s Subject) {
	r := start(t.Context(), s.Source, &ktail.Position{})
	s.Cut()
	if err := r.end(t); err == nil {
		t.Error("Read returned nil, although the log continues")
	}
}

func resumes(t *testing.T, s Subject) {
	var pos ktail.Position
	s.Write("1")
	pass(3 * time.Second)
	s.Write("2", "3")
	for i := range 3 {
		r := start(t.Context(), s.Source, &pos)
		if i == 0 {
			r.wants(t, "1", "2", "3")
		} else {
			r.wants(t, "in between")
		}
		s.Write("live")
		synctest.Wait()
		s.Cut()
		if err := r.end(t); err == nil {
			t.Fatal("Read returned nil, although the log continues")
		}
		pass(time.Duration(i) * 700 * time.Millisecond)
		s.Write("in between")
	}
	r := start(t.Context(), s.Source, &pos)
	r.wants(t, "in between")
	s.End()
}

func sameTwice(t *testing.T, s Subject) {
	var pos ktail.Position
	s.Write("same", "same")
	r := start(t.Context(), s.Source, &pos)
	r.wants(t, "same", "same")
	s.Cut()
	_ = r.end(t) // another test checks the error
	s.Write("same")
	r = start(t.Context(), s.Source, &pos)
	r.wants(t, "same")
	s.End()
}

func emitFails(t *testing.T, s Subject) {
	full := errors.New("no space left on device")
	s.Write("1")
	calls := 0
	err := s.Source.Read(t.Context(), ktail.Position{}, func(lines []ktail.Line) error {
		if len(lines) == 0 {
			return nil
		}
		calls++
		return full
	})
	if !errors.Is(err, full) || calls != 1 {
		t.Errorf("Read returned %v after %d calls, want the error of emit, after one", err, calls)
	}
}

func contextEnds(t *testing.T, s Subject) {
	ctx, cancel := context.WithCancel(t.Context())
	s.Write("1")
	r := start(ctx, s.Source, &ktail.Position{})
	began := time.Now()
	cancel()
	if err := r.end(t); !errors.Is(err, context.Canceled) {
		t.Errorf("Read returned %v, want %v", err, context.Canceled)
	}
	if took := time.Since(began); took > 0 {
		t.Errorf("Read returned after %v, want at once", took)
	}
	r.wants(t, "1")
}

func textsStay(t *testing.T, s Subject) {
	r := start(t.Context(), s.Source, &ktail.Position{})
	var want []string
	for i := range 200 {
		text := strings.Repeat(string(rune('a'+i%26)), 1+i*7%500)
		want = append(want, text)
		s.Write(text)
		synctest.Wait()
	}
	r.wants(t, want...)
	s.End()
}

func readAgain(t *testing.T, s Subject) {
	var pos ktail.Position
	s.Write("1")
	ctx, cancel := context.WithCancel(t.Context())
	r := start(ctx, s.Source, &pos)
	cancel()
	_ = r.end(t) // another test checks the error
	s.Write("2")
	r = start(t.Context(), s.Source, &pos)
	r.wants(t, "2")
	s.End()
}
