package elastic

import "github.com/ktail/ktail/pkg/text"

// appendQuoted appends s as a JSON string. Invalid UTF-8 becomes U+FFFD, because a
// single invalid byte makes the server reject the whole bulk request.
func appendQuoted[T string | []byte](dst []byte, s T) []byte {
	return append(text.AppendEscaped(append(dst, '"'), []byte(s)), '"')
}
