package output

import (
	"bytes"

	template "github.com/DataDog/datadog-agent/pkg/template/text"

	"github.com/ktail/ktail/pkg/ktail"
)

// Template renders a line with a template and adds nothing, not even a newline.
// Append must be called by one goroutine at a time.
type Template struct {
	// Style has the colors. Text highlights the output of the template, because
	// only the template knows where the message is; the timestamps of Text
	// become the field .Timestamp. Neither may change after the first line.
	// Text may be nil.
	Style Style
	Text  *Text
	// Fail is called for a line that the template cannot render. The line is
	// not printed. Fail may be nil.
	Fail func(*ktail.Line, error)

	template *template.Template
	data     templateLine
	stream   *ktail.Stream // described by data
	out      bytes.Buffer
	time     []byte
}

// templateLine is the data of a template. Its fields and keys are a public
// interface: users' templates and scripts depend on them.
type templateLine struct {
	Message        string            `json:"message"`
	NodeName       string            `json:"nodeName"`
	Namespace      string            `json:"namespace"`
	PodName        string            `json:"podName"`
	ContainerName  string            `json:"containerName"`
	Labels         map[string]string `json:"labels"`
	Annotations    map[string]string `json:"annotations"`
	Timestamp      string            `json:"timestamp,omitempty"`
	PodColor       sgr               `json:"-"`
	ContainerColor sgr               `json:"-"`
}

// NewTemplate parses a template in the language of text/template, with the
// additional functions of templateFuncs. Templates cannot call methods.
func NewTemplate(text string, style Style) (*Template, error) {
	t, err := template.New("line").Funcs(templateFuncs(style.Color)).Parse(text)
	if err != nil {
		return nil, err // names the template
	}
	return &Template{Style: style, template: t}, nil
}

// Append appends the rendered line.
func (t *Template) Append(dst []byte, l *ktail.Line) []byte {
	t.fill(l)
	t.out.Reset()
	if err := t.template.Execute(&t.out, &t.data); err != nil {
		if t.Fail != nil {
			t.Fail(l, err)
		}
		return dst
	}
	if t.Text == nil {
		return append(dst, t.out.Bytes()...)
	}
	return t.Text.paint(dst, t.out.Bytes())
}

// fill sets the data for the line.
func (t *Template) fill(l *ktail.Line) {
	if s := l.Stream; s != t.stream {
		c := t.Style.colors(s)
		t.stream, t.data = s, templateLine{
			NodeName: s.Node, Namespace: s.Namespace, PodName: s.Pod, ContainerName: s.Container,
			Labels: s.Labels, Annotations: s.Annotations, PodColor: c.pod, ContainerColor: c.container,
		}
	}
	switch {
	case l.Cut:
		t.data.Message = string(appendCut(bytes.Clone(l.Text), l))
	case t.Text != nil && t.Text.Terminal:
		t.data.Message = string(bytes.TrimSuffix(l.Text, []byte{'\r'}))
	default:
		t.data.Message = string(l.Text)
	}
	if t.Text != nil && t.Text.Timestamps != nil {
		t.time = t.Text.Timestamps.append(t.time[:0], l.Time)
		t.data.Timestamp = string(t.time)
	}
}
