// Package ring holds the latest lines of a run in memory, compressed, and answers
// questions about them.
//
// A Ring is a sequence of blocks of about 64 KiB of text. Each line has a sequence
// number, which starts at 1 and never changes. When the blocks exceed the limit of
// the ring, the oldest ones are evicted; what is left is still one contiguous run
// of sequence numbers.
//
// A View numbers the lines that match a filter. It searches in the goroutine of its
// caller, for a limited time, from the newest line to the oldest, so a search that
// no request waits for costs nothing. The number of a match never changes as long as
// the view exists.
package ring
