package output_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/ktail/ktail/pkg/ktail"
	"github.com/ktail/ktail/pkg/output"
)

var update = flag.Bool("update", false, "write the golden files instead of comparing with them")

// checkGolden compares got with testdata/name.golden.
func checkGolden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s: got\n%q\nwant\n%q", path, got, want)
	}
}

// shop returns streams of pods that have all six colors.
func shop() []*ktail.Stream {
	return []*ktail.Stream{
		{Namespace: "shop", Pod: "cart-0", Container: "app", Node: "node-1", Labels: map[string]string{"app": "cart", "apps.kubernetes.io/pod-index": "0"}, Annotations: map[string]string{}},
		{Namespace: "shop", Pod: "api-7c9d8b5f4-x2x7k", Container: "app", Node: "node-1", Labels: map[string]string{"tier": "<front>", "app": "api", "a&b": `"quoted"`}, Annotations: map[string]string{"note": "two\nlines \u2028 and \xff"}},
		{Namespace: "shop", Pod: "api-7c9d8b5f4-x2x7k", Container: "istio-proxy", Node: "node-1"},
		{Namespace: "shop", Pod: "web-0", Container: "nginx"},
		{Namespace: "kube-system", Pod: "web-1", Container: "nginx", Node: "node-2"},
		{Namespace: "kube-system", Pod: "cron-0", Container: "c"},
		{Namespace: "kube-system", Pod: "cron-1", Container: "c"},
	}
}

// shopLines returns lines of these streams whose messages cover every special
// case.
func shopLines() []ktail.Line {
	streams := shop()
	var lines []ktail.Line
	for i, text := range []string{
		"hello",
		"",
		"  spaces\tand tabs  ",
		`{"level":"info","path":"C:\\temp"}`,
		"<b>a && b</b>",
		"\x1b[31mred\x1b[0m \x00\x01\x7f\r",
		"ü日本語🙂 \u2028\u2029 \xff\xe2\x80",
		"once more",
	} {
		lines = append(lines, ktail.Line{Stream: streams[i%len(streams)], Text: []byte(text)})
	}
	for i := range lines {
		lines[i].Time = 1767366245_000000001 + int64(i)*500_000_000
	}
	return append(lines,
		ktail.Line{Stream: streams[0], Text: []byte("the beginning of \xe2\x80"), Cut: true},
		ktail.Line{Stream: streams[3], Cut: true},
	)
}

func compile(exprs ...string) []*regexp.Regexp {
	var res []*regexp.Regexp
	for _, expr := range exprs {
		res = append(res, regexp.MustCompile(expr))
	}
	return res
}

func stamped() *output.Text {
	return &output.Text{Timestamps: output.NewTimestamps(output.TimestampNano, time.UTC)}
}

// everything returns a Text with all options, as on a terminal.
func everything() *output.Text {
	return &output.Text{
		Timestamps: output.NewTimestamps(output.TimestampShort, time.UTC),
		Highlight:  output.NewHighlighter(compile("l+", "red|本語", `"`)...),
		Levels:     true, Terminal: true,
	}
}

func TestRenderers_MatchGoldenFiles(t *testing.T) {
	tests := []struct {
		name     string
		renderer ktail.Renderer
	}{
		{"default", &output.Default{}},
		{"default-color", &output.Default{Style: output.Style{Color: true}}},
		{"default-namespace", &output.Default{Style: output.Style{Namespace: true}}},
		{"default-namespace-color", &output.Default{Style: output.Style{Namespace: true, Color: true}}},
		{"raw", output.Raw{}},
		{"json", &output.JSON{}},
		{"extjson", &output.ExtJSON{}},
		{"extjson-namespace-color", &output.ExtJSON{Style: output.Style{Namespace: true, Color: true}}},
		{"ppextjson", &output.ExtJSON{Pretty: true}},
		{"ppextjson-namespace", &output.ExtJSON{Style: output.Style{Namespace: true}, Pretty: true}},
		{"default-timestamps", &output.Default{Text: stamped()}},
		{"raw-timestamps", output.Raw{Text: stamped()}},
		{"json-timestamps", &output.JSON{Timestamps: stamped().Timestamps}},
		{"extjson-timestamps", &output.ExtJSON{Text: stamped()}},
		{"ppextjson-timestamps", &output.ExtJSON{Text: stamped(), Pretty: true}},
		{"default-all", &output.Default{Style: output.Style{Color: true}, Text: everything()}},
		{"extjson-all", &output.ExtJSON{Style: output.Style{Color: true}, Text: everything()}},
		{"json-terminal", &output.JSON{Terminal: true}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			render := func() []byte {
				var dst []byte
				for _, l := range shopLines() {
					dst = tt.renderer.Append(dst, &l)
				}
				return dst
			}
			checkGolden(t, tt.name, render())
			checkGolden(t, tt.name, render()) // with new streams that have the same names
		})
	}
}

// A message that is JSON except for its encoding becomes a string.
func TestExtJSON_IsValidWhateverTheEncodingOfTheMessage(t *testing.T) {
	for _, message := range []string{"{\"a\":1,\"b\":\"\xff\"}", "\"\xed\xa0\x80\"", "{\"\xc3\":1}", `{"a":"é"}`} {
		for _, r := range []*output.ExtJSON{{}, {Pretty: true}} {
			got := r.Append(nil, &ktail.Line{Stream: shop()[0], Text: []byte(message)})
			if !json.Valid(got) || !utf8.Valid(got) {
				t.Errorf("%q: got %q", message, got)
			}
		}
	}
}

func TestStyle_NamesStartedAndStoppedStreams(t *testing.T) {
	tests := []struct {
		name  string
		style output.Style
	}{
		{"events", output.Style{}},
		{"events-color", output.Style{Color: true}},
		{"events-namespace", output.Style{Namespace: true}},
		{"events-namespace-color", output.Style{Namespace: true, Color: true}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got strings.Builder
			for _, s := range shop() {
				got.WriteString(tt.style.Started(s) + "\n" + tt.style.Stopped(s) + "\n")
			}
			checkGolden(t, tt.name, []byte(got.String()))
		})
	}
}

func TestJSON_EqualsMarshal(t *testing.T) {
	for _, l := range shopLines() {
		message := string(l.Text)
		if l.Cut {
			raw := output.Raw{}.Append(nil, &l)
			message = strings.TrimSuffix(string(raw), "\n")
		}
		want, err := json.Marshal(struct {
			Message       string            `json:"message"`
			NodeName      string            `json:"nodeName"`
			Namespace     string            `json:"namespace"`
			PodName       string            `json:"podName"`
			ContainerName string            `json:"containerName"`
			Labels        map[string]string `json:"labels"`
			Annotations   map[string]string `json:"annotations"`
		}{message, l.Stream.Node, l.Stream.Namespace, l.Stream.Pod, l.Stream.Container, l.Stream.Labels, l.Stream.Annotations})
		if err != nil {
			t.Fatal(err)
		}
		if got := string((&output.JSON{}).Append(nil, &l)); got != string(want)+"\n" {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

func TestAppend_KeepsBuffer(t *testing.T) {
	l := ktail.Line{Stream: &ktail.Stream{Pod: "p", Container: "c"}, Text: []byte("m")}
	for _, r := range []ktail.Renderer{&output.Default{}, output.Raw{}, &output.JSON{}} {
		if got := r.Append([]byte("before\n"), &l); !bytes.HasPrefix(got, []byte("before\n")) || !bytes.HasSuffix(got, []byte("\n")) {
			t.Errorf("%T: got %q", r, got)
		}
	}
}
