package elastic

import (
	"bytes"
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"
)

// dataStream is the name of a data stream in its parts. Its documents hold them,
// too; those of an index that is none do not.
type dataStream struct{ kind, dataset, namespace string }

// parseDataStream returns the parts of logs-dataset-namespace, or nil if name
// is not such a name.
func parseDataStream(name string) *dataStream {
	parts := strings.Split(name, "-")
	if len(parts) != 3 || parts[0] != "logs" || parts[1] == "" || parts[2] == "" {
		return nil
	}
	return &dataStream{parts[0], parts[1], parts[2]}
}

// isDataStreamName reports whether the name matches logs-*-*: Elasticsearch has a
// template that makes a data stream of such an index, also if it has more parts than
// those that documents name. See
// https://www.elastic.co/guide/en/elasticsearch/reference/8.19/index-templates.html.
func isDataStreamName(name string) bool {
	rest, ok := strings.CutPrefix(name, "logs-")
	return ok && strings.Contains(rest, "-")
}

// CheckIndex returns an error for a name that no index, alias or data stream can
// have, which would otherwise have each line wait for that to change.
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

// String returns the name, which is empty without a data stream.
func (d *dataStream) String() string {
	if d == nil {
		return ""
	}
	return d.kind + "-" + d.dataset + "-" + d.namespace
}

// memberStart is what the last member of a document of a data stream begins
// with. Within a text the quotes would be escaped, so that it is nowhere else.
const memberStart = `,"data_stream":{`

// appendEnd appends the end of a document: the fields of the data stream, if
// there is one.
func (d *dataStream) appendEnd(dst []byte) []byte {
	if d != nil {
		dst = appendQuoted(append(dst, memberStart+`"type":`...), d.kind)
		dst = appendQuoted(append(dst, `,"dataset":`...), d.dataset)
		dst = append(appendQuoted(append(dst, `,"namespace":`...), d.namespace), '}')
	}
	return append(dst, "}\n"...)
}

// convertTo changes the end of a document, and its action, to those of a document of
// this data stream: it was encoded before it was known where it has to go.
func (d *dataStream) convertTo(pair []byte) []byte {
	convertAction(pair, d != nil)
	end := len(pair) - len("}\n")
	if i := bytes.LastIndex(pair, []byte(memberStart)); i >= 0 {
		end = i
	}
	return d.appendEnd(pair[:end])
}
