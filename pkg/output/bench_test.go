package output_test

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/ktail/ktail/pkg/ktail"
	"github.com/ktail/ktail/pkg/output"
)

// load returns 1000 lines of 158 bytes from 50 streams. Consecutive lines
// belong to different streams.
func load() []ktail.Line {
	streams := make([]*ktail.Stream, 50)
	for i := range streams {
		streams[i] = &ktail.Stream{
			Namespace: "default",
			Pod:       fmt.Sprintf("web-6d4cf56db6-%05d", i),
			Container: "nginx",
			Node:      "node-1",
			Labels:    map[string]string{"app": "web", "pod-template-hash": "6d4cf56db6"},
		}
	}
	text := strings.Repeat(`10.0.0.1 - - [02/Jan/2026:15:04:05 +0000] "GET /index.html HTTP/1.1" 200 612 `, 3)[:158]
	lines := make([]ktail.Line, 1000)
	for i := range lines {
		lines[i] = ktail.Line{Stream: streams[i%len(streams)], Text: []byte(text)}
	}
	return lines
}

func TestWriter_DoesNotAllocatePerLine(t *testing.T) {
	lines := load()
	for _, r := range []ktail.Renderer{
		&output.Default{},
		&output.Default{Style: output.Style{Color: true, Namespace: true}},
		output.Raw{},
		&output.JSON{},
		&output.JSON{Timestamps: stamped().Timestamps, Terminal: true},
		&output.ExtJSON{Style: output.Style{Color: true}, Text: stamped()},
		&output.Default{Text: stamped(), Align: 40},
		&output.Default{Style: output.Style{Color: true}, Text: &output.Text{
			Levels: true, Terminal: true, Highlight: output.NewHighlighter(compile("GET", "absent")...),
		}},
	} {
		w := &output.Writer{Out: io.Discard, Renderer: r}
		write := func() {
			if err := w.Write(t.Context(), lines); err != nil {
				t.Fatal(err)
			}
		}
		write() // renders what is cached for each stream
		if n := testing.AllocsPerRun(10, write); n != 0 {
			t.Errorf("%T: %v allocations for %d lines", r, n, len(lines))
		}
	}
}

func BenchmarkDefault(b *testing.B) { benchmark(b, &output.Default{}) }

func BenchmarkDefaultColor(b *testing.B) {
	benchmark(b, &output.Default{Style: output.Style{Color: true}})
}

func BenchmarkRaw(b *testing.B) { benchmark(b, output.Raw{}) }

func BenchmarkJSON(b *testing.B) { benchmark(b, &output.JSON{}) }

func BenchmarkExtJSON(b *testing.B) { benchmark(b, &output.ExtJSON{}) }

func BenchmarkTimestamps(b *testing.B) { benchmark(b, &output.Default{Text: stamped()}) }

func BenchmarkTerminal(b *testing.B) {
	benchmark(b, &output.Default{Style: output.Style{Color: true}, Align: 40, Text: &output.Text{Levels: true, Terminal: true}})
}

func BenchmarkHighlight(b *testing.B) {
	for name, expr := range map[string]string{"literal": "GET", "absent": "POST", "expression": `\d{3} \d+`} {
		b.Run(name, func(b *testing.B) {
			benchmark(b, &output.Default{Text: &output.Text{Highlight: output.NewHighlighter(compile(expr)...)}})
		})
	}
}

func BenchmarkTemplate(b *testing.B) {
	for name, text := range map[string]string{
		"default": "{{color .PodColor .PodName}} {{color .ContainerColor .ContainerName}} {{.Message}}\n",
		"parsed":  "{{with tryParseJSON .Message}}{{.msg}}{{else}}{{.Message}}{{end}}\n",
	} {
		b.Run(name, func(b *testing.B) {
			r, err := output.NewTemplate(text, output.Style{Color: true})
			if err != nil {
				b.Fatal(err)
			}
			benchmark(b, r)
		})
	}
}

// benchmark writes lines with a Writer. MB/s counts the bytes of the messages.
func benchmark(b *testing.B, r ktail.Renderer) {
	lines := load()
	w := &output.Writer{Out: io.Discard, Renderer: r}
	ctx := b.Context()
	b.SetBytes(int64(len(lines) * len(lines[0].Text)))
	b.ReportAllocs()
	for b.Loop() {
		if err := w.Write(ctx, lines); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(lines)), "ns/line")
}
