package elastic

import "github.com/ktail/ktail/pkg/text"

// appendQuoted appends s as a JSON string. Bytes that are not UTF-8 become
// U+FFFD: a single one would make the server reject the whole bulk request.
func appendQuoted[T string | []byte](dst []byte, s T) []byte {
	return append(text.AppendEscaped(append(dst, '"'), []byte(s)), '"')
}
