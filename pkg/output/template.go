package output

import (
	"bytes"
	"text/template"

	"github.com/ktail/ktail/pkg/ktail"
)

// Template renders a line as a template says, with nothing added to it: not even
// a newline. It is used by one goroutine.
type Template struct {
	// Style has the colors. Text says what to highlight in what the template
	// makes of a line, of which it alone knows what the message is; its
	// timestamps become the field .Timestamp. Neither is to be changed once a
	// line was rendered; Text may be nil.
	Style Style
	Text  *Text
	// Fail is told of a line that the template cannot render; nothing of that
	// line is shown. It may be nil.
	Fail func(*ktail.Line, error)

	template *template.Template
	data     templateLine
	stream   *ktail.Stream // that data is of
	out      bytes.Buffer
	time     []byte
}

// templateLine is what a template is executed with. Templates and users' scripts
// know the fields and the keys.
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

// NewTemplate returns the template of a text in the language of text/template,
// with the functions that templateFuncs has besides.
func NewTemplate(text string, style Style) (*Template, error) {
	t, err := template.New("line").Funcs(templateFuncs(style.Color)).Parse(text)
	if err != nil {
		return nil, err // it names the template
	}
	return &Template{Style: style, template: t}, nil
}

// Append appends what the template makes of the line.
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

// fill makes the data those of the line.
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
