package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

const (
	// piece is the number of bytes of a long line that are written at once.
	piece = 1 << 20
	// pace is the pause between two pieces. It limits the rate to 20 MB/s, so
	// that followers of the log keep up with its rotation.
	pace = 50 * time.Millisecond
)

// writer writes numbered lines.
type writer struct {
	*options
	last int // number of the last line written

	out *bufio.Writer
	err io.Writer
	pad string
}

func newWriter(o *options, last int) *writer {
	return &writer{
		options: o,
		last:    last,
		out:     bufio.NewWriterSize(os.Stdout, 64<<10),
		err:     os.Stderr,
		pad:     strings.Repeat("x", min(o.size, piece)),
	}
}

// writeLines writes all lines, or stops at a signal, which it returns. It never
// leaves a partial line.
func (w *writer) writeLines(term <-chan os.Signal) os.Signal {
	defer w.out.Flush()
	start := time.Now()
	for i := 1; w.lines == 0 || i <= w.lines; i++ {
		w.last++
		w.writeLine()
		if w.rate == 0 {
			select {
			case sig := <-term:
				return sig
			default:
			}
			continue
		}
		w.out.Flush()
		due := start.Add(time.Duration(float64(i) / w.rate * float64(time.Second)))
		if sig := wait(term, time.Until(due)); sig != nil {
			return sig
		}
	}
	return nil
}

func (w *writer) writeLine() {
	out := io.Writer(w.out)
	if w.stderrEvery > 0 && w.last%w.stderrEvery == 0 {
		// Earlier lines come first.
		w.out.Flush()
		out = w.err
	}
	now := time.Now().UTC().Format(time.RFC3339Nano)
	switch {
	case w.json:
		fmt.Fprintf(out, `{"ts":%q,"level":"info","app":%q,"n":%d,"msg":"line %d","pad":%q}`+"\n", now, w.name, w.last, w.last, w.pad)
	case w.size > piece:
		w.writeLong()
	default:
		line := fmt.Sprintf("%s line %d", w.name, w.last)
		if w.stamp {
			line += " " + now
		}
		if w.size > 0 {
			line += " " + w.pad
		}
		io.WriteString(out, line+"\n")
	}
}

// writeLong slowly writes a line to stdout that is too long to keep in memory.
func (w *writer) writeLong() {
	fmt.Fprintf(w.out, "%s line %d ", w.name, w.last)
	for left := w.size; left > 0; left -= piece {
		w.out.WriteString(w.pad[:min(left, piece)])
		w.out.Flush()
		time.Sleep(pace)
	}
	w.out.WriteByte('\n')
}

// writeWords writes a line without a number.
func (w *writer) writeWords(text string) {
	w.out.WriteString(text)
	w.out.Flush()
}
