package output_test

import (
	"strings"
	"testing"
	"time"

	"github.com/ktail/ktail/pkg/ktail"
	"github.com/ktail/ktail/pkg/output"
)

func TestTemplate_Renders(t *testing.T) {
	s := &ktail.Stream{Namespace: "ns", Pod: "web-1", Container: "nginx", Node: "node-1", Labels: map[string]string{"app": "web"}}
	tests := []struct {
		template, message string
		color             bool
		want              string
	}{
		{"{{.Namespace}}/{{.PodName}}/{{.ContainerName}} {{.NodeName}} {{.Labels.app}} {{.Message}}", "m", false, "ns/web-1/nginx node-1 web m"},
		{"{{json .}}", "m", false, `{"message":"m","nodeName":"node-1","namespace":"ns","podName":"web-1","containerName":"nginx","labels":{"app":"web"},"annotations":null}`},
		{"{{color .PodColor .PodName}} {{color .ContainerColor .ContainerName}}", "", false, "web-1 nginx"},
		{"{{color .PodColor .PodName}} {{color .ContainerColor .ContainerName}}", "", true, "\x1b[93mweb-1\x1b[0m \x1b[33mnginx\x1b[0m"},
		{`{{colorRed "a"}}{{colorCustom "b" 3 96}}`, "", true, "\x1b[31ma\x1b[0m\x1b[3;96mb\x1b[23;0m"},
		{`{{colorRed "100%"}} {{colorRed "%d%%" 7}}`, "", false, "100% 7%"},
		{`{{levelColor "Error"}} {{levelColor "odd"}} {{levelColor 7}}`, "", true, "\x1b[31mError\x1b[0m odd "},
		{`{{with tryParseJSON .Message}}{{bunyanLevelColor .n}}{{bunyanLevelColor .s}}{{end}}`, `{"n":50,"s":"x"}`, true, "\x1b[31m50\x1b[0m"},
		{`{{with parseJSON .Message}}{{bunyanLevelColor .n}}{{end}}`, `{"n":100}`, true, "100"},
		{`{{with parseJSON .Message}}{{.a}}{{end}}`, `{"a":1}`, false, "1"},
		{`{{with tryParseJSON .Message}}{{.a}}{{else}}no{{end}}`, `{"a":12345678901234567890}`, false, "12345678901234567890"},
		{`{{with tryParseJSON .Message}}{{.a}}{{else}}no{{end}}`, "text", false, "no"},
		{`{{extractJSONParts .Message "a" "b"}}`, `{"a":1,"b":"x"}`, false, "1, x"},
		{`{{tryExtractJSONParts .Message "a"}}`, "text", false, "text"},
		{`{{extjson .Message}}`, `{"a": 1}`, false, `{"a": 1}`},
		{`{{extjson .Message}}`, `a "b"`, false, `"a \"b\""`},
		{`{{extjson .Message}}`, "[\"\xff\"]", false, `"[\"\ufffd\"]"`},
		{`{{prettyJSON .Message}}`, `{"b":1,"a":[]}`, false, "{\n  \"a\": [],\n  \"b\": 1\n}"},
		{`{{prettyJSON .Message}}`, "text", false, "text"},
		{`{{prettyJSON 7}}`, "", false, "7"},
		{`{{toRFC3339Nano .Message}}`, "2026-01-02 15:04:05.5", false, "2026-01-02T15:04:05.5Z"},
		{`{{toRFC3339Nano .Message}}`, "no time", false, "0001-01-01T00:00:00Z"},
		{`{{toTimestamp .Message "15:04:05.000"}}`, "1700000000.25", false, "22:13:20.250"},
		{`{{toTimestamp .Message "15:04" "Asia/Tokyo"}}`, "1700000000", false, "07:13"},
		{`{{toUTC .Message}}`, "2026-01-02T00:00:00+05:00", false, "2026-01-01 19:00:00 +0000 UTC"},
		{`{{with parseJSON .Message}}{{toTimestamp .ts "05.000"}}{{end}}`, `{"ts":1.5}`, false, "01.500"},
		{"{{.Timestamp}}|", "", false, "|"},
	}
	for _, tt := range tests {
		t.Run(tt.template, func(t *testing.T) {
			r, err := output.NewTemplate(tt.template, output.Style{Color: tt.color})
			if err != nil {
				t.Fatal(err)
			}
			r.Fail = func(_ *ktail.Line, err error) { t.Error(err) }
			l := &ktail.Line{Stream: s, Text: []byte(tt.message)}
			if got := string(r.Append(nil, l)); got != tt.want {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
		})
	}
}

func TestTemplate_ReportsFailure(t *testing.T) {
	r, err := output.NewTemplate(`{{.PodName}} {{with parseJSON .Message}}{{.a}}{{end}};`, output.Style{})
	if err != nil {
		t.Fatal(err)
	}
	var failed []string
	r.Fail = func(l *ktail.Line, err error) {
		failed = append(failed, string(l.Text))
		if !strings.HasPrefix(err.Error(), "template: ") {
			t.Errorf("error is %v", err)
		}
	}
	var got []byte
	for _, text := range []string{`{"a":1}`, "text", `{"a":2}`} {
		got = r.Append(got, &ktail.Line{Stream: &ktail.Stream{Pod: "p"}, Text: []byte(text)})
	}
	if want := "p 1;p 2;"; string(got) != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if len(failed) != 1 || failed[0] != "text" {
		t.Errorf("Fail was called with %q", failed)
	}
	for _, text := range []string{"{{", "{{nothing}}", "{{.Message"} {
		if _, err := output.NewTemplate(text, output.Style{}); err == nil {
			t.Errorf("no error for %q", text)
		}
	}
}

func TestTemplate_HighlightsOutput(t *testing.T) {
	r, err := output.NewTemplate("{{.Timestamp}} {{color .PodColor .PodName}} {{.Message}}\n", output.Style{Color: true})
	if err != nil {
		t.Fatal(err)
	}
	r.Text = &output.Text{
		Timestamps: output.NewTimestamps(output.TimestampShort, time.UTC),
		Highlight:  output.NewHighlighter(compile("1")...),
		Terminal:   true,
	}
	l := &ktail.Line{Stream: &ktail.Stream{Pod: "web-1", Container: "c"}, Text: []byte("a\a\r")}
	const want = "0\x1b[31;1m1\x1b[0;22m-0\x1b[31;1m1\x1b[0;22m 00:00:00 \x1b[93mweb-\x1b[31;1m1\x1b[0;22m\x1b[93m\x1b[0m a^G\n"
	if got := string(r.Append(nil, l)); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}
