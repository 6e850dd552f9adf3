package stdin_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"

	"github.com/ktail/ktail/pkg/ktail"
	"github.com/ktail/ktail/pkg/stdin"
)

// source returns the one source of a reader.
func source(t *testing.T, in io.Reader) ktail.Source {
	t.Helper()
	var found []ktail.Source
	err := (&stdin.Watcher{In: in}).Watch(t.Context(), func(sources []ktail.Source) { found = sources })
	if err != nil || len(found) != 1 {
		t.Fatalf("found %v, %v", found, err)
	}
	return found[0]
}

// read returns the lines; those that were cut end with a *.
func read(t *testing.T, in io.Reader) ([]string, error) {
	t.Helper()
	var texts []string
	err := source(t, in).Read(t.Context(), ktail.Position{}, func(lines []ktail.Line) error {
		for _, l := range lines {
			text := string(l.Text)
			if l.Cut {
				text += "*"
			}
			texts = append(texts, text)
			if l.Time == 0 || l.Stream == nil {
				t.Errorf("line %q has no time or no stream", l.Text)
			}
		}
		return nil
	})
	return texts, err
}

func TestRead_EmitsEachLine(t *testing.T) {
	const mib = 1 << 20
	long := strings.Repeat("x", mib)
	tests := []struct {
		name, in string
		want     []string
	}{
		{"nothing", "", nil},
		{"lines", "a\nb\n", []string{"a", "b"}},
		{"the last line without its newline", "a\nb", []string{"a", "b"}},
		{"empty ones", "\n\na\n\n", []string{"", "", "a", ""}},
		{"carriage returns and nulls stay", "a\r\n\x00\n", []string{"a\r", "\x00"}},
		{"a line of the greatest length", long + "\nb\n", []string{long, "b"}},
		{"longer ones", long + "y\nb\n" + long + "zz", []string{long + "*", "b", long + "*"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for name, in := range map[string]io.Reader{
				"at once":                 strings.NewReader(tt.in),
				"half a buffer at a time": iotest.HalfReader(strings.NewReader(tt.in)),
				"data together with EOF":  iotest.DataErrReader(strings.NewReader(tt.in)),
			} {
				got, err := read(t, in)
				if err != nil {
					t.Fatal(err)
				}
				if strings.Join(got, "\n") != strings.Join(tt.want, "\n") || len(got) != len(tt.want) {
					t.Errorf("%s: %d lines, want %d", name, len(got), len(tt.want))
				}
			}
		})
	}
}

// Lines that arrive one at a time share chunks.
func TestRead_SmallReadsShareMemory(t *testing.T) {
	const lines = 5000
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	got, err := read(t, iotest.OneByteReader(strings.NewReader(strings.Repeat("x\n", lines))))
	runtime.ReadMemStats(&after)
	if err != nil || len(got) != lines {
		t.Fatalf("%d lines, %v", len(got), err)
	}
	if taken := after.TotalAlloc - before.TotalAlloc; taken > 10<<20 {
		t.Errorf("%d short lines took %d bytes", lines, taken)
	}
}

func TestRead_ReturnsReadError(t *testing.T) {
	broken := errors.New("broken")
	got, err := read(t, io.MultiReader(strings.NewReader("a\nb"), iotest.ErrReader(broken)))
	if strings.Join(got, " ") != "a b" {
		t.Errorf("got lines %q", got)
	}
	var permanent *ktail.ReadError
	if !errors.Is(err, broken) || !errors.As(err, &permanent) || !permanent.Permanent {
		t.Errorf("error is %v, want a permanent one", err)
	}
}

func TestRead_StopsWhenEmitFails(t *testing.T) {
	full := errors.New("full")
	err := source(t, strings.NewReader("a\n")).Read(t.Context(), ktail.Position{}, func(lines []ktail.Line) error {
		if len(lines) > 0 {
			return full
		}
		return nil
	})
	if !errors.Is(err, full) {
		t.Errorf("error is %v", err)
	}
}

// A line is emitted when it arrives rather than when more data does, and a
// reader that returns nothing does not keep ktail from ending.
func TestRead_EndsWithContextWhileBlocked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in, out := io.Pipe()
		src := source(t, in)
		ctx, cancel := context.WithCancel(t.Context())
		var got bytes.Buffer
		done := make(chan error)
		go func() {
			done <- src.Read(ctx, ktail.Position{}, func(lines []ktail.Line) error {
				for _, l := range lines {
					got.Write(append(l.Text, '|'))
				}
				return nil
			})
		}()
		for _, text := range []string{"a\nb", "c\n"} {
			if _, err := io.WriteString(out, text); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		if got.String() != "a|bc|" {
			t.Errorf("got %q", got.String())
		}
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("error is %v", err)
		}
		_ = out.Close() // never fails; it ends the goroutine left behind
		synctest.Wait()
	})
}

// FuzzRead checks that any text, in chunks of any size, is split into its
// lines.
func FuzzRead(f *testing.F) {
	for _, text := range []string{"", "a", "a\nb\n", "\n\n", "\r\n\x00"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		got, err := read(t, iotest.OneByteReader(bytes.NewReader(text)))
		if err != nil {
			t.Fatal(err)
		}
		var want []string
		for line := range strings.Lines(string(text)) {
			want = append(want, strings.TrimSuffix(line, "\n"))
		}
		if strings.Join(got, "\n") != strings.Join(want, "\n") || len(got) != len(want) {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	})
}
