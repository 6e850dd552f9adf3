package elastic

import (
	"bytes"
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"
)

// dataStream holds the parts of the name of a data stream. Documents of a data stream
// contain them; documents of an index do not.
type dataStream struct{ kind, dataset, namespace string }

// parseDataStream returns the parts of a name like logs-dataset-namespace, or nil if
// name has another form.
func parseDataStream(name string) *dataStream {
	parts := strings.Split(name, "-")
	if len(parts) != 3 || parts[0] != "logs" || parts[1] == "" || parts[2] == "" {
		return nil
	}
	return &dataStream{parts[0], parts[1], parts[2]}
}

// isDataStreamName reports whether the name matches logs-*-*. Elasticsearch has a
// built-in template that turns such names into data streams, including names with more
// than three parts. See
// https://www.elastic.co/guide/en/elasticsearch/reference/8.19/index-templates.html.
func isDataStreamName(name string) bool {
	rest, ok := strings.CutPrefix(name, "logs-")
	return ok && strings.Contains(rest, "-")
}

// CheckIndex returns an error for a name that no index, alias or data stream can have.
// Without the check, all lines would wait for an index that cannot exist.
func CheckIndex(name string) error {
	switch {
	case name == "", name == ".", name == "..", len(name) > 255:
		return errors.New("must not be . or .., and must have 1 to 255 bytes")
	case strings.ContainsAny(name, "/\\*?\"<>| ,#:"), strings.ContainsFunc(name, unicode.IsControl), !utf8.ValidString(name):
		return errors.New("must not contain spaces or any of , # : / \\ * ? \" < > |")
	case strings.ContainsRune("_-+", rune(name[0])):
		return errors.New("must not begin with _, - or +")
	case strings.ToLower(name) != name:
		return errors.New("must be lower case")
	}
	return nil
}

// String returns the name, or an empty string for nil.
func (d *dataStream) String() string {
	if d == nil {
		return ""
	}
	return d.kind + "-" + d.dataset + "-" + d.namespace
}

// memberStart begins the last member of a document of a data stream. Inside a text, the
// quotes would be escaped, so the bytes occur nowhere else.
const memberStart = `,"data_stream":{`

// appendEnd appends the end of a document, with the fields of the data stream if d is
// not nil.
func (d *dataStream) appendEnd(dst []byte) []byte {
	if d != nil {
		dst = appendQuoted(append(dst, memberStart+`"type":`...), d.kind)
		dst = appendQuoted(append(dst, `,"dataset":`...), d.dataset)
		dst = append(appendQuoted(append(dst, `,"namespace":`...), d.namespace), '}')
	}
	return append(dst, "}\n"...)
}

// convertTo changes the action and the end of a document that was encoded for another
// target to those of this data stream, or of an index if d is nil.
func (d *dataStream) convertTo(pair []byte) []byte {
	convertAction(pair, d != nil)
	end := len(pair) - len("}\n")
	if i := bytes.LastIndex(pair, []byte(memberStart)); i >= 0 {
		end = i
	}
	return d.appendEnd(pair[:end])
}
