package output

import (
	"io"
	"slices"
	"testing"

	"github.com/ktail/ktail/pkg/ktail"
)

func TestWriter_ReleasesBuffersOver256KiB(t *testing.T) {
	small := slices.Repeat([]ktail.Line{{Text: make([]byte, 1000)}}, 100)
	giant := []ktail.Line{{Text: make([]byte, 1<<20)}}
	w := &Writer{Out: io.Discard, Renderer: Raw{}}
	for _, lines := range [][]ktail.Line{small, giant, small} {
		if err := w.Write(t.Context(), lines); err != nil {
			t.Fatal(err)
		}
		if got := cap(w.buf); got > maxKept {
			t.Errorf("%d bytes kept, want at most %d", got, maxKept)
		}
	}
	if cap(w.buf) < flushSize {
		t.Errorf("%d bytes kept after small lines, want at least %d", cap(w.buf), flushSize)
	}
}
