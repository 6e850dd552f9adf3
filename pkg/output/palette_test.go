package output_test

import (
	"sync"
	"testing"

	"github.com/ktail/ktail/pkg/ktail"
	"github.com/ktail/ktail/pkg/output"
)

func TestParsePalette_AcceptsSGRParameters(t *testing.T) {
	s := &ktail.Stream{Pod: "p", Container: "c"}
	tests := []struct {
		name             string
		pods, containers []string
		want             string // what a line of s begins with; empty: an error
	}{
		{"one color for pods", []string{"91"}, nil, "\x1b[91mp\x1b[0m \x1b[91mc\x1b[0m "},
		{"colors for pods and containers", []string{"91"}, []string{"32;4"}, "\x1b[91mp\x1b[0m \x1b[32;4mc\x1b[0;24m "},
		{"24-bit color", []string{"38;2;255;97;136"}, nil, "\x1b[38;2;255;97;136mp\x1b[0;22;0;0;0m \x1b[38;2;255;97;136mc\x1b[0;22;0;0;0m "},
		{"spaces", []string{" 91 "}, nil, "\x1b[91mp\x1b[0m \x1b[91mc\x1b[0m "},
		{"no color for pods", nil, []string{"91"}, ""},
		{"different numbers of colors", []string{"91", "92"}, []string{"91"}, ""},
		{"a name", []string{"red"}, nil, ""},
		{"a name for containers", []string{"91"}, []string{"red"}, ""},
		{"nothing", []string{""}, nil, ""},
		{"negative", []string{"-1"}, nil, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := output.ParsePalette(tt.pods, tt.containers)
			if tt.want == "" {
				if err == nil {
					t.Error("no error")
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			r := &output.Default{Style: output.Style{Color: true, Palette: p}}
			if got := string(r.Append(nil, &ktail.Line{Stream: s})); got != tt.want+"\n" {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestStyle_DiffContainerColorsByContainer(t *testing.T) {
	name := func(pod, container string, diff bool) string {
		r := &output.Default{Style: output.Style{Color: true, DiffContainer: diff}}
		return string(r.Append(nil, &ktail.Line{Stream: &ktail.Stream{Pod: pod, Container: container}}))
	}
	if got, want := name("web-1", "nginx", false), "\x1b[93mweb-1\x1b[0m \x1b[33mnginx\x1b[0m \n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := name("web-1", "sidecar", true), "\x1b[93mweb-1\x1b[0m \x1b[36msidecar\x1b[0m \n"; got != want {
		t.Errorf("with --diff-container: got %q, want %q", got, want)
	}
}

// Expect reserves the columns of a stream before its first line, even if many
// goroutines call it.
func TestDefault_ExpectReservesColumn(t *testing.T) {
	r := &output.Default{Align: 20}
	var all sync.WaitGroup
	for _, pod := range []string{"web-1", "a-longer-name", "far-too-long-to-be-aligned", "api"} {
		all.Go(func() { r.Expect(&ktail.Stream{Pod: pod, Container: "c"}) })
	}
	all.Wait()
	l := ktail.Line{Stream: &ktail.Stream{Pod: "api", Container: "c"}, Text: []byte("m")}
	if got, want := string(r.Append(nil, &l)), "api c            m\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestDefault_AlignsMessages(t *testing.T) {
	line := func(pod string) *ktail.Line {
		return &ktail.Line{Stream: &ktail.Stream{Pod: pod, Container: "c"}, Text: []byte("m")}
	}
	r := &output.Default{Align: 20}
	var got []byte
	for _, pod := range []string{"web", "web-12", "web-123", "a-very-very-long-name", "eighteen-letters--", "web"} {
		got = r.Append(got, line(pod))
	}
	const want = "web c    m\n" +
		"web-12 c m\n" + // both fit in 8 columns
		"web-123 c        m\n" + // 16 columns
		"a-very-very-long-name c m\n" + // too long to move the column
		"eighteen-letters-- c m\n" + // 20 columns, the limit
		"web c                m\n" // the column does not move back
	if string(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
