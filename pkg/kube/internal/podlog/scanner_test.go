package podlog

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ktail/ktail/pkg/cri"
	"github.com/ktail/ktail/pkg/ktail"
)

// chunks serves a body in reads of the given sizes, repeated, and then fails
// with err.
type chunks struct {
	rest  []byte
	sizes []byte
	reads int
	err   error
}

func (c *chunks) Read(p []byte) (int, error) {
	if len(c.rest) == 0 {
		return 0, c.err
	}
	size := 1
	if len(c.sizes) > 0 {
		size += int(c.sizes[c.reads%len(c.sizes)])
		c.reads++
	}
	n := copy(p, c.rest[:min(size, len(c.rest))])
	c.rest = c.rest[n:]
	return n, nil
}

// scan reads the body to its end. It does not copy the texts, which must not
// change.
func scan(t testing.TB, r io.Reader, end error) ([]ktail.Line, *scanner) {
	t.Helper()
	s := newScanner(r, &ktail.Stream{})
	var all []ktail.Line
	for {
		lines, err := s.next()
		all = append(all, lines...)
		if err != nil {
			if !errors.Is(err, end) {
				t.Errorf("the body ended with %v, want %v", err, end)
			}
			return all, s
		}
	}
}

var stamped = regexp.MustCompile(`^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(?:Z|([+-])(\d\d):(\d\d)) `)

// model parses one line with a regular expression.
func model(raw []byte) ktail.Line {
	m := stamped.FindSubmatch(raw)
	if m == nil {
		return ktail.Line{Kind: ktail.Diagnostic, Text: raw}
	}
	t, err := time.Parse("2006-01-02T15:04:05", string(m[1]))
	if err != nil {
		return ktail.Line{Kind: ktail.Diagnostic, Text: raw}
	}
	number := func(b []byte) int64 {
		n, _ := strconv.ParseInt(string(b), 10, 64) // no fraction is 0
		return n
	}
	offset := number(m[4])*3600 + number(m[5])*60
	if string(m[3]) == "-" {
		offset = -offset
	}
	fraction := number([]byte((string(m[2]) + "000000000")[:9]))
	seconds := min(max(t.Unix()-offset, math.MinInt64/int64(time.Second)+1), math.MaxInt64/int64(time.Second)-1)
	return ktail.Line{Time: seconds*int64(time.Second) + fraction, Text: raw[len(m[0]):]}
}

// modelTerminated parses one line that ends with a newline. Only then, a timestamp without
// a space is an empty line.
func modelTerminated(raw []byte) ktail.Line {
	if l := model(append(bytes.Clone(raw), ' ')); l.Kind == ktail.Log && len(l.Text) == 0 && !bytes.Contains(raw, []byte(" ")) {
		return l
	}
	return model(raw)
}

func check(t *testing.T, got, want ktail.Line) {
	t.Helper()
	if got.Kind != want.Kind || got.Time != want.Time || got.Cut != want.Cut || !bytes.Equal(got.Text, want.Text) {
		t.Errorf("got  kind %d time %d cut %v %.80q\nwant kind %d time %d cut %v %.80q",
			got.Kind, got.Time, got.Cut, got.Text, want.Kind, want.Time, want.Cut, want.Text)
	}
}

