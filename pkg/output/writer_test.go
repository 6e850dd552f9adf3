package output_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/ktail/ktail/pkg/ktail"
	"github.com/ktail/ktail/pkg/output"
)

// writes records what it receives in each call. From call number fails on, it
// accepts only short bytes and returns err.
type writes struct {
	calls []string
	fails int // 0 for never
	short int
	err   error
}

func (w *writes) Write(p []byte) (int, error) {
	if w.fails > 0 && len(w.calls)+1 >= w.fails {
		w.calls = append(w.calls, string(p[:w.short]))
		return w.short, w.err
	}
	w.calls = append(w.calls, string(p))
	return len(p), nil
}

func (w *writes) lengths() []int {
	var n []int
	for _, c := range w.calls {
		n = append(n, len(c))
	}
	return n
}

func logLine(text string) ktail.Line { return ktail.Line{Text: []byte(text)} }

// logLines returns n lines of size bytes each, including the newline.
func logLines(n, size int) []ktail.Line {
	return slices.Repeat([]ktail.Line{logLine(strings.Repeat("x", size-1))}, n)
}

func TestWriter_FlushesEachBatch(t *testing.T) {
	const k = 1024
	tests := []struct {
		name    string
		batches [][]ktail.Line
		want    []int // bytes of each write
	}{
		{"an empty batch is not written", [][]ktail.Line{nil, {}}, nil},
		{"a small batch is written at once", [][]ktail.Line{logLines(3, 10), logLines(1, 10)}, []int{30, 10}},
		{"a large batch is written in parts of 64 KiB", [][]ktail.Line{logLines(150, k)}, []int{64 * k, 64 * k, 22 * k}},
		{"a batch of 64 KiB is written at once", [][]ktail.Line{logLines(64, k)}, []int{64 * k}},
		{"a long line is written with the lines before it", [][]ktail.Line{slices.Concat(logLines(1, 10), logLines(1, 1000*k), logLines(1, 10))}, []int{10 + 1000*k, 10}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out writes
			w := &output.Writer{Out: &out, Renderer: output.Raw{}}
			for _, lines := range tt.batches {
				if err := w.Write(t.Context(), lines); err != nil {
					t.Fatal(err)
				}
			}
			if err := w.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := out.lengths(); !slices.Equal(got, tt.want) {
				t.Errorf("wrote %d, want %d", got, tt.want)
			}
		})
	}
}

func TestWriter_CallsNoticeInPlace(t *testing.T) {
	lines := []ktail.Line{
		logLine("1"),
		{Kind: ktail.Gap, Text: []byte("gap")},
		{Kind: ktail.Diagnostic, Text: []byte("diagnostic")},
		logLine("2"),
		{Text: []byte("3"), Cut: true},
		logLine("4"),
	}
	var both bytes.Buffer
	w := &output.Writer{Out: &both, Renderer: output.Raw{}, Notice: func(l *ktail.Line) {
		both.WriteString("! " + string(l.Text) + "\n")
	}}
	if err := w.Write(t.Context(), lines); err != nil {
		t.Fatal(err)
	}
	const want = "1\n! gap\n! diagnostic\n2\n3 …[line cut by ktail at 1 bytes]\n! 3\n4\n"
	if got := both.String(); got != want {
		t.Errorf("got %q, want %q", got, want)
	}

	var out bytes.Buffer
	w = &output.Writer{Out: &out, Renderer: output.Raw{}}
	if err := w.Write(t.Context(), lines); err != nil {
		t.Fatal(err)
	}
	const wantAlone = "1\n2\n3 …[line cut by ktail at 1 bytes]\n4\n"
	if got := out.String(); got != wantAlone {
		t.Errorf("without Notice: got %q, want %q", got, wantAlone)
	}
}

func TestWriter_ErrorIsSticky(t *testing.T) {
	full := errors.New("no space left on device")
	tests := []struct {
		name  string
		out   writes
		lines []ktail.Line
		want  error
		calls int
	}{
		{"at the end of the batch", writes{fails: 1, err: full}, logLines(1, 10), full, 1},
		{"in the middle of the batch", writes{fails: 2, err: full}, logLines(300, 1024), full, 2},
		{"before a notice", writes{fails: 1, err: full}, []ktail.Line{logLine("1"), {Kind: ktail.Gap}}, full, 1},
		{"after a partial write", writes{fails: 1, short: 4, err: full}, logLines(1, 10), full, 1},
		{"a short write without an error", writes{fails: 1, short: 4}, logLines(1, 10), io.ErrShortWrite, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := &output.Writer{Out: &tt.out, Renderer: output.Raw{}, Notice: func(*ktail.Line) {
				t.Error("Notice was called before the lines before it were written")
			}}
			for range 2 {
				err := w.Write(t.Context(), tt.lines)
				if !errors.Is(err, tt.want) {
					t.Fatalf("error %v, want %v", err, tt.want)
				}
				if want := "write output: " + tt.want.Error(); err.Error() != want {
					t.Errorf("error %q, want %q", err, want)
				}
			}
			if err := w.Write(t.Context(), nil); !errors.Is(err, tt.want) {
				t.Errorf("error for an empty batch %v, want %v", err, tt.want)
			}
			if len(tt.out.calls) != tt.calls {
				t.Errorf("%d calls, want %d", len(tt.out.calls), tt.calls)
			}
		})
	}
}

func TestWriter_ChecksContextBeforeBatch(t *testing.T) {
	var out writes
	w := &output.Writer{Out: &out, Renderer: output.Raw{}}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := w.Write(ctx, logLines(1, 10)); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want %v", err, context.Canceled)
	}
	if out.calls != nil {
		t.Errorf("wrote %q", out.calls)
	}
	// No line is half written, so the caller may retry.
	if err := w.Write(t.Context(), logLines(1, 10)); err != nil {
		t.Error(err)
	}
	if got := out.lengths(); !slices.Equal(got, []int{10}) {
		t.Errorf("wrote %d, want one line", got)
	}
}

// canceling is a writer that ends the context during its first write.
type canceling struct {
	writes
	cancel context.CancelFunc
}

func (c *canceling) Write(p []byte) (int, error) {
	c.cancel()
	return c.writes.Write(p)
}

func TestWriter_FinishesBatchAfterCancel(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	out := &canceling{cancel: cancel}
	w := &output.Writer{Out: out, Renderer: output.Raw{}}
	if err := w.Write(ctx, logLines(100, 1024)); err != nil {
		t.Fatal(err)
	}
	if got := len(strings.Join(out.calls, "")); got != 100*1024 {
		t.Errorf("wrote %d bytes of %d", got, 100*1024)
	}
}
