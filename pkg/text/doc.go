// Package text recognizes what the text of a log line contains, no matter what
// wrote it and where it goes: the level of the line, JSON, colors (SGR
// sequences), and control characters that must not reach a terminal. Everything
// works on bytes and, apart from what it appends, allocates nothing.
//
// In addition, it makes texts fit for messages: OneLine, Shorten, and Redact for those of
// servers, and DidYouMean for misspelled names.
package text
