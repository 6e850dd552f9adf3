// Package output turns lines into bytes and writes them.
//
// A renderer (Default, Raw, JSON, ExtJSON, Template) appends a line to a buffer.
// The Style says how streams are named and colored, with a Palette; the Text says
// how a message is shown: with a timestamp, highlights, and without control
// sequences. A Writer renders batches of lines into an io.Writer. Describe
// describes the lines that are not log lines, for stderr.
//
// Whatever a renderer knows about a stream is rendered once and cached, so that a
// line costs no allocation beyond copying its bytes. The bytes are those of stern
// v1.34.
package output
