// Package output turns lines into bytes and writes them.
//
// A renderer (Default, Raw, JSON, ExtJSON, Template) appends a line to a
// buffer. Style and Palette say how streams are named and colored. Text says
// how a message is shown: its timestamp, its highlights, and the escaping of
// control sequences. A Writer renders batches of lines into an io.Writer.
// Describe describes the other kinds of lines, for stderr.
//
// What a renderer needs from a stream is rendered once and cached, so that a
// line allocates nothing and costs little more than copying its bytes.
//
// Without levels, alignment, escaping, and the palette of 256 colors, lines look as
// in stern v1.34, except where it makes JSON invalid or highlights prefixes and color
// sequences.
package output
