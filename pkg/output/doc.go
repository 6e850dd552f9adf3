// Package output turns lines into bytes and writes them where the user reads:
//
//	Default, Raw, JSON  render a line, the first with the help of
//	Style               which says how a stream is named and colored
//	Writer              renders batches of lines and writes them to an io.Writer
//	Describe            puts into words what is no line of a log, for stderr
//
// What a renderer knows of a stream is rendered once and kept, so that a line
// costs the copying of its bytes and no allocation. For the same line the
// bytes are those of stern v1.34.
package output
