package output_test

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/ktail/ktail/internal/sinktest"
	"github.com/ktail/ktail/pkg/ktail"
	"github.com/ktail/ktail/pkg/output"
)

// textRenderer renders the text of a line.
type textRenderer struct{}

func (textRenderer) Append(dst []byte, l *ktail.Line) []byte {
	return append(append(dst, l.Text...), '\n')
}

// destination is an io.Writer that fails once if err is set.
type destination struct {
	bytes.Buffer
	err error
}

func (d *destination) Write(b []byte) (int, error) {
	if err := d.err; err != nil {
		d.err = nil
		return 0, err
	}
	return d.Buffer.Write(b)
}

// TestWriter_KeepsContractOfSink does not test a blocked Write. cmd/ktail does,
// because its destination can be interrupted.
func TestWriter_KeepsContractOfSink(t *testing.T) {
	sinktest.Run(t, func(*testing.T, context.Context) sinktest.Subject {
		var out destination
		return sinktest.Subject{
			Sink: &output.Writer{Out: &out, Renderer: textRenderer{}},
			Received: func() []string {
				texts := strings.Split(out.String(), "\n")
				return texts[:len(texts)-1]
			},
			Fail: func(err error) { out.err = err },
		}
	})
}
