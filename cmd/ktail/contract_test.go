package main

import (
	"context"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/ktail/ktail/internal/sinktest"
	"github.com/ktail/ktail/pkg/ktail"
	"github.com/ktail/ktail/pkg/output"
)

func TestNotices_KeepContractOfSink(t *testing.T) {
	sinktest.Run(t, func(*testing.T, context.Context) sinktest.Subject {
		var reported []string
		return sinktest.Subject{
			Sink:     &notices{report: func(l *ktail.Line) { reported = append(reported, string(l.Text)) }},
			Received: func() []string { return reported },
			Line:     func(text string) ktail.Line { return ktail.Line{Kind: ktail.Gap, Text: []byte(text)} },
		}
	})
}

// textRenderer renders the text of a line.
type textRenderer struct{}

func (textRenderer) Append(dst []byte, l *ktail.Line) []byte {
	return append(append(dst, l.Text...), '\n')
}

// slowReader is an io.Writer that blocks until the test ends once blocked is set.
type slowReader struct {
	ended   chan struct{}
	mu      sync.Mutex
	text    strings.Builder
	blocked bool
	err     error
}

func (r *slowReader) Write(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.blocked {
		<-r.ended
		return 0, io.ErrClosedPipe
	}
	if err := r.err; err != nil {
		r.err = nil
		return 0, err
	}
	return r.text.Write(b)
}

func TestStdout_KeepsContractOfSink(t *testing.T) {
	sinktest.Run(t, func(t *testing.T, ctx context.Context) sinktest.Subject {
		reader := &slowReader{ended: make(chan struct{})}
		stdout := startInterruptibleWriter(ctx, reader, shutdownGrace)
		t.Cleanup(func() {
			close(reader.ended)
			stdout.close()
		})
		return sinktest.Subject{
			Sink: &output.Writer{Out: stdout, Renderer: textRenderer{}},
			Received: func() []string {
				texts := strings.Split(reader.text.String(), "\n")
				return texts[:len(texts)-1]
			},
			Block: func() { reader.blocked = true },
			Fail:  func(err error) { reader.err = err },
		}
	})
}