// FuzzScanner checks that any body, in pieces of any size, is split into its
// lines.
func FuzzScanner(f *testing.F) {
	for _, body := range []string{
		"",
		"\n\n",
		"2026-01-02T15:04:05.123456789Z hello\n2026-01-02T15:04:05.123456789Z hello\n",
		"2026-01-02T15:04:05Z \n2026-01-02T15:04:06.5+07:00 half past\n2026-01-02T15:04:06.000000001-03:30 one\n",
		"unable to retrieve container logs for containerd://x",
		"2026-01-02T15:04:05.123456789Z\n2026-01-02T15:04:05+07:00\n2026-01-02T15:04:05Zx\n2026-01-02T15:04:05Z",
		"2026-01-02T15:04:05.1234567890Z ten digits\n2026-02-30T15:04:05Z no such day\n2026-01-02T15:04:60Z nor second\n",
		"2026-01-02T15:04:05.Z no digits\n2026-01-02 15:04:05Z other form\n2026-01-02T15:04:05,5Z comma\n2026-01-02T15:04:05",
	} {
		f.Add([]byte(body), []byte{0})
		f.Add([]byte(body), []byte{255, 3, 0, 40})
	}
	f.Fuzz(func(t *testing.T, body, sizes []byte) {
		raws := bytes.Split(body, []byte("\n"))
		rest := raws[len(raws)-1]
		got, s := scan(t, &chunks{rest: body, sizes: sizes, err: io.EOF}, io.EOF)
		if len(got) != len(raws)-1 {
			t.Fatalf("%d lines, want %d", len(got), len(raws)-1)
		}
		for i, l := range got {
			check(t, l, modelTerminated(raws[i]))
		}
		if !bytes.Equal(s.rest(), rest) {
			t.Errorf("after the last newline %q, want %q", s.rest(), rest)
		}
		check(t, s.tail(), model(rest))
	})
}

// The body has many lines, so that chunks grow and shrink.
func TestScanner_ChunksGrowAndShrink(t *testing.T) {
	var body []byte
	for i := range 20_000 {
		body = fmt.Appendf(body, "2026-01-02T15:%02d:%02d.%09dZ %s%d\n", i/60%60, i%60, i, strings.Repeat("x", i%300), i)
	}
	raws := bytes.Split(bytes.TrimSuffix(body, []byte("\n")), []byte("\n"))
	for _, sizes := range [][]byte{{0, 7}, {255}, {10, 200, 255, 255, 255}} {
		broke := errors.New("connection reset")
		got, _ := scan(t, &chunks{rest: body, sizes: sizes, err: broke}, broke)
		if len(got) != len(raws) {
			t.Fatalf("%d lines, want %d", len(got), len(raws))
		}
		for i, l := range got {
			check(t, l, model(raws[i]))
		}
	}
}

// A line that is too long is cut, however long it is; its neighbors are whole. The text is
// that of the log file of the node, whose scanner does not count timestamps.
func TestScanner_CutsLongLine(t *testing.T) {
	const most = cri.MaxText
	for _, stamp := range []string{"2026-01-02T15:04:05.000000001Z ", "2026-01-02T15:04:05.000000001+05:30 ", "2026-01-02T15:04:05Z "} {
		for _, size := range []int{most - 1, most, most + 1, most + 10, most + chunkLeast - 1, most + chunkLeast, 2 * maxLine, 9*maxLine + 17} {
			t.Run(fmt.Sprint(stamp, size), func(t *testing.T) {
				long := bytes.Repeat([]byte("abcdefg"), size/7+1)[:size]
				body := slices.Concat([]byte(stamp+"before\n"+stamp), long, []byte("\n"+stamp+"after\n"+stamp+"rest"))
				for _, body := range []io.Reader{
					&chunks{rest: body, sizes: []byte{255, 255, 254, 1}, err: io.EOF},
					bytes.NewReader(body), // fills each chunk
				} {
					got, s := scan(t, body, io.EOF)
					if len(got) != 3 {
						t.Fatalf("%d lines, want 3", len(got))
					}
					check(t, got[0], model([]byte(stamp+"before")))
					want := model(slices.Concat([]byte(stamp), long))
					if size > most {
						want.Text, want.Cut = want.Text[:most], true
					}
					check(t, got[1], want)
					check(t, got[2], model([]byte(stamp+"after")))
					check(t, s.tail(), model([]byte(stamp+"rest")))
					if most := 2*maxLine + chunkLeast; cap(s.chunk) > most {
						t.Errorf("a chunk of %d bytes is held, want at most %d", cap(s.chunk), most)
					}
				}
			})
		}
	}
}
