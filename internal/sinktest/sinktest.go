// Package sinktest tests the contract of ktail.Sink. Run is the suite that
// every implementation runs. Recorder is a sink in memory that reports callers
// that violate the contract.
package sinktest

import (
	"context"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ktail/ktail/pkg/ktail"
)

// Subject is a sink under test, and its destination.
type Subject struct {
	Sink ktail.Sink
	// Received returns the texts that have arrived. If the sink does not keep
	// the order of lines, Received returns them sorted.
	Received func() []string
	// Line returns a line that the sink accepts. The default is a log line.
	Line func(text string) ktail.Line
	// Block makes the destination accept nothing more until the test ends. It
	// is nil if Write never blocks.
	Block func()
	// Fail makes the destination fail once. It is nil if Write does not return
	// the errors of the destination.
	Fail func(error)
}

// Run tests that a sink keeps the contract. open is called in a
// testing/synctest bubble, once for each test. It returns a sink whose run ends
// with the context. The suite closes the sink.
func Run(t *testing.T, open func(t *testing.T, ctx context.Context) Subject) {
	for name, test := range map[string]func(context.Context, *testing.T, context.CancelFunc, Subject){
		"the caller may reuse the slice":              reuse,
		"Close flushes":                               closeFlushes,
		"an empty batch has no lines":                 empty,
		"an error is permanent":                       errorIsPermanent,
		"the end of the context ends a blocked Write": contextEnds,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				test(ctx, t, cancel, open(t, ctx))
			})
		})
	}
}

var stream = &ktail.Stream{Namespace: "ns", Pod: "pod", PodUID: "1", Container: "c"}

func (s *Subject) line(text string) ktail.Line {
	if s.Line != nil {
		return s.Line(text)
	}
	return ktail.Line{Stream: stream, Time: time.Now().UnixNano(), Text: []byte(text)}
}

// reuse overwrites the lines after each Write, as the merger does, with lines
// that would be noticed because they are never written.
func reuse(ctx context.Context, t *testing.T, _ context.CancelFunc, s Subject) {
	var want []string
	batch := make([]ktail.Line, 0, 7)
	for range 50 {
		batch = batch[:0]
		for range cap(batch) {
			text := fmt.Sprintf("line %03d", len(want))
			want = append(want, text)
			batch = append(batch, s.line(text))
		}
		if err := s.Sink.Write(ctx, batch); err != nil {
			t.Fatal(err)
		}
		for i := range batch {
			batch[i] = s.line("overwritten")
		}
		<-time.After(10 * time.Millisecond) // background work sees the overwritten lines
	}
	closeAndCompare(ctx, t, s, want)
}

func closeFlushes(ctx context.Context, t *testing.T, _ context.CancelFunc, s Subject) {
	if err := s.Sink.Write(ctx, []ktail.Line{s.line("the only one")}); err != nil {
		t.Fatal(err)
	}
	closeAndCompare(ctx, t, s, []string{"the only one"})
}

func empty(ctx context.Context, t *testing.T, _ context.CancelFunc, s Subject) {
	if err := s.Sink.Write(ctx, nil); err != nil {
		t.Fatal(err)
	}
	closeAndCompare(ctx, t, s, nil)
}

func closeAndCompare(ctx context.Context, t *testing.T, s Subject, want []string) {
	t.Helper()
	if err := s.Sink.Close(ctx); err != nil {
		t.Errorf("Close: %v", err)
	}
	if got := s.Received(); !slices.Equal(got, want) {
		t.Errorf("received %q, want %q", got, want)
	}
}

// errorIsPermanent tests that no line is accepted after a lost one.
func errorIsPermanent(ctx context.Context, t *testing.T, _ context.CancelFunc, s Subject) {
	defer s.Sink.Close(ctx) //nolint:errcheck // it may repeat the error
	if s.Fail == nil {
		return
	}
	s.Fail(fmt.Errorf("no room"))
	for range 3 {
		if err := s.Sink.Write(ctx, []ktail.Line{s.line("lost")}); err == nil {
			t.Error("Write succeeds after a line was lost")
		}
	}
	if got := s.Received(); len(got) > 0 {
		t.Errorf("received %q after the error", got)
	}
}

// shutdown is how long Write may take after the end of the context.
const shutdown = time.Minute

// contextEnds fills the sink until a Write blocks.
func contextEnds(ctx context.Context, t *testing.T, cancel context.CancelFunc, s Subject) {
	if s.Block == nil {
		s.Sink.Close(ctx) //nolint:errcheck // nothing was written
		return
	}
	s.Block()
	batch := make([]ktail.Line, 64)
	random := rand.NewChaCha8([32]byte{})
	for i := range batch {
		text := make([]byte, 12<<10)
		random.Read(text)                                          //nolint:errcheck // never fails
		batch[i] = s.line(base64.StdEncoding.EncodeToString(text)) // random texts cannot be compressed
	}
	ended := make(chan error, 1)
	go func() {
		for range 1000 { // 1 GiB
			if err := s.Sink.Write(ctx, batch); err != nil {
				ended <- err
				return
			}
		}
		ended <- nil
	}()
	synctest.Wait()
	select {
	case err := <-ended:
		t.Fatalf("Write does not block: %v", err)
	default:
	}
	cancel()
	select {
	case err := <-ended:
		if err == nil {
			t.Error("Write succeeds although nothing accepts the lines")
		}
	case <-time.After(shutdown):
		t.Errorf("Write blocks %v after the end of the context", shutdown)
	}
	s.Sink.Close(ctx) //nolint:errcheck // lines are missing
}
