// Package text knows what the text of a log line contains, whatever wrote it
// and wherever it goes: the level of the line, JSON, colors (SGR sequences), and
// control characters that must not reach a terminal. Everything works on bytes
// and, apart from what it appends, allocates nothing.
package text
